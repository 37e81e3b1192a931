"""A prior, a graph family and a model of a user's own, one file each, and what they go through."""
