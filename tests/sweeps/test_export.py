"""Tables and the files made of them: every number comes back, files appear whole or not at all."""

import csv
import os

import numpy as np
import pytest

from causal_theory.errors import InvalidArgumentError, OutputError
from causal_theory.sweeps import SweepTable, read_store, sweep
from causal_theory.sweeps.table import _column
from tests.sweeps import studies_for_tests as studies


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "results.sqlite"
    sweep(studies.cheap, {"number": [10, 9], "flag": [False, True]}, store=path, processes=0)
    return path


@pytest.fixture
def table(path):
    return read_store(path)


class TestTable:
    def test_data_frames_hold_texts_that_cannot_be_encoded(self):
        pytest.importorskip("pandas")
        columns = {"number": np.arange(2), "name": np.array(["a\udcff", "b"], dtype=object)}
        frame = SweepTable("names", ("number",), columns).to_pandas()
        assert frame["name"].tolist() == ["a\udcff", "b"]
        assert frame["number"].tolist() == [0, 1]

    def test_has_parameters_then_results(self, table):
        assert list(table) == [
            *("number", "scale", "label", "flag", "repeat"),
            *("total", "square", "even", "name", "undefined", "draws"),
        ]
        assert table.parameters == ("number", "scale", "label", "flag")
        assert len(table) == 4
        kinds = {name: table[name].dtype.kind for name in table}
        assert kinds == dict(zip(table, "ifObifibOff", strict=True))
        assert table["number"].tolist() == [9, 9, 10, 10]
        assert table["flag"].tolist() == [False, True, False, True]
        assert repr(table).startswith("SweepTable(cheap: 4 rows, columns number, scale")

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ([1, 2], np.array([1, 2])),
            ([1, None], np.array([1.0, np.nan])),
            ([1, 0.5], np.array([1.0, 0.5])),
            ([2**53 + 1, 0.5], np.array([2**53 + 1, 0.5], dtype=object)),
            ([2**80, 1], np.array([2**80, 1], dtype=object)),
            ([True, None], np.array([True, None], dtype=object)),
            ([True, 1], np.array([True, 1], dtype=object)),
            (["a", "bc"], np.array(["a", "bc"], dtype=object)),
            ([np.zeros(2), np.ones(2)], np.array([[0.0, 0.0], [1.0, 1.0]])),
            ([None, None], np.array([None, None], dtype=object)),
            ([], np.array([], dtype=object)),
        ],
    )
    def test_columns_hold_values_as_they_are(self, values, expected):
        column = _column(values)
        assert column.dtype == expected.dtype
        np.testing.assert_array_equal(column, expected)

    def test_arrays_of_different_shapes_are_objects(self):
        column = _column([np.zeros(2), np.ones((3, 1)), None])
        assert column.shape == (3,)
        assert [getattr(value, "shape", None) for value in column] == [(2,), (3, 1), None]

    def test_tells_seeds_apart_where_there_are_several(self, tmp_path):
        for seed in (0, 2**70):
            sweep(studies.cheap, {"number": [1]}, store=tmp_path / "a.sqlite", processes=0, rng=seed)
        assert read_store(tmp_path / "a.sqlite")["seed"].tolist() == [0, 2**70]

    def test_refuses_unknown_columns_and_studies(self, table, path, tmp_path):
        with pytest.raises(InvalidArgumentError, match=r"column must be one of number, .*, got 'lenght'"):
            table["lenght"]
        with pytest.raises(
            InvalidArgumentError, match="study must be one of cheap, which the store holds, got 'waits'"
        ):
            read_store(path, study="waits")
        for study in (studies.cheap, studies.returns_list):
            sweep(study, {"number": [1]}, store=tmp_path / "two.sqlite", processes=0)
        with pytest.raises(InvalidArgumentError, match=r"must be one of cheap, returns_list, which .* got none"):
            read_store(tmp_path / "two.sqlite")
        assert len(read_store(tmp_path / "two.sqlite", study="returns-list").failures) == 1

    def test_is_told_in_a_notebook(self, table):
        markup = table._repr_html_()
        assert "Sweep of cheap: 4 rows" in markup
        assert "draws" not in markup


