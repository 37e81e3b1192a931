"""Files of certificates: floats are kept, both versions are read, malformed ones are refused in one line."""

import json
import sys
from dataclasses import replace
from fractions import Fraction

import pytest

from causal_theory import CausalGraph, certify_edge_scores, verify_certificate
from causal_theory.certificates import read_certificate, write_certificate
from causal_theory.certificates.files import certificate_from_dict, certificate_to_dict
from causal_theory.errors import FileFormatError, InvalidArgumentError

EXACT = [["1/5", "7/10", "1/10"], ["1/10", "1/2", "2/5"], ["3/5", "1/10", "3/10"]]


PLAIN = [[0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [0.6, 0.1, 0.3]]


MIXED = [["1/5", 0.8], ["3/5", Fraction(2, 5)]]


ODD = [[2**0.5 - 1, 2 - 2**0.5], [0.5, 0.5]]


class TestFilesOfFloats:
    @pytest.mark.parametrize("transition", [PLAIN, MIXED, ODD], ids=["plain", "mixed", "odd"])
    def test_keep_what_was_given(self, tmp_path, transition):
        written = certify_edge_scores(CausalGraph.chain(4), transition, 0.1)
        write_certificate(written, tmp_path / "c.json")
        again = read_certificate(tmp_path / "c.json")
        assert again == written
        assert again.given.epsilon == Fraction(0.1)
        assert verify_certificate(again).valid
        content = json.loads((tmp_path / "c.json").read_text(encoding="utf-8"))
        assert content["format"] == "causal_theory certificate 2"

    def test_of_the_first_version(self):
        """It did not hold the floats: rational ones are read and valid, others are read and cannot be."""
        exact = certificate_to_dict(certify_edge_scores(CausalGraph.chain(4), EXACT, "1/10"))
        assert exact["format"] == "causal_theory certificate 1"
        assert verify_certificate(certificate_from_dict(exact)).valid
        old = certificate_to_dict(certify_edge_scores(CausalGraph.chain(4), PLAIN, "1/10"))
        old["format"] = "causal_theory certificate 1"
        del old["given"]
        found = verify_certificate(certificate_from_dict(old))
        assert found.failures == ("moved: must be None, for the certificate holds no floats that were given",)

    def test_numbers_beyond_the_limit_of_python(self, tmp_path):
        """Seventeen tokens and an epsilon with a denominator of 2**1016 make scores of 5000 digits."""
        written = certify_edge_scores(CausalGraph.chain(16), [[0.3, 0.7], [2**-0.5, 1 - 2**-0.5]], 1e-290)
        longest = max(entry.denominator for row in written.scores for entry in row)
        assert longest > 10 ** sys.get_int_max_str_digits()
        assert "smallest_margin" in repr(written)
        assert repr(written.weakest).startswith("ExactMargin(child=")
        write_certificate(written, tmp_path / "c.json")
        assert read_certificate(tmp_path / "c.json") == written

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ('{"format": "causal_theory certificate 1", "format": "x"}', "keys must be distinct"),
            ('{"format": ["causal_theory certificate 1"]}', "format must be"),
            ('{"format": "\\ud800"}', r"got '\\ud800'"),
            ('{"format": NaN}', "got nan"),
            ("9" * 5000, "not a JSON file"),
            ("[" * 100_000, "not a JSON file"),
            ("null", "an object, got NoneType"),
        ],
    )
    def test_bad_text(self, tmp_path, text, words):
        (tmp_path / "c.json").write_text(text, encoding="utf-8")
        with pytest.raises(FileFormatError, match=words) as caught:
            read_certificate(tmp_path / "c.json")
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda c: c.update(given=None), "given must have transition and epsilon, got None"),
            (lambda c: c["given"].update(more=1), "given must have transition and epsilon"),
            (lambda c: c["given"].update(transition=3), r"given\.transition must be a list of rows or null, got 3"),
            (lambda c: c["given"].update(epsilon=0.1), r"given\.epsilon must be a fraction like '7/10', got 0\.1"),
            (lambda c: c["given"]["transition"][1].__setitem__(0, "1/0"), r"given\.transition\[1\]\[0\] must be"),
            (lambda c: c.update(epsilon="1e999999999"), "epsilon must be a fraction"),
            (lambda c: c.update(epsilon="9" * 2_000_000), "epsilon must be a fraction like '7/10', got '999"),
            (
                lambda c: c.update(parents=[-1, [], 1]),
                r"parents must be a list of integers, -1 for a root, got \[-1, \[\], 1\]",
            ),
        ],
    )
    def test_malformed(self, change, words):
        content = certificate_to_dict(certify_edge_scores(CausalGraph.chain(4), PLAIN, "1/10"))
        change(content)
        with pytest.raises(FileFormatError, match=words) as caught:
            certificate_from_dict(content)
        assert len(str(caught.value)) < 300

    def test_of_any_depth(self, tmp_path):
        """Reading and showing fail at different depths of nesting."""
        content = json.dumps(certificate_to_dict(certify_edge_scores(CausalGraph.chain(4), PLAIN, "1/10")))
        for depth in range(1, 1100, 7):
            text = content.replace('"moved": "', f'"moved": {"[" * depth}{"]" * depth}, "epsilon": "')
            (tmp_path / "c.json").write_text(
                content.replace('"given": {', f'"given": {{"x": {"[" * depth}{"]" * depth}, ', 1)
                if depth % 2
                else text,
                encoding="utf-8",
            )
            with pytest.raises(FileFormatError):
                read_certificate(tmp_path / "c.json")

    def test_what_is_no_certificate_is_not_written(self, tmp_path):
        certificate = certify_edge_scores(CausalGraph.chain(4), EXACT, "1/10")
        several = replace(certificate, graph=CausalGraph([(), (0,), (1, 0), ()]))
        with pytest.raises(
            InvalidArgumentError, match="certificate must have the form of one, got graph: must be a forest"
        ):
            write_certificate(several, tmp_path / "c.json")
        assert list(tmp_path.iterdir()) == []
