"""Hypothesis profiles: ``HYPOTHESIS_PROFILE`` picks one, otherwise ``default``.

No profile has a deadline: the first example of a test may compile a kernel.
"""

import os

from hypothesis import settings

settings.register_profile("default", derandomize=True, deadline=None, max_examples=50)
settings.register_profile("thorough", deadline=None, max_examples=1000, print_blob=True)
# For the coverage run, where kernels are plain Python and a hundred times slower.
settings.register_profile("tiny", derandomize=True, deadline=None, max_examples=5)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
