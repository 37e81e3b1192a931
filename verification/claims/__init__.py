"""The claims, one module each; a new module that defines ``CLAIM`` is found by itself."""
