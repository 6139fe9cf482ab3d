"""Files are written all or none, and never over what is there."""

from __future__ import annotations

from pathlib import Path

import pytest
from vlmhb.errors import ExportRefused
from vlmhb.exporting import Export, File, write
from vlmhb.exporting.target import file_name

TWO = Export(files=(File(name="a/one.txt", data=b"1"), File(name="a/two.txt", data=b"2")))


def test_nothing_is_written_where_anything_would_be_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "two.txt").write_bytes(b"mine")
    with pytest.raises(ExportRefused, match=r"two\.txt would be overwritten.*--force"):
        write(TWO, tmp_path, force=False)
    assert not (tmp_path / "a" / "one.txt").exists() and (tmp_path / "a" / "two.txt").read_bytes() == b"mine"
    assert write(TWO, tmp_path, force=True) == [tmp_path / "a" / "one.txt", tmp_path / "a" / "two.txt"]
    assert (tmp_path / "a" / "two.txt").read_bytes() == b"2"
    with pytest.raises(ExportRefused, match="and 1 more"):
        write(TWO, tmp_path, force=False)


def test_two_evaluations_of_one_name_are_exported_one_by_one(tmp_path: Path) -> None:
    same = File(name="x", data=b"")
    with pytest.raises(ExportRefused, match="one at a time"):
        write(Export(files=(same, same)), tmp_path, force=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "name"), [("org/m:1", "org-m-1"), ("..", "unnamed"), ("a\nb", "a-b"), ("Модель 2", "Модель 2")]
)
def test_parts_of_names(text: str, name: str) -> None:
    assert file_name(text) == name
