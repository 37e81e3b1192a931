"""The exceptions of the package: one base class, few children, each also a built-in error."""

__all__ = [
    "CallError",
    "CausalTheoryError",
    "FileFormatError",
    "GraphError",
    "InvalidArgumentError",
    "OutputError",
    "StoreError",
    "TaskError",
    "TooLargeError",
    "TransitionError",
]


class CausalTheoryError(Exception):
    """Base class of every error that the package raises on purpose."""


class InvalidArgumentError(CausalTheoryError, ValueError):
    """An argument has a value, a shape or a name that the function does not accept."""


class CallError(InvalidArgumentError, TypeError):
    """An option was passed by its place, and needs its name."""


class GraphError(InvalidArgumentError):
    """The parents do not describe a causal graph."""


class TransitionError(InvalidArgumentError):
    """A matrix is not a transition matrix, or not one with a unique stationary law."""


class TaskError(InvalidArgumentError):
    """The task is outside what the called method can handle."""


class TooLargeError(InvalidArgumentError):
    """The exact computation would exceed the stated size limit."""


class FileFormatError(InvalidArgumentError):
    """A file does not have the documented format."""


class OutputError(InvalidArgumentError):
    """A result cannot be written where it was asked for."""


class StoreError(InvalidArgumentError):
    """The store of a sweep cannot be opened, read or written."""