class TestFiles:
    def test_csv_holds_every_number(self, table, tmp_path):
        table.export_csv(tmp_path / "a.csv")
        with open(tmp_path / "a.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert list(rows[0]) == [name for name in table if name != "draws"]
        assert [float(row["total"]) for row in rows] == table["total"].tolist()
        assert [row["undefined"] for row in rows] == ["-inf", "nan", "-inf", "nan"]
        assert [row["flag"] for row in rows] == ["False", "True", "False", "True"]

    def test_parquet_holds_everything(self, table, tmp_path):
        parquet = pytest.importorskip("pyarrow.parquet")
        table.export_parquet(tmp_path / "a.parquet")
        back = parquet.read_table(tmp_path / "a.parquet").to_pydict()
        assert list(back) == list(table)
        assert back["total"] == table["total"].tolist()
        assert back["draws"] == table["draws"].tolist()
        assert back["name"] == ["aa"] * 4
        assert back["even"] == [False, False, True, True]
        assert np.isnan(back["undefined"][1])

    def test_parquet_holds_arrays_of_different_shapes(self, tmp_path):
        parquet = pytest.importorskip("pyarrow.parquet")
        SweepTable("s", (), {"a": _column([np.zeros(1), np.ones(3), None])}).export_parquet(tmp_path / "a.parquet")
        assert parquet.read_table(tmp_path / "a.parquet").to_pydict() == {"a": [[0.0], [1.0, 1.0, 1.0], None]}

    @pytest.mark.parametrize(
        ("values", "kind", "expected"),
        [
            ([True, float("nan")], "string", ["True", "nan"]),
            ([True, None], "bool", [True, None]),
            ([True, 1], "string", ["True", "1"]),
            ([False, 0.5, None], "string", ["False", "0.5", None]),
            ([2**53 + 1, 0.5], "string", ["9007199254740993", "0.5"]),
            ([2**63 + 1, 1], "string", ["9223372036854775809", "1"]),
            ([2**80, None], "string", ["1208925819614629174706176", None]),
            ([2**63 - 1, None], "int64", [2**63 - 1, None]),
            ([0.1, 2**70], "string", ["0.1", "1180591620717411303424"]),
            (["a", 1, True, float("-inf")], "string", ["a", "1", "True", "-inf"]),
            (["a\udcff", "b"], "string", ["a\\udcff", "b"]),
            ([np.zeros(2), np.ones((1, 1))], "string", ["[0.0, 0.0]", "[[1.0]]"]),
            ([np.array([2**53 + 1]), np.array([0.5])], "string", ["[9007199254740993]", "[0.5]"]),
            ([np.array([True]), np.array([0.5])], "string", ["[true]", "[0.5]"]),
            ([np.array([1]), 2], "string", ["[1]", "2"]),
            ([np.array([2**64 - 1], dtype=np.uint64)] * 2, "string", ["[18446744073709551615]"] * 2),
            ([np.array([np.nan]), np.array([1.0, 2.0]), None], "list<item: double>", "[[nan], [1.0, 2.0], None]"),
        ],
    )
    def test_parquet_holds_mixed_columns_to_the_last_digit(self, tmp_path, values, kind, expected):
        parquet = pytest.importorskip("pyarrow.parquet")
        SweepTable("s", (), {"a": _column(values)}).export_parquet(tmp_path / "a.parquet")
        back = parquet.read_table(tmp_path / "a.parquet")
        assert str(back.schema.field("a").type).replace("element", "item") == kind
        found = back.to_pydict()["a"]
        assert (str(found) if isinstance(expected, str) else found) == expected

    @pytest.mark.parametrize("value", [b"a", {1}, 1j, np.array([1j]), np.ones(2, dtype=np.longdouble) / 3])
    def test_parquet_refuses_the_rest_by_the_name_of_the_column(self, tmp_path, value):
        pytest.importorskip("pyarrow")
        path = tmp_path / "a.parquet"
        path.write_bytes(b"precious")
        table = SweepTable("s", (), {"number": np.arange(2), "odd": _column([value, 0.5])})
        with pytest.raises(OutputError, match="column odd must hold numbers, truth values, texts or arrays") as caught:
            table.export_parquet(path)
        assert "\n" not in str(caught.value)
        assert path.read_bytes() == b"precious"
        assert [file.name for file in tmp_path.iterdir()] == ["a.parquet"]

    def test_mixed_columns_of_a_store_keep_their_digits_everywhere(self, tmp_path):
        pytest.importorskip("pandas")
        values = [True, float("nan"), 2**63 + 1, 0.1, "a\udcff"]
        table = SweepTable("s", (), {"a": _column(values)})
        assert [repr(value) for value in table.to_pandas()["a"]] == [repr(value) for value in values]
        table.export_csv(tmp_path / "a.csv")
        expected = ["a", "True", "nan", "9223372036854775809", "0.1", "a\\udcff"]
        assert (tmp_path / "a.csv").read_text(encoding="utf-8").splitlines() == expected

    def test_data_frame_has_the_columns(self, table):
        pytest.importorskip("pandas")
        frame = table.to_pandas()
        assert list(frame) == list(table)
        assert frame["total"].tolist() == table["total"].tolist()
        np.testing.assert_array_equal(np.stack(frame["draws"]), table["draws"])

    @pytest.mark.parametrize("export", [SweepTable.export_csv, SweepTable.export_parquet])
    def test_that_cannot_be_written_are_refused(self, table, tmp_path, export):
        with pytest.raises(OutputError, match=r"output must be a file that can be written, got .*missing"):
            export(table, tmp_path / "missing" / "a")
        (tmp_path / "folder").mkdir()
        with pytest.raises(OutputError, match="output must be a file that can be written"):
            export(table, tmp_path / "folder")
        assert [file.name for file in tmp_path.iterdir()] == ["folder"]

    def test_are_replaced_with_their_permissions(self, table, tmp_path):
        file = tmp_path / "a.csv"
        file.write_text("before", encoding="utf-8")
        os.chmod(file, 0o640)
        table.export_csv(file)
        assert file.stat().st_mode & 0o777 == 0o640
        assert file.read_text(encoding="utf-8").startswith("number,")
