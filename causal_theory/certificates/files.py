"""Certificates as JSON files: every number a fraction in text, nothing rounded.

Files of version 1 hold no ``given``. A certificate of rational numbers is written as version 1, and one of floats as
version 2. In a file of version 1 written from floats, how far they were moved cannot be checked: it is read as it is,
and is not valid.
"""

import json
import os
import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from causal_theory.certificates.certificate import Certificate, ExactMargin, GivenNumbers, Triangle, freeze
from causal_theory.certificates.form import malformed
from causal_theory.certificates.rationals import fraction_text
from causal_theory.errors import CausalTheoryError, FileFormatError, InvalidArgumentError
from causal_theory.files import write_text
from causal_theory.graphs import CausalGraph
from causal_theory.graphs.formats.native import unique_keys

FORMATS = ("causal_theory certificate 1", "causal_theory certificate 2")
FIELDS = (
    "format",
    "parents",
    "transition",
    "epsilon",
    "root_law",
    "moved",
    "scores",
    "limit_scores",
    "information",
    "margins",
    "holds",
)
MOST_DIGITS = 1_000_000
"""Longest number that is read: far beyond any that can be certified, and a matter of seconds."""

DIGITS = re.compile(r"(-?[0-9]+)(?:/([0-9]+))?")


def certificate_to_dict(certificate: Certificate) -> dict[str, Any]:
    """Return what the JSON file of a certificate holds; fractions are strings like ``"7/10"``.

    Parameters
    ----------
    certificate : Certificate

    Returns
    -------
    dict

    Raises
    ------
    InvalidArgumentError
        If a field cannot be that of a certificate; the message names it.

    Examples
    --------
    >>> from causal_theory import CausalGraph, certify_edge_scores
    >>> certificate = certify_edge_scores(CausalGraph.chain(3), [["1/4", "3/4"], ["3/4", "1/4"]], "1/9")
    >>> content = certificate_to_dict(certificate)
    >>> content["parents"], content["transition"], content["holds"]
    ([-1, 0], [['1/4', '3/4'], ['3/4', '1/4']], True)
    """
    problem = next(malformed(certificate), None)
    if problem is not None:
        raise InvalidArgumentError(f"certificate must have the form of one, got {problem}")
    limit, given = certificate.limit_scores, certificate.given
    return {
        "format": FORMATS[given is not None],
        "parents": [entry[0] if entry else -1 for entry in certificate.graph.parents[:-1]],
        "transition": _text(certificate.transition),
        "epsilon": fraction_text(certificate.epsilon),
        "root_law": certificate.root_law,
        "moved": None if certificate.moved is None else fraction_text(certificate.moved),
        "scores": _text(certificate.scores),
        "limit_scores": None if limit is None else _text(limit),
        "information": _text(certificate.information),
        "margins": [
            {"child": one.child, "parent": one.parent, "rival": one.rival, "margin": fraction_text(one.margin)}
            for one in certificate.margins
        ],
        "holds": certificate.holds,
    } | ({} if given is None else {"given": _given_text(given)})


def _text(rows: Triangle) -> list[list[str]]:
    return [[fraction_text(entry) for entry in row] for row in rows]


def _given_text(given: GivenNumbers) -> dict[str, Any]:
    """Return the floats that were given, at their exact values; null stands for what was rational."""
    rows = given.transition
    return {
        "transition": None
        if rows is None
        else [[None if entry is None else fraction_text(entry) for entry in row] for row in rows],
        "epsilon": None if given.epsilon is None else fraction_text(given.epsilon),
    }


def write_certificate(certificate: Certificate, path: str | os.PathLike[str]) -> None:
    """Write a certificate to a JSON file, whole or not at all.

    Parameters
    ----------
    certificate : Certificate
        What to write.
    path : path
        An existing file is replaced.

    Raises
    ------
    InvalidArgumentError
        If a field cannot be that of a certificate; the message names it.
    OutputError
        If the file cannot be written.
    """
    write_text(Path(path), json.dumps(certificate_to_dict(certificate), indent=1) + "\n")


def read_certificate(path: str | os.PathLike[str]) -> Certificate:
    """Read a certificate from a JSON file, as it is: whether its numbers are true is for ``verify_certificate`` to say.

    Parameters
    ----------
    path : path
        A file written by :func:`write_certificate`.

    Returns
    -------
    Certificate
        What the file says.

    Raises
    ------
    FileFormatError
        If the file cannot be read or a field is missing, unknown or malformed; the message names it.
    """
    name = str(path)
    shown = name if name.isprintable() else repr(name)
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"), object_pairs_hook=unique_keys)
    except OSError as error:
        raise FileFormatError(f"cannot read {shown}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{shown}: not a JSON file: {error}") from error
    try:
        return certificate_from_dict(content)
    except FileFormatError as error:
        raise FileFormatError(f"{shown}: {error}") from error
    except RecursionError as error:  # JSON may be nested as deeply as Python can read, but not show
        raise FileFormatError(f"{shown}: must not be nested that deeply") from error


