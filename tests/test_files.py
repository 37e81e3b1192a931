"""Files appear whole under their name or not at all: links, permissions, failures, for one file and for several."""

import os
import stat

import pytest

from causal_theory.errors import OutputError
from causal_theory.files import check_target, new_files, write_bytes, write_files, write_text


@pytest.fixture
def umask():
    before = os.umask(0o027)
    yield
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def half(file):
    file.write(b"half")
    raise OSError(28, "No space left on device")


def test_a_new_file_gets_the_permissions_of_the_umask(tmp_path, umask):
    write_text(tmp_path / "new", "é")
    assert (tmp_path / "new").read_bytes() == b"\xc3\xa9"
    assert mode(tmp_path / "new") == 0o640


def test_an_old_file_keeps_its_permissions_and_is_private_meanwhile(tmp_path, umask):
    path = tmp_path / "old"
    path.touch()
    path.chmod(0o604)
    seen = []
    write_files("out", [(path, lambda file: seen.append(stat.S_IMODE(os.fstat(file.fileno()).st_mode)))])
    assert seen == [0o600]
    assert mode(path) == 0o604


@pytest.mark.parametrize("exists", [True, False])
def test_links_are_written_through(tmp_path, exists):
    (tmp_path / "folder").mkdir()
    target = tmp_path / "folder" / "target"
    if exists:
        target.write_text("before")
    (tmp_path / "one").symlink_to(target)
    (tmp_path / "two").symlink_to("one")
    write_text(tmp_path / "two", "after")
    assert target.read_text() == "after"
    assert (tmp_path / "two").is_symlink()
    assert os.listdir(tmp_path / "folder") == ["target"]


def test_content_reaches_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    order = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (order.append("sync"), sync(handle)))
    monkeypatch.setattr(os, "replace", lambda a, b: (order.append("name"), replace(a, b)))
    write_files("out", [(tmp_path / name, lambda file: file.write(b"x")) for name in "ab"])
    assert order == ["sync", "sync", "name", "name"]


def test_when_one_fails_none_appears(tmp_path):
    (tmp_path / "a").write_text("before")
    with pytest.raises(OutputError, match=r"csv must be a file that can be written, got '.*/b': No space left on dev"):
        write_files("csv", [(tmp_path / "a", lambda file: file.write(b"after")), (tmp_path / "b", half)])
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "before"


@pytest.mark.parametrize("fault", [KeyboardInterrupt, ValueError])
def test_what_the_block_raises_passes_and_leaves_nothing(tmp_path, fault):
    def compute(names):
        assert sorted(map(os.path.basename, names)) == sorted(os.listdir(tmp_path))
        raise fault

    with pytest.raises(fault), new_files("out", [tmp_path / "a", tmp_path / "b"]) as names:
        compute(names)
    assert os.listdir(tmp_path) == []


def test_the_first_of_several_is_renamed_last(tmp_path, monkeypatch):
    order = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (order.append(os.path.basename(b)), replace(a, b)))
    with new_files("out", [tmp_path / "value", tmp_path / "error"]):
        pass
    assert order == ["error", "value"]


BAD = {
    "missing folder": ("none/x", "No such file"),
    "folder": ("folder", "it is a folder"),
    "pipe": ("pipe", "it is a device"),
    "link to a pipe": ("link", "it is a device"),
    "loop": ("loop", "Too many levels of symbolic links"),
    "below a file": ("file/x", "Not a directory"),
    "null": ("a\0b", "null"),
    "too long": ("x" * 300, "File name too long"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_written_is_refused_in_one_line(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    (tmp_path / "loop").symlink_to("loop")
    before = sorted(os.listdir(tmp_path))
    path, reason = BAD[name]
    with pytest.raises(OutputError, match=f"out must be a file that can be written, got .*: .*{reason}") as caught:
        write_bytes("out", f"{tmp_path}/{path}", b"x")
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ValueError)
    with pytest.raises(OutputError, match="out must be "):
        check_target("out", f"{tmp_path}/{path}")
    assert sorted(os.listdir(tmp_path)) == before
    assert (tmp_path / "pipe").is_fifo()


def test_text_that_is_no_unicode(tmp_path):
    with pytest.raises(OutputError, match=r"path must be a file that can be written, got .*surrogates not allowed"):
        write_text(tmp_path / "a", "\udcff")
    assert os.listdir(tmp_path) == []


def test_names_of_any_length_that_the_system_takes(tmp_path):
    name = "é" * 127
    assert check_target("out", tmp_path / name) == str(tmp_path / name)
    write_text(tmp_path / name, "x")
    assert os.listdir(tmp_path) == [name]
