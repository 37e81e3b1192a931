"""The main job: every claim of the theory, with its evidence and its negative control."""
