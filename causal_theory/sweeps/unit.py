"""A unit of work: one evaluation of a study, named by a digest of everything that determines its result."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from causal_theory.choices import is_address
from causal_theory.sweeps.study import Scalar

KEY_WORDS = 8


def canonical_json(content: object) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, floats so that they read back exactly.

    Examples
    --------
    >>> canonical_json({"length": 12, "epsilon": 0.1})
    '{"epsilon":0.1,"length":12}'
    """
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class Unit:
    """One evaluation of a study.

    The generator that it is given is a child of the sweep's seed in the sense of
    ``numpy.random.SeedSequence.spawn``, whose number is the key of the unit instead of a count. It therefore
    depends neither on which process runs the unit and when, nor on what else is in the grid.

    Attributes
    ----------
    study : str
        Name of the study.
    settings : mapping
        A value for every parameter.
    repeat : int
        Which of several evaluations with these settings.
    entropy : int
        The seed of the sweep.
    key : str
        SHA-256 of the four above, 64 hexadecimal digits.

    Examples
    --------
    >>> unit = Unit.of("edge_recovery", {"length": 12}, repeat=0, entropy=0)
    >>> unit.key[:12]
    '9221cd1067d4'
    >>> bool(unit.generator().random() == unit.generator().random())
    True
    """

    study: str
    settings: Mapping[str, Scalar]
    repeat: int
    entropy: int
    key: str

    @classmethod
    def of(cls, study: str, settings: Mapping[str, Scalar], *, repeat: int, entropy: int) -> "Unit":
        """Return the unit with its key.

        Parameters
        ----------
        study : str
            Name of the study.
        settings : mapping
            A value for every parameter.
        repeat : int
            Which of several evaluations with these settings.
        entropy : int
            The seed of the sweep.

        Returns
        -------
        Unit
            Named by the four.
        """
        content = canonical_json([study, settings, repeat, entropy])
        return cls(study, settings, repeat, entropy, hashlib.sha256(content.encode()).hexdigest())

    @property
    def modules(self) -> tuple[str, ...]:
        """Modules that its settings name, as ``module:name``: a prior, a graph or a model of the user's own.

        >>> Unit.of("edge_recovery", {"prior": "my_priors:Mixture", "graph": "chain"}, repeat=0, entropy=0).modules
        ('my_priors',)
        """
        texts = [value for value in self.settings.values() if isinstance(value, str) and is_address(value)]
        return tuple(sorted({value.partition(":")[0] for value in texts}))

    def generator(self) -> np.random.Generator:
        """Return a new generator in the state in which the study is given it.

        Returns
        -------
        numpy.random.Generator
            The same one from every call.
        """
        words = np.frombuffer(bytes.fromhex(self.key), dtype=">u4")
        return np.random.default_rng(np.random.SeedSequence(self.entropy, spawn_key=tuple(map(int, words))))
