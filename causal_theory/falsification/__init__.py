"""Where statements of the theory stop: a search for counterexamples, each proved in rational arithmetic."""

__all__: list[str] = []
