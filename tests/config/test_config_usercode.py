"""A user's code is found, and never run on the host: every module here raises when it is imported."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from vlmhb import usercode
from vlmhb.usercode import CodeMissing, check_attribute, find_module, source_names, wheel_member

BOOM = "raise SystemExit('imported')\n"


def write(path: Path, text: str = BOOM) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_module_in_a_folder(tmp_path: Path) -> None:
    file = write(tmp_path / "mine.py")
    found = find_module("mine", folders=[tmp_path])
    assert (found.path, found.inside, found.source) == (file, "mine.py", file)


def test_an_installed_package_is_mounted_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "pkg" / "__init__.py")
    file = write(tmp_path / "pkg" / "sub" / "deep.py")
    write(tmp_path / "pkg" / "sub" / "__init__.py")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = find_module("pkg.sub.deep", folders=[])
    assert (found.path, found.inside, found.source) == (tmp_path / "pkg", "pkg", file)


def test_a_namespace_package_is_looked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        write(tmp_path / name / "space" / f"in_{name}.py")
        monkeypatch.syspath_prepend(str(tmp_path / name))
    assert find_module("space.in_a", folders=[]).path == tmp_path / "a" / "space"
    assert find_module("space.in_b", folders=[]).path == tmp_path / "b" / "space"


@pytest.mark.parametrize("name", ["vlmhb_benchmarks.metrics.anls", "difflib"])
def test_what_every_image_has_is_not_mounted(name: str) -> None:
    assert find_module(name, folders=[]) == usercode.FoundCode()


@pytest.mark.parametrize("name", ["nowhere_at_all", "mine.sub", "pkg.absent", "__main__.x", "bare"])
def test_a_module_that_is_not_there(name: str, tmp_path: Path) -> None:
    write(tmp_path / "mine.py")
    write(tmp_path / "pkg" / "__init__.py")
    (tmp_path / "bare").mkdir()
    with pytest.raises(CodeMissing, match=name.partition(".")[0]):
        find_module(name, folders=[tmp_path])


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("def score(a, b): ...", True),
        ("class score: ...", True),
        ("score = other = 1", True),
        ("score: object = 1", True),
        ("(a, score) = 1, 2", True),
        ("from x import y as score", True),
        ("import score.deep", True),
        ("if 1:\n    pass\nelse:\n    def score(): ...", True),
        ("try:\n    import a\nexcept ImportError:\n    score = None", True),
        ("with x:\n    score = 1", True),
        ("for score in x: ...", True),
        ("from x import *", True),
        ("def __getattr__(name): ...", True),
        ("def outer():\n    score = 1", False),
        ("class Outer:\n    score = 1", False),
        ("print('score')", False),
        ("", False),
    ],
)
def test_an_attribute_is_bound_or_told_to_be_missing(text: str, bound: bool, tmp_path: Path) -> None:
    file = write(tmp_path / "mine.py", text)
    if bound:
        check_attribute(file, "score")
    else:
        with pytest.raises(CodeMissing, match="defines no score"):
            check_attribute(file, "score.deeper")


def test_what_is_not_python_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(CodeMissing, match=r"mine\.py, line 2 is not Python"):
        check_attribute(write(tmp_path / "mine.py", "x = 1\ndef (\n"), "score")
    check_attribute(None, "anything")  # an extension module


def test_a_wheel_is_looked_into(tmp_path: Path) -> None:
    wheel = tmp_path / "mine-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("pkg/__init__.py", BOOM)
        archive.writestr("pkg/deep.py", BOOM)
    assert wheel_member(wheel, "pkg") == "pkg/__init__.py"
    assert wheel_member(wheel, "pkg.deep") == "pkg/deep.py"
    assert wheel_member(wheel, "pkg.other") is None
    with pytest.raises(CodeMissing, match="is no wheel"):
        wheel_member(write(tmp_path / "x.whl", "text"), "pkg")


def test_content_is_what_was_written_not_what_python_leaves_beside(tmp_path: Path) -> None:
    write(tmp_path / "pkg" / "a.py")
    write(tmp_path / "pkg" / "data.json")
    write(tmp_path / "pkg" / "__pycache__" / "a.pyc")
    write(tmp_path / ".git" / "HEAD")
    assert source_names(tmp_path) == ("pkg/a.py", "pkg/data.json")
    assert source_names(tmp_path / "pkg" / "a.py") is None
