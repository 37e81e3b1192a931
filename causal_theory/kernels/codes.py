"""Codes of the divergences, for kernels and for those who call them."""

CHI2, KL, TV, HELLINGER, MODIFIED_CHI2 = range(5)
