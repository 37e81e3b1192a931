"""The published experiments: task, model, settings, and the numbers that were published about them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from causal_theory.display import Shown
from causal_theory.errors import InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.specs import ModelSpec, TaskSpec
from causal_theory.tasks import InContextTask
from causal_theory.training.settings import TrainingSettings
from causal_theory.validation import SeedLike, as_generator
from causal_theory.wording import count


@dataclass(frozen=True)
class Preset(Shown):
    """One published experiment.

    Attributes
    ----------
    name, title : str
        Name on the command line, and what it is.
    task : TaskSpec
        What is trained on.
    model : ModelSpec
        The model at its start.
    settings : TrainingSettings
        Those of training.
    graphs : int
        Number of graphs, each with a run of its own.
    published : mapping
        Numbers that were published about the result, by the name that a report has for them.

    Examples
    --------
    >>> preset = find_preset("paper-pairs")
    >>> (task,) = preset.tasks(rng=0)
    >>> preset.model.build(task)
    DisentangledTransformer(length=20, vocab_size=10, heads=(1, 1), 5700 parameters)
    """

    name: str
    title: str
    task: TaskSpec
    model: ModelSpec
    settings: TrainingSettings
    graphs: int = 1
    published: Mapping[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Return one line with name and sizes."""
        return (
            f"Preset({self.name!r}: {self.title}, length={self.task.length}, vocab_size={self.task.symbols}, "
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
        return tuple(self.task.build(generator) for _ in range(self.graphs))


def _figure(name: str, title: str, graph: str) -> Preset:
    """Return an experiment of the first figures, which differ in the graph alone."""
    task = TaskSpec(graph=graph, length=20, symbols=10, concentration=0.1)
    settings = TrainingSettings(steps=2**17, batch_size=1024, learning_rate=1.0, schedule="cosine")
    return Preset(name, title, task, ModelSpec(kind="disentangled"), settings)


_MANY_GRAPHS = Preset(
    "paper-many-graphs",
    "20 random forests, one run each",
    TaskSpec(graph="random-forest", length=20, root_probability=0.5, symbols=3, concentration=0.1),
    ModelSpec(kind="disentangled"),
    TrainingSettings(steps=2**14, batch_size=1024, learning_rate=1.0),
    graphs=20,
    published={"mean_attention": 0.8366, "standard_deviation": 0.0540, "edges": 182, "below": 6},
)
_TWO_PARENTS = Preset(
    "paper-two-parents",
    "two parents and two heads",
    TaskSpec(graph="binary-tree-and-previous", length=32, symbols=5, concentration=0.1),
    ModelSpec(kind="disentangled", heads=(2, 1), scale=1e-4),
    TrainingSettings(
        steps=2**16, batch_size=1024, learning_rate=0.01, optimizer="adamw", schedule="cosine", weight_decay=1e-4
    ),
)
_STANDARD = Preset(
    "paper-standard",
    "chain: the standard transformer",
    TaskSpec(graph="chain", length=20, symbols=10, concentration=0.1),
    ModelSpec(kind="standard"),
    TrainingSettings(
        steps=2**12, batch_size=1024, learning_rate=0.01, optimizer="adamw", schedule="cosine", weight_decay=2e-4
    ),
)

PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        _figure("paper-chain", "chain: the induction head", "chain"),
        _figure("paper-pairs", "pairs: in-context learning", "pairs"),
        _figure("paper-random", "a random recursive forest", "recursive-forest"),
        _MANY_GRAPHS,
        _TWO_PARENTS,
        _STANDARD,
    )
}
"""The published experiments by name."""


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
