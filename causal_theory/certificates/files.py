"""Certificates as JSON files: every number a fraction in text, nothing rounded."""

import json
import os
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from causal_theory.certificates.certificate import Certificate, ExactMargin, Triangle, freeze
from causal_theory.errors import CausalTheoryError, FileFormatError
from causal_theory.graphs import CausalGraph
from causal_theory.graphs.files import write_text_atomically

__all__ = ["certificate_from_dict", "certificate_to_dict", "read_certificate", "write_certificate"]

FORMAT = "causal_theory certificate 1"
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


def certificate_to_dict(certificate: Certificate) -> dict[str, Any]:
    """Return what the JSON file of a certificate holds; fractions are strings like ``"7/10"``.

    Parameters
    ----------
    certificate : Certificate

    Returns
    -------
    dict

    Examples
    --------
    >>> from causal_theory import CausalGraph, certify_edge_scores
    >>> certificate = certify_edge_scores(CausalGraph.chain(3), [["1/4", "3/4"], ["3/4", "1/4"]], "1/9")
    >>> content = certificate_to_dict(certificate)
    >>> content["parents"], content["transition"], content["holds"]
    ([-1, 0], [['1/4', '3/4'], ['3/4', '1/4']], True)
    """
    limit = certificate.limit_scores
    return {
        "format": FORMAT,
        "parents": [entry[0] if entry else -1 for entry in certificate.graph.parents[:-1]],
        "transition": _text(certificate.transition),
        "epsilon": str(certificate.epsilon),
        "root_law": certificate.root_law,
        "moved": None if certificate.moved is None else str(certificate.moved),
        "scores": _text(certificate.scores),
        "limit_scores": None if limit is None else _text(limit),
        "information": _text(certificate.information),
        "margins": [
            {"child": one.child, "parent": one.parent, "rival": one.rival, "margin": str(one.margin)}
            for one in certificate.margins
        ],
        "holds": certificate.holds,
    }


def _text(rows: Triangle) -> list[list[str]]:
    return [[str(entry) for entry in row] for row in rows]


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
    OutputError
        If the file cannot be written.
    """
    write_text_atomically(Path(path), json.dumps(certificate_to_dict(certificate), indent=1) + "\n")


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
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise FileFormatError(f"cannot read {path}: {error.strerror or error}") from error
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise FileFormatError(f"{path}: not a JSON file: {error}") from error
    try:
        return certificate_from_dict(content)
    except FileFormatError as error:
        raise FileFormatError(f"{path}: {error}") from error


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
    if content.get("format") != FORMAT:
        raise FileFormatError(f"format must be {FORMAT!r}, got {content.get('format')!r}")
    missing, unknown = [k for k in FIELDS if k not in content], [k for k in content if k not in FIELDS]
    if missing or unknown:
        raise FileFormatError(f"fields must be {', '.join(FIELDS)}; missing {missing}, unknown {unknown}")
    graph = _graph(content["parents"])
    transition = _rows("transition", content["transition"])
    size = len(transition)
    if size < 2 or any(len(row) != size for row in transition):
        raise FileFormatError("transition must be a square matrix with at least 2 symbols")
    root_law = content["root_law"]
    if root_law not in ("stationary", "uniform"):
        raise FileFormatError(f"root_law must be 'stationary' or 'uniform', got {root_law!r}")
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
    )
    if content["holds"] is not certificate.holds:
        raise FileFormatError(f"holds must agree with the margins, {certificate.holds}, got {content['holds']!r}")
    return certificate


def _graph(parents: object) -> CausalGraph:
    try:
        return CausalGraph.from_parents(parents)  # type: ignore[arg-type]
    except CausalTheoryError as error:
        raise FileFormatError(str(error)) from error


def _fraction(name: str, value: object) -> Fraction:
    try:
        if isinstance(value, str):
            return Fraction(value)
    except (ValueError, ZeroDivisionError):
        pass
    raise FileFormatError(f"{name} must be a fraction like '7/10', got {value!r}")


def _rows(name: str, value: object) -> Triangle:
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(row, list) for row in value):
        raise FileFormatError(f"{name} must be a list of rows, got {value!r}")
    return freeze(
        [[_fraction(f"{name}[{i}][{j}]", entry) for j, entry in enumerate(row)] for i, row in enumerate(value)]
    )


def _triangle(name: str, value: object, length: int, more: int) -> Triangle:
    rows = _rows(name, value)
    if [len(row) for row in rows] != [i + more for i in range(length)]:
        raise FileFormatError(f"{name} must have rows of {more}, {more + 1}, ... entries for {length} positions")
    return rows


def _margins(value: object) -> tuple[ExactMargin, ...]:
    if not isinstance(value, list):
        raise FileFormatError(f"margins must be a list, got {value!r}")
    found = []
    for k, entry in enumerate(value):
        if not isinstance(entry, Mapping) or set(entry) != {"child", "parent", "rival", "margin"}:
            raise FileFormatError(f"margins[{k}] must have child, parent, rival and margin, got {entry!r}")
        child, parent, rival = (entry[name] for name in ("child", "parent", "rival"))
        if any(type(place) is not int for place in (child, parent, rival)):
            raise FileFormatError(f"margins[{k}] must have integers for child, parent and rival, got {entry!r}")
        found.append(ExactMargin(child, parent, rival, _fraction(f"margins[{k}].margin", entry["margin"])))
    return tuple(found)
