"""Stochastic training: fresh sequences at every step, checkpoints that resume to the last bit."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causal_theory.errors import FileFormatError, InvalidArgumentError
from causal_theory.floats import default_floats
from causal_theory.models import TrainableModel, check_model
from causal_theory.progress import ProgressBar
from causal_theory.provenance import check_same_run
from causal_theory.tasks import InContextTask
from causal_theory.training.baselines import sample_baselines
from causal_theory.training.checkpoint import check_folder, read_checkpoint, write_checkpoint
from causal_theory.training.interrupts import DeferredInterrupt
from causal_theory.training.record import describe_run, describe_version, describe_versions, is_same_stream
from causal_theory.training.run import TrainingRun
from causal_theory.training.sampler import BatchSampler, draw_keys
from causal_theory.training.settings import OptimizerName, Recipe, ScheduleName, TrainingSettings
from causal_theory.training.state import TrainingState
from causal_theory.validation import SeedLike, as_generator, check_integer, shown

Array = NDArray[np.float64]

STAGES = 2
"""Groups of parameters that a recipe of two stages trains one after the other."""


@default_floats
def train_sgd(
    task: InContextTask,
    model: TrainableModel,
    *,
    steps: int,
    batch_size: int,
    learning_rate: float,
    optimizer: OptimizerName = "sgd",
    schedule: ScheduleName = "constant",
    weight_decay: float = 0.0,
    recipe: Recipe = "joint",
    rng: SeedLike = None,
    checkpoint: str | os.PathLike[str] | None = None,
    every: int = 1000,
    resume: bool = False,
    reuse_other_versions: bool = False,
    progress: bool = True,
    **settings: Any,
) -> TrainingRun:
    r"""Train a model on fresh sequences of a task.

    Parameters
    ----------
    task : InContextTask
        Where sequences come from, on any graph.
    model : TrainableModel
        :class:`ReducedTransformer`, :class:`DisentangledTransformer`, :class:`StandardTransformer` or a model of your
        own (a subclass of :class:`causal_theory.models.TrainableModel`) to start from; it is not changed.
    steps : int
        Number of steps.
    batch_size : int
        Fresh sequences per step.
    learning_rate : float
        Step size at the start.
    optimizer : {"sgd", "adamw"}
        Plain gradient steps, or Adam with decoupled weight decay.
    schedule : {"constant", "cosine"}
        Whether the rate stays or falls to zero.
    weight_decay : float
        Parameters shrink by ``rate * weight_decay`` in every step.
    recipe : {"joint", "two_stage"}
        All matrices together, or the first one and then the second one of a model with two groups.
    rng : int or Generator, optional
        Source of randomness. The sequences depend on nothing else: not on the number of threads, nor on the model.
    checkpoint : path, optional
        Where to keep the state of the run, replaced as a whole every ``every`` steps, at the end, and when the run is
        interrupted, by Ctrl-C or by SIGTERM. After the latter the program exits with status 143.
    every : int
        Steps between checkpoints.
    resume : bool
        Go on from the checkpoint when there is one: parameters are then the same to the last bit as without the
        interruption. A checkpoint of another run is refused: one with another task, another model at the start, other
        settings, or another ``rng``; with ``rng=None`` the sequences are those that the checkpoint began with.
    reuse_other_versions : bool
        Go on from a checkpoint of another version of the code, too. ``TrainingRun.versions`` then names both.
    progress : bool
        Whether to show a bar on a terminal.
    **settings : int or float
        The other fields of :class:`TrainingSettings`: ``first_steps``, ``beta1``, ``beta2``, ``adam_epsilon``,
        ``test_size``, ``records``, ``snapshots``.

    Returns
    -------
    TrainingRun
        Losses, attention and baselines, and the trained model.

    Raises
    ------
    InvalidArgumentError
        If a setting is out of range, the model does not fit the task, ``checkpoint`` exists and ``resume`` is false,
        the checkpoint belongs to another run or another version of the code, or the source files were edited after
        they were loaded.
    FileFormatError
        If the checkpoint was cut or is no checkpoint.
    TaskError
        If the prior has no transition tensor for a number of parents in the graph.
    TooLargeError
        If a batch would not fit into memory, or the tensors have too many rows.

    Examples
    --------
    >>> from causal_theory import CausalGraph, DirichletPrior, DisentangledTransformer, InContextTask, train_sgd
    >>> task = InContextTask(CausalGraph.chain(8), DirichletPrior(3, 0.1))
    >>> run = train_sgd(task, DisentangledTransformer(8, 3), steps=50, batch_size=64, learning_rate=1.0, rng=0)
    >>> run.status, bool(run.losses[-1] < run.losses[0])
    ('finished', True)
    """
    whole = TrainingSettings.from_dict(
        {
            "steps": steps,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "optimizer": optimizer,
            "schedule": schedule,
            "weight_decay": weight_decay,
            "recipe": recipe,
        }
        | settings
    )
    return train_with_settings(
        task,
        model,
        whole,
        rng=rng,
        checkpoint=checkpoint,
        every=every,
        resume=resume,
        reuse_other_versions=reuse_other_versions,
        progress=progress,
    )


@default_floats
def train_with_settings(
    task: InContextTask,
    model: TrainableModel,
    settings: TrainingSettings,
    *,
    rng: SeedLike = None,
    checkpoint: str | os.PathLike[str] | None = None,
    every: int = 1000,
    resume: bool = False,
    reuse_other_versions: bool = False,
    progress: bool = True,
    label: str = "",
) -> TrainingRun:
    """Run :func:`causal_theory.train_sgd` with its settings in one object.

    Parameters
    ----------
    task : InContextTask
        Where sequences come from, on any graph.
    model : TrainableModel
        The model to start from; it is not changed.
    settings : TrainingSettings
        All that concerns the steps.
    rng : int or Generator, optional
        Source of randomness.
    checkpoint : path, optional
        Where to keep the state of the run.
    every : int
        Steps between checkpoints.
    resume : bool
        Go on from the checkpoint when there is one.
    reuse_other_versions : bool
        Go on from a checkpoint of another version of the code, too.
    progress : bool
        Whether to show a bar on a terminal.
    label : str
        Kept in the checkpoint; a run only goes on under the same one: a place for what else identifies it.

    Returns
    -------
    TrainingRun
        As from :func:`causal_theory.train_sgd`.

    Raises
    ------
    InvalidArgumentError
        If the model does not fit the task, ``checkpoint`` exists and ``resume`` is false, the checkpoint belongs to
        another run or another version of the code, or the source files were edited after they were loaded.
    FileFormatError
        If the checkpoint was cut or is no checkpoint.
    TaskError
        If the prior has no transition tensor for a number of parents in the graph.
    TooLargeError
        If a batch would not fit into memory, or the tensors have too many rows.
    """
    _check_model(task, model, settings)
    path = None if checkpoint is None else Path(checkpoint)
    check_integer("every", every, 1)
    generator = as_generator(rng)
    keys, test_keys = draw_keys(generator), draw_keys(generator)
    heads = np.shape(model.first_attention(np.zeros((1, model.length), dtype=np.int64)))[:1]
    state = TrainingState.start(model, settings, heads[0] if heads else 0, keys, test_keys)
    record: dict[str, Any] = {"versions": []}
    if path is not None:
        check_folder(path)
        streams = {"sequences": keys, "held-out": test_keys}
        record = {"run": describe_run(task, model, settings, label, generator, streams)}
        record["versions"] = [describe_version(task, model)]
        if path.exists():
            if not resume:
                raise InvalidArgumentError(
                    f"checkpoint must be a new file unless resume=True, got {str(path)!r}, which exists"
                )
            _restore(path, record, state, any_stream=rng is None, reuse_other_versions=reuse_other_versions)
    trainer = _Trainer(task, model, settings, state)
    save = None if path is None else lambda: _save(path, record, state)
    with (
        ProgressBar("training", settings.steps, done=state.step, wanted=progress) as bar,
        DeferredInterrupt() as interrupt,
    ):
        diverged_at = trainer.run(bar, interrupt, save, every)
    return trainer.result(diverged_at, describe_versions(record["versions"]))


def _save(path: Path, record: dict[str, Any], state: TrainingState) -> None:
    write_checkpoint(path, record, state.arrays())


def _restore(
    path: Path, record: dict[str, Any], state: TrainingState, *, any_stream: bool, reuse_other_versions: bool
) -> None:
    """Take over state, streams and earlier versions from a checkpoint of the same run."""
    arrays, found = read_checkpoint(path)
    wanted, (version,) = json.loads(json.dumps(record["run"])), record["versions"]
    if any_stream or is_same_stream(wanted["rng"], found["run"]["rng"]):
        wanted["rng"] = found["run"]["rng"]
    earlier = found["versions"]
    check_same_run(
        f"checkpoint {str(path)!r}",
        wanted,
        found["run"],
        (version["package"], version["code"]),
        (earlier[-1]["package"], earlier[-1]["code"]),
        reuse_other_versions=reuse_other_versions,
    )
    for name, value in state.arrays().items():
        own = arrays.get(name)
        if own is None or own.shape != value.shape or own.dtype != value.dtype:
            raise FileFormatError(f"checkpoint must hold {name} of shape {value.shape}, got {str(path)!r}")
    state.restore(arrays)
    record["run"] = found["run"]
    record["versions"] = earlier if earlier[-1] == version else [*earlier, version]


def _check_model(task: InContextTask, model: TrainableModel, settings: TrainingSettings) -> None:
    check_model(model)
    flat: object = model.parameters
    if not isinstance(flat, np.ndarray) or flat.ndim != 1 or flat.dtype != np.float64:
        got = f"{flat.dtype} of shape {flat.shape}" if isinstance(flat, np.ndarray) else type(flat).__name__
        raise InvalidArgumentError(
            f"parameters of model must be a flat array of float64, got {got} from {type(model).__name__}"
        )
    if (model.length, model.vocab_size) != (task.length, task.vocab_size):
        raise InvalidArgumentError(
            f"model must have length {task.length} and vocab_size {task.vocab_size} like the task, got "
            f"{shown(model.length)} and {shown(model.vocab_size)}"
        )
    if settings.recipe == "two_stage" and len(model.groups) != STAGES:
        raise InvalidArgumentError(
            f"recipe must be 'joint' for a model with the matrices {', '.join(model.groups)}, got 'two_stage'"
        )


class _Trainer:
    """The loop, on a state that is valid between any two steps."""

    def __init__(
        self, task: InContextTask, model: TrainableModel, settings: TrainingSettings, state: TrainingState
    ) -> None:
        self._task, self._model, self._settings, self._state = task, model, settings, state
        self._sampler = BatchSampler(task, settings.batch_size, state.keys)
        tokens, targets = BatchSampler(task, settings.test_size, state.test_keys).draw(0)
        self._test = (tokens, targets)
        self.baselines = sample_baselines(task.graph, tokens, targets, task.prior.smoothing)

    def run(self, bar: ProgressBar, interrupt: DeferredInterrupt, save: Callable[[], None] | None, every: int) -> int:
        """Go on to the last step; returns the step that diverged, or -1."""
        state, settings = self._state, self._settings
        compared = "  ".join(f"{name} {self.baselines[name]:.4f}" for name in ("floor", "counts"))
        if state.step == 0:
            self._measure()
        while state.step < settings.steps:
            step = state.step
            tokens, targets = self._sampler.draw(step * settings.batch_size)
            losses, gradient = self._model.gradient_at(state.parameters, tokens, targets)
            self._check("a gradient of the shape", gradient, state.parameters.shape, " of its parameters")
            self._check("losses of the shape", losses, (settings.batch_size,))
            with np.errstate(over="ignore", invalid="ignore"):
                loss = float(losses.mean())
            if not (np.isfinite(loss) and np.isfinite(gradient).all()):
                return step
            before = state.parameters.copy()
            with np.errstate(over="ignore", invalid="ignore"):
                state.optimizer.step(state.parameters, gradient, settings.rate(step), self._active(step))
            if not np.isfinite(state.parameters).all():
                state.parameters[:] = before
                return step
            window = step * len(state.loss_sums) // settings.steps
            state.loss_sums[window] += loss
            state.loss_counts[window] += 1.0
            state.step = step + 1
            if self._snapshot_at(step + 1) > self._snapshot_at(step):
                self._measure()
            bar.update(step + 1, f"loss {loss:.4f}  {compared}")
            due = state.step % every == 0 or state.step == settings.steps or interrupt.pending
            if save is not None and due:
                save()
            if interrupt.pending and state.step < settings.steps:
                interrupt.interrupt()
        return -1

    def _active(self, step: int) -> slice:
        """Return the part of the parameters that the recipe trains at a step."""
        if self._settings.recipe == "joint":
            return slice(None)
        first, second = self._model.groups.values()
        return first if step < self._settings.switch else second

    def _snapshot_at(self, step: int) -> int:
        """Return the number of the last snapshot that is due after some steps; they are spread evenly."""
        return step * (len(self._state.test_losses) - 1) // self._settings.steps

    def _measure(self) -> None:
        state = self._state
        model = self._model.with_parameters(state.parameters)
        tokens, targets = self._test
        losses, attention = model.losses_and_attention(tokens, targets)
        self._check("losses of the shape", losses, (len(tokens),))
        k = self._snapshot_at(state.step)
        with np.errstate(over="ignore", invalid="ignore"):  # the step before a divergence
            state.test_losses[k] = losses.mean()
            state.test_errors[k] = losses.std(ddof=1) / np.sqrt(len(losses))
        self._check("attention of the first layer of the shape", attention, state.attention[k].shape)
        state.attention[k] = attention

    def _check(self, what: str, found: object, shape: tuple[int, ...], of: str = "") -> None:
        """Refuse what a model of the user's own gives when it is no array of this shape."""
        got = found.shape if isinstance(found, np.ndarray) else type(found).__name__
        if got != shape:
            raise InvalidArgumentError(
                f"model must give {what} {shape}{of}, got {got} from {type(self._model).__name__}"
            )

    def result(self, diverged_at: int, versions: tuple[str, ...]) -> TrainingRun:
        """Return the run up to here."""
        state, steps = self._state, self._settings.steps
        windows, snapshots = len(state.loss_sums), len(state.test_losses) - 1
        used = np.flatnonzero(state.loss_counts > 0)
        ends = np.minimum(-(-(np.arange(1, windows + 1) * steps) // windows), state.step)
        taken = np.flatnonzero(np.isfinite(state.test_losses))
        due = -(-(np.arange(snapshots + 1) * steps) // max(snapshots, 1))
        return TrainingRun(
            model=self._model.with_parameters(state.parameters),
            settings=self._settings,
            steps=ends[used].astype(np.int64),
            losses=state.loss_sums[used] / state.loss_counts[used],
            snapshot_steps=due[taken].astype(np.int64),
            test_losses=state.test_losses[taken].copy(),
            test_errors=state.test_errors[taken].copy(),
            attention=state.attention[taken].copy(),
            baselines=self.baselines,
            status="finished" if diverged_at < 0 else "diverged",
            diverged_at=diverged_at,
            graph=self._task.graph,
            versions=versions,
        )
