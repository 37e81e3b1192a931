"""Formats of graph files: each module turns the text of one of them into a graph with named nodes."""
