"""A model at its start as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from causal_theory.choices import Choice, Registry
from causal_theory.models import TrainableModel
from causal_theory.models.by_name import MODELS
from causal_theory.models.standard import Residual
from causal_theory.specs.base import Option, Spec, own_options
from causal_theory.specs.readers import positive, read_heads
from causal_theory.tasks import InContextTask
from causal_theory.validation import SeedLike, as_generator

MODEL = "Model"
COMMON = ("length", "vocab_size", "rng")
"""What every model is given."""


@dataclass(frozen=True, repr=False)
class ModelSpec(Spec):
    """A model at its start as data.

    Every field is an option of the command line and a key of TOML and JSON; None stands for the default.

    Parameters
    ----------
    kind : str, optional
        ``"disentangled"``, ``"reduced"`` or ``"standard"``, or ``"module:Class"``, which takes what it wants of
        ``length``, ``vocab_size``, ``rng`` and the fields; by default ``"disentangled"``. On the command line
        ``--model``.
    heads : sequence of int, or str, optional
        Heads of each layer of the disentangled or the standard transformer; by default ``(1, 1)``.
    scale : float, optional
        Standard deviation of their attention matrices at the start; by default 0.
    epsilon : float, optional
        The constant inside the logarithm of the loss of the reduced transformer; by default 1/T.
    beta0 : float, optional
        Scale of its second matrix at the start; by default 0.01.
    residual : {"joint", "each"}, optional
        Of the standard transformer.
    model_options : mapping, optional
        Parameters of a class that are none of these.

    Raises
    ------
    InvalidArgumentError
        If a value is of the wrong kind or out of range.

    Examples
    --------
    >>> from causal_theory import TaskSpec
    >>> ModelSpec(kind="reduced").build(TaskSpec(length=6, symbols=3).build())
    ReducedTransformer(length=6, vocab_size=3, epsilon=0.16666666666666666, 45 parameters)
    """

    REGISTRIES: ClassVar[Mapping[str, Registry[Any]]] = {"kind": MODELS}
    WHAT: ClassVar[str] = "model"

    kind: Annotated[
        str | None,
        Option(
            "All parameters of the full model, two matrices, one with learned embeddings, value matrices and networks, "
            "which needs the extra torch, or a class of your own.",
            MODEL,
            name="model",
            registry=MODELS,
        ),
    ] = None
    heads: Annotated[
        tuple[int, ...] | None,
        Option(
            "Heads of each layer of the disentangled or the standard transformer.", MODEL, read_heads, metavar="H,H"
        ),
    ] = None
    scale: Annotated[
        float | None,
        Option(
            "Standard deviation of their attention matrices at the start (0: they are 0).",
            MODEL,
            positive(or_zero=True),
        ),
    ] = None
    epsilon: Annotated[
        float | None,
        Option(
            "The constant inside the logarithm of the loss of the reduced transformer (default 1/T).", MODEL, positive()
        ),
    ] = None
    beta0: Annotated[
        float | None, Option("Scale of its second matrix at the start, A1 = 0 and A2 = beta0 I.", MODEL, positive())
    ] = None
    residual: Annotated[
        Residual | None,
        Option(
            "The standard transformer: one residual connection around attention and network together, as published, "
            "or one around each.",
            MODEL,
        ),
    ] = None
    model_options: Annotated[dict[str, Any] | None, own_options(MODELS, MODEL)] = None

    def check(self) -> Choice:
        """Return what makes the model.

        Returns
        -------
        Choice
            The class and its options.

        Raises
        ------
        InvalidArgumentError
            If an option has no effect, or a package is missing.
        """
        return MODELS.check(self.name_of("kind"), self.options("kind"), COMMON, self.extra("kind"))

    @property
    def start(self) -> dict[str, float]:
        """The scale of the parameters at the start."""
        values = MODELS.complete(self.name_of("kind"), self.options("kind"))
        return {name: values[name] for name in ("scale", "beta0") if name in values}

    def build(self, task: InContextTask, rng: SeedLike = None) -> TrainableModel:
        """Return the model at its start.

        Parameters
        ----------
        task : InContextTask
            What it is trained on: it decides the sizes.
        rng : seed or numpy Generator, optional
            Source of what starts at random; nothing is drawn for a model that starts at zero.

        Returns
        -------
        TrainableModel
            Made by the class of that name.

        Raises
        ------
        InvalidArgumentError
            If an option has no effect or is out of range, or a package is missing.

        Examples
        --------
        >>> from causal_theory import TaskSpec
        >>> ModelSpec(heads="2,1").build(TaskSpec(length=6, symbols=3).build())
        DisentangledTransformer(length=6, vocab_size=3, heads=(2, 1), 1053 parameters)
        """
        common = dict(zip(COMMON, (task.length, task.vocab_size, as_generator(rng)), strict=True))
        made: TrainableModel = MODELS.make(self.name_of("kind"), self.options("kind"), common, self.extra("kind"))
        return made
