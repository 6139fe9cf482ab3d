"""The kit: the same bytes from the same sources, and hashes that follow exactly what a stage is made of."""

from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from vlmhb.kit import INTERFACES, STAGE_CODE, Kit
from vlmhb_stages.__main__ import STAGES
from vlmhb_stages.run_stage import MODULES

# Modules that cannot change what a stage writes as its result.
NEUTRAL = {
    "vlmhb_stages/__init__.py",
    "vlmhb_stages/events.py",
    "vlmhb_stages/signals.py",
    "vlmhb_benchmarks/__init__.py",
}


@pytest.fixture(scope="module")
def kit() -> Kit:
    return Kit.collect()


def changed(kit: Kit, name: str) -> Kit:
    assert name in kit.files
    return Kit({**kit.files, name: kit.files[name] + b"\n# changed\n"})


def test_the_archive_is_deterministic_and_made_once(kit: Kit, tmp_path: Path) -> None:
    first = kit.write(tmp_path / "a")
    second = Kit(dict(reversed(kit.files.items()))).write(tmp_path / "b")
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()
    before = first.stat().st_mtime_ns
    assert kit.write(tmp_path / "a").stat().st_mtime_ns == before
    assert [path.name for path in (tmp_path / "a").iterdir()] == [first.name]
    assert first.stat().st_mode & 0o444 == 0o444


def test_the_archive_runs(kit: Kit, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", str(kit.write(tmp_path))], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"usage: kit.pyz {'|'.join(STAGES)} | serve --config FILE\n"


def test_it_holds_no_tests_no_caches_and_nothing_of_the_host(kit: Kit, tmp_path: Path) -> None:
    with zipfile.ZipFile(kit.write(tmp_path)) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names} == {
        "__main__.py",
        "vlmhb_stages",
        "vlmhb_models",
        "vlmhb_benchmarks",
    }
    assert not any("__pycache__" in name or "test" in name for name in names)


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("vlmhb_stages/prepare/stage.py", {"prepare"}),
        ("vlmhb_benchmarks/loaders/tsv.py", {"prepare"}),
        ("vlmhb_stages/infer/driver.py", {"infer"}),
        ("vlmhb_stages/evaluate/run.py", {"evaluate", "score"}),
        ("vlmhb_stages/score/run.py", {"score"}),
        ("vlmhb_stages/import_/__init__.py", {"import"}),
        ("vlmhb_benchmarks/metrics/anls.py", {"evaluate", "score", "report"}),
        ("vlmhb_stages/report/templates/report.css", {"report"}),
        ("vlmhb_stages/contracts.py", set(STAGE_CODE)),
        ("vlmhb_models/serve.py", set()),
    ],
)
def test_a_stage_hash_changes_with_its_own_modules_only(kit: Kit, name: str, stages: set[str]) -> None:
    other = changed(kit, name)
    assert {stage for stage in STAGE_CODE if other.stage_sha(stage) != kit.stage_sha(stage)} == stages
    assert other.sha256 != kit.sha256


@pytest.mark.parametrize(
    ("name", "interfaces"),
    [
        ("vlmhb_models/rapidocr.py", {"rapidocr"}),
        ("vlmhb_models/tesseract.py", {"tesseract"}),
        ("vlmhb_models/tesseract_data.py", {"tesseract"}),
        ("vlmhb_models/upstream.py", {"upstream"}),
        ("vlmhb_models/base.py", {"rapidocr", "tesseract", "upstream", "python"}),
        ("vlmhb_stages/paths.py", {"rapidocr", "tesseract", "upstream", "python"}),
        ("vlmhb_stages/infer/driver.py", set()),
    ],
)
def test_an_interface_hash_changes_with_its_own_modules_only(
    kit: Kit, name: str, interfaces: set[str]
) -> None:
    other = changed(kit, name)
    known = ("rapidocr", "tesseract", "upstream", "python")
    assert {one for one in known if other.interface_sha(one) != kit.interface_sha(one)} == interfaces


@pytest.mark.parametrize("interface", sorted(INTERFACES))
def test_whatever_an_interface_imports_is_part_of_its_hash(kit: Kit, interface: str) -> None:
    reached = set(closure(kit, f"vlmhb_models/{INTERFACES[interface]}.py")) - NEUTRAL
    before = kit.interface_sha(interface)
    assert {name for name in reached if changed(kit, name).interface_sha(interface) == before} == set()


@pytest.mark.parametrize("stage", sorted(STAGE_CODE))
def test_whatever_a_stage_imports_is_part_of_its_hash(kit: Kit, stage: str) -> None:
    reached = set(closure(kit, f"vlmhb_stages/{MODULES.get(stage, stage)}/__init__.py"))
    missed = {name for name in reached if not name.startswith(STAGE_CODE[stage])} - NEUTRAL
    assert missed == set()


def closure(kit: Kit, start: str) -> Iterator[str]:
    seen, waiting = {start}, [start]
    while waiting:
        name = waiting.pop()
        yield name
        for found in imports(kit, name):
            if found not in seen:
                seen.add(found)
                waiting.append(found)


def imports(kit: Kit, name: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(kit.files[name])):
        if isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        else:
            continue
        for module in modules:
            path = module.replace(".", "/")
            yield from (file for file in (f"{path}.py", f"{path}/__init__.py") if file in kit.files)
