"""One file per claim; a new file that defines ``CLAIM`` is picked up by itself."""
