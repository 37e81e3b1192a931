"""The main job: check every claim of the theory, each with a control that must fail, and write a report."""
