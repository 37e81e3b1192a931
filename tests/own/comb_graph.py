"""A graph family of a user's own: a comb."""


def comb(length, teeth=2):
    """A spine of ``teeth`` positions, and then one position after another hangs from the spine, round and round."""
    return [-1 if i == 0 else i - 1 if i < teeth else i % teeth for i in range(length - 1)]