def certificate_from_dict(content: object) -> Certificate:
    """Return the certificate that a JSON file holds, with every field checked for its form.

    Parameters
    ----------
    content : dict
        As :func:`certificate_to_dict` returns it.

    Returns
    -------
    Certificate

    Raises
    ------
    FileFormatError
        If a field is missing, unknown or malformed; the message names it.
    """
    if not isinstance(content, Mapping):
        raise FileFormatError(f"a certificate must be an object, got {type(content).__name__}")
    version = content.get("format")
    if not isinstance(version, str) or version not in FORMATS:
        raise FileFormatError(f"format must be {FORMATS[0]!r} or {FORMATS[1]!r}, got {_shown(version)}")
    fields = FIELDS if version == FORMATS[0] else (*FIELDS, "given")
    missing, unknown = [k for k in fields if k not in content], [k for k in content if k not in fields]
    if missing or unknown:
        raise FileFormatError(
            f"fields must be {', '.join(fields)}; missing {_shown(missing)}, unknown {_shown(unknown)}"
        )
    graph = _graph(content["parents"])
    transition = _rows("transition", content["transition"])
    size = len(transition)
    if size < 2 or any(len(row) != size for row in transition):
        raise FileFormatError("transition must be a square matrix with at least 2 symbols")
    root_law = content["root_law"]
    if root_law not in ("stationary", "uniform"):
        raise FileFormatError(f"root_law must be 'stationary' or 'uniform', got {_shown(root_law)}")
    limit = content["limit_scores"]
    if (limit is None) != (root_law == "uniform"):
        raise FileFormatError("limit_scores must be given with stationary roots, and null with uniform ones")
    certificate = Certificate(
        graph=graph,
        transition=transition,
        epsilon=_fraction("epsilon", content["epsilon"]),
        root_law=root_law,
        moved=None if content["moved"] is None else _fraction("moved", content["moved"]),
        scores=_triangle("scores", content["scores"], graph.length, 1),
        limit_scores=None if limit is None else _triangle("limit_scores", limit, graph.length, 1),
        information=_triangle("information", content["information"], graph.length, 0),
        margins=_margins(content["margins"]),
        given=_given(content["given"]) if "given" in fields else None,
    )
    if content["holds"] is not certificate.holds:
        raise FileFormatError(f"holds must agree with the margins, {certificate.holds}, got {_shown(content['holds'])}")
    return certificate


def _graph(parents: object) -> CausalGraph:
    if not isinstance(parents, list) or any(type(entry) is not int for entry in parents):
        raise FileFormatError(f"parents must be a list of integers, -1 for a root, got {_shown(parents)}")
    try:
        return CausalGraph.from_parents(parents)
    except CausalTheoryError as error:
        raise FileFormatError(str(error)) from error


def _shown(value: object) -> str:
    """Return what a file holds, cut to a length that can be read."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _fraction(name: str, value: object) -> Fraction:
    found = DIGITS.fullmatch(value) if isinstance(value, str) else None
    parts = found.groups(default="1") if found and len(found[0]) <= MOST_DIGITS else ("0", "0")
    over, under = (int(Decimal(part)) for part in parts)
    if not under:
        raise FileFormatError(f"{name} must be a fraction like '7/10', got {_shown(value)}")
    return Fraction(over, under)


def _rows(name: str, value: object) -> Triangle:
    if not isinstance(value, list) or not all(isinstance(row, list) for row in value):
        raise FileFormatError(f"{name} must be a list of rows, got {_shown(value)}")
    return freeze(
        [[_fraction(f"{name}[{i}][{j}]", entry) for j, entry in enumerate(row)] for i, row in enumerate(value)]
    )


def _given(value: object) -> GivenNumbers:
    if not isinstance(value, Mapping) or set(value) != {"transition", "epsilon"}:
        raise FileFormatError(f"given must have transition and epsilon, got {_shown(value)}")
    rows, step = value["transition"], value["epsilon"]
    if rows is not None and not (isinstance(rows, list) and all(isinstance(row, list) for row in rows)):
        raise FileFormatError(f"given.transition must be a list of rows or null, got {_shown(rows)}")
    return GivenNumbers(
        None
        if rows is None
        else tuple(
            tuple(
                None if entry is None else _fraction(f"given.transition[{a}][{b}]", entry)
                for b, entry in enumerate(row)
            )
            for a, row in enumerate(rows)
        ),
        None if step is None else _fraction("given.epsilon", step),
    )


def _triangle(name: str, value: object, length: int, more: int) -> Triangle:
    rows = _rows(name, value)
    if [len(row) for row in rows] != [i + more for i in range(length)]:
        raise FileFormatError(f"{name} must have rows of {more}, {more + 1}, ... entries for {length} positions")
    return rows


def _margins(value: object) -> tuple[ExactMargin, ...]:
    if not isinstance(value, list):
        raise FileFormatError(f"margins must be a list, got {_shown(value)}")
    found = []
    for k, entry in enumerate(value):
        if not isinstance(entry, Mapping) or set(entry) != {"child", "parent", "rival", "margin"}:
            raise FileFormatError(f"margins[{k}] must have child, parent, rival and margin, got {_shown(entry)}")
        child, parent, rival = (entry[name] for name in ("child", "parent", "rival"))
        if any(type(place) is not int for place in (child, parent, rival)):
            raise FileFormatError(f"margins[{k}] must have integers for child, parent and rival, got {_shown(entry)}")
        found.append(ExactMargin(child, parent, rival, _fraction(f"margins[{k}].margin", entry["margin"])))
    return tuple(found)
