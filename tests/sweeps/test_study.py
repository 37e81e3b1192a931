"""Studies: what is read from a signature, what is refused, and how values are converted."""

import numpy as np
import pytest

from causal_theory.errors import InvalidArgumentError
from causal_theory.sweeps import Parameter, find_study
from tests.sweeps import studies_for_tests as studies


def refused(call, message):
    with pytest.raises(InvalidArgumentError, match=message):
        call()


class TestFindStudy:
    def test_reads_the_signature(self):
        found = find_study(studies.cheap)
        assert found.name == "cheap"
        assert found.summary == "Draw a few numbers."
        assert found.takes_rng
        assert found.source == "tests.sweeps.studies_for_tests:cheap"
        assert found.parameters == (
            Parameter("number", int, None),
            Parameter("scale", float, 1.0),
            Parameter("label", str, "a"),
            Parameter("flag", bool, False),
        )
        assert repr(found) == "Study(cheap: number: int, scale: float = 1.0, label: str = 'a', flag: bool = False)"
        assert not find_study(studies.trivial).takes_rng

    def test_takes_what_it_returned(self):
        found = find_study(studies.trivial)
        assert find_study(found) is found

    @pytest.mark.parametrize(
        ("study", "message"),
        [
            ("edge-recover", r"study must be one of .*margins.*got 'edge-recover'; did you mean 'edge_recovery'\?"),
            ("", "study must be one of .*, or a function, module:function, got ''"),
            (
                "no_such_module:f",
                "study must be module:function of a module that can be imported, got 'no_such_module:f'",
            ),
            ("tests.sweeps.studies_for_tests:none", "study must be module:function of a module .* has no attribute"),
            (":f", "study must be module:function of a module that can be imported, got ':f'"),
            ("tests.sweeps.studies_for_tests:MESSAGE", "study must be module:function, got .* which is 'number'"),
            (3, "study must be a name or a function, got 3"),
            (np.sum, "study must be a name or a function, got <function sum|module numpy|must be keyword-only"),
            (studies.positional, "parameters of study positional must be keyword-only, got number: int"),
            (studies.unannotated, "of study unannotated must be annotated as int, float, str or bool, got number"),
            (studies.listed, r"must be annotated as int, float, str or bool, got numbers: list\[int\]"),
            (studies.repeated, "parameters of study repeated must not be named like a column, got 'repeat'"),
            (studies.badly_defaulted, "number must be an integer, got 1.5"),
            (studies.outer(), "must be a function that its module .*studies_for_tests holds under its own name, got "),
            (lambda *, number: number, "holds under its own name, got .*<lambda>"),
        ],
    )
    def test_refuses(self, study, message):
        refused(lambda: find_study(study), message)


class TestSettings:
    def test_are_completed_in_the_order_of_the_signature(self):
        found = find_study(studies.cheap).complete({"flag": np.True_, "number": np.int32(3), "scale": 2})
        assert list(found.items()) == [("number", 3), ("scale", 2.0), ("label", "a"), ("flag", True)]
        assert [type(value) for value in found.values()] == [int, float, str, bool]

    def test_have_one_zero(self):
        assert str(find_study(studies.cheap).complete({"number": 1, "scale": -0.0})["scale"]) == "0.0"

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({}, "number must be given for study cheap, got nothing"),
            ({"number": None}, "number must be given for study cheap, got nothing"),
            ({"number": 1.0}, "number must be an integer, got 1.0"),
            ({"number": True}, "number must be an integer, got True"),
            ({"number": "1"}, "number must be an integer, got '1'"),
            ({"number": 1, "scale": "large"}, "scale must be a finite number, got 'large'"),
            ({"number": 1, "scale": np.inf}, "scale must be a finite number, got inf"),
            ({"number": 1, "scale": False}, "scale must be a finite number, got False"),
            ({"number": 1, "label": 2}, "label must be a text, got 2"),
            ({"number": 1, "flag": 1}, "flag must be True or False, got 1"),
            (
                {"number": 1, "scales": 2.0},
                "must be one of number, scale, label, flag, got 'scales'; did you mean 'scale'",
            ),
            ({"number": 1, "rng": 2}, "parameter of study cheap must be one of number, scale, label, flag, got 'rng'"),
        ],
    )
    def test_refuses(self, settings, message):
        refused(lambda: find_study(studies.cheap).complete(settings), message)
