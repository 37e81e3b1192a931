"""The published experiments as settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from causal_theory.display import Shown
from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.graphs import CausalGraph
from causal_theory.models import DisentangledTransformer, StandardTransformer, TrainableModel
from causal_theory.priors import DirichletPrior
from causal_theory.tasks import InContextTask
from causal_theory.training.settings import TrainingSettings
from causal_theory.validation import SeedLike, as_generator
from causal_theory.wording import count

__all__ = ["PRESETS", "Preset", "find_preset"]

GraphMaker = Callable[[int, np.random.Generator], CausalGraph]
ModelMaker = Callable[["Preset", np.random.Generator], TrainableModel]


@dataclass(frozen=True)
class Preset(Shown):
    """One published experiment.

    Attributes
    ----------
    name, title : str
        Name on the command line, and what it is.
    family : str
        Name of the graph family, as on the command line.
    make_graph : callable
        Maps a length and a generator to a graph.
    graphs : int
        Number of graphs, each with a run of its own.
    length, vocab_size : int
        T and S.
    concentration : float
        Of the Dirichlet prior.
    heads : tuple of int
        Heads per layer.
    settings : TrainingSettings
        As published.
    kind : str
        Name of the model, as on the command line.
    scale : float
        Standard deviation of its attention matrices at the start; 0 starts them at zero.
    """

    name: str
    title: str
    family: str
    make_graph: GraphMaker
    graphs: int
    length: int
    vocab_size: int
    concentration: float
    heads: tuple[int, ...]
    settings: TrainingSettings
    kind: str = "disentangled"
    scale: float = 0.0

    def __repr__(self) -> str:
        """Return one line with name and sizes."""
        return (
            f"Preset({self.name!r}: {self.title}, length={self.length}, vocab_size={self.vocab_size}, "
            f"{count(self.graphs, 'graph')}, {self.settings.steps} steps)"
        )

    def tasks(self, rng: SeedLike = None) -> tuple[InContextTask, ...]:
        """Return the tasks.

        Parameters
        ----------
        rng : int or Generator, optional
            Source of random graphs.

        Returns
        -------
        tuple of InContextTask
            One for each graph.
        """
        generator = as_generator(rng)
        prior = DirichletPrior(self.vocab_size, self.concentration)
        return tuple(InContextTask(self.make_graph(self.length, generator), prior) for _ in range(self.graphs))

    def model(self, rng: SeedLike = None) -> TrainableModel:
        """Return the model at its start.

        Parameters
        ----------
        rng : int or Generator, optional
            Source of the parameters that start at random; nothing is drawn for a model that starts at zero.

        Returns
        -------
        TrainableModel
            A model of the named kind.

        Raises
        ------
        ImportError
            If it is the standard transformer, and PyTorch is not installed.
        """
        return _MODELS[self.kind](self, as_generator(rng))


def _disentangled(preset: Preset, rng: np.random.Generator) -> TrainableModel:
    return DisentangledTransformer(preset.length, preset.vocab_size, preset.heads, scale=preset.scale, rng=rng)


def _standard(preset: Preset, rng: np.random.Generator) -> TrainableModel:
    return StandardTransformer(preset.length, preset.vocab_size, preset.heads, scale=preset.scale, rng=rng)


_MODELS: Mapping[str, ModelMaker] = {"disentangled": _disentangled, "standard": _standard}


def _chain(length: int, _: np.random.Generator) -> CausalGraph:
    return CausalGraph.chain(length)


def _pairs(length: int, _: np.random.Generator) -> CausalGraph:
    return CausalGraph.pairs(length)


def _random(length: int, rng: np.random.Generator) -> CausalGraph:
    return CausalGraph.recursive_forest(length, rng)


def _two_parents(length: int, _: np.random.Generator) -> CausalGraph:
    return CausalGraph.binary_tree_and_previous(length)


def _sparse(length: int, rng: np.random.Generator) -> CausalGraph:
    return CausalGraph.random_forest(length, 0.5, rng)


_LONG = TrainingSettings(steps=2**17, batch_size=1024, learning_rate=1.0, schedule="cosine")
_SHORT = TrainingSettings(steps=2**14, batch_size=1024, learning_rate=1.0)
_ADAMW = TrainingSettings(
    steps=2**12, batch_size=1024, learning_rate=0.01, optimizer="adamw", schedule="cosine", weight_decay=2e-4
)
_TWO_HEADS = TrainingSettings(
    steps=2**16, batch_size=1024, learning_rate=0.01, optimizer="adamw", schedule="cosine", weight_decay=1e-4
)
_FIGURES = (
    ("paper-chain", "chain: the induction head", "chain", _chain),
    ("paper-pairs", "pairs: in-context learning", "pairs", _pairs),
    ("paper-random", "a random recursive forest", "recursive-forest", _random),
)

PRESETS: Mapping[str, Preset] = {
    **{
        name: Preset(name, title, family, maker, 1, 20, 10, 0.1, (1, 1), _LONG)
        for name, title, family, maker in _FIGURES
    },
    "paper-many-graphs": Preset(
        "paper-many-graphs", "20 random forests, one run each", "random-forest", _sparse, 20, 20, 3, 0.1, (1, 1), _SHORT
    ),
    "paper-two-parents": Preset(
        "paper-two-parents",
        "two parents and two heads",
        "binary-tree-and-previous",
        _two_parents,
        1,
        32,
        5,
        0.1,
        (2, 1),
        _TWO_HEADS,
        scale=1e-4,
    ),
    "paper-standard": Preset(
        "paper-standard", "chain: the standard transformer", "chain", _chain, 1, 20, 10, 0.1, (1, 1), _ADAMW, "standard"
    ),
}
"""Published settings by name."""


@default_floats
def find_preset(name: str) -> Preset:
    """Return a preset by its name.

    Parameters
    ----------
    name : str
        One of the keys of ``PRESETS``.

    Returns
    -------
    Preset
        The preset.

    Raises
    ------
    InvalidArgumentError
        If there is none of this name.

    Examples
    --------
    >>> find_preset("paper-chain").settings.steps
    131072
    """
    if name not in PRESETS:
        raise InvalidArgumentError(f"preset must be one of {', '.join(PRESETS)}, got {name!r}")
    return PRESETS[name]
