"""The main job: check every claim and write a report."""
