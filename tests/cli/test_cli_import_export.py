"""`vlmhb import` and `export` end to end: another tool's file, a run of its own, and the way back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from e2e_world import World, page_text
from typer.testing import CliRunner
from vlmhb.cli.app import app
from vlmhb.errors import BadImport, ExportRefused, UnknownName, UnknownRun


@pytest.fixture
def world(process_world: World) -> World:
    process_world.make(pages=4)
    return process_world


def samples(world: World, texts: list[str]) -> Path:
    path = world.root / "20260806_101112_samples_pages.jsonl"
    lines = [
        {"doc_id": number, "filtered_resps": text, "target": "x", "input": "Read the page.", "anls": 0.5}
        for number, text in enumerate(texts)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def page(world: World, number: int) -> str:
    return page_text((world.data / "images" / f"{number:03d}.png").read_bytes())


def vlmhb(world: World, *args: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "vlmhb", *args, "--workspace", str(world.workspace)]
    return subprocess.run(argv, capture_output=True, text=True, cwd=world.root, timeout=240, check=False)


def import_(world: World, path: Path, *args: str, expect: int) -> tuple[dict[str, Any], str]:
    named = (
        "--benchmark",
        "pages",
        "--model",
        "their-model",
        "--cards",
        "cards",
        "--engine",
        "process",
        "--json",
    )
    done = vlmhb(world, "import", "auto", str(path), *named, *args)
    assert done.returncode == expect, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return summary, done.stderr


def test_a_file_becomes_a_run_and_goes_back(world: World, tmp_path: Path) -> None:
    failed = "[LMMS_EVAL_REQUEST_FAILED after 3 retries] gone"
    path = samples(world, [page(world, 0), "wrong", failed, page(world, 3), "of no sample"])
    summary, talk = import_(world, path, expect=4)
    assert summary["import"]["statuses"] == {"error": 1, "ok": 3}
    assert "imported 4 of 5 rows, lmms-eval" in talk
    assert "not in the benchmark: 1 sample (4)" in talk
    assert "stored by the tool: anls 0.5 (n=4)" in talk and "ours: cer" in talk
    assert summary["evaluations"][0]["counts"] == {"planned": 4, "ok": 3, "error": 1, "skipped": 0}
    folder = Path(summary["run_dir"]) / "evaluations" / "pages-their-model"
    assert sorted(link.name for link in folder.iterdir()) == ["evaluate", "import", "infer", "prepare"]
    metrics = json.loads((folder / "evaluate/out/metrics.json").read_text())["metrics"]
    exact = next(metric for metric in metrics if metric["name"] == "exact_match")
    assert (exact["value"], exact["n_error"]) == (0.5, 1)  # the failure counts as wrong, and is told
    manifest = json.loads((folder / "import/manifest.json").read_text())["manifest"]
    assert manifest["network"] == "none" and manifest["extra"]["source_name"] == path.name

    again, talk = import_(world, path, expect=4)
    assert again["run_id"] == summary["run_id"]
    assert "import: reused" in talk and "infer: reused" in talk and "imported 4 of 5 rows" in talk

    done = vlmhb(
        world, "export", summary["run_id"], "pages-their-model", "--format", "lmms-eval", "-o", "exported"
    )
    assert done.returncode == 0, done.stderr
    back = next(Path(world.root, line) for line in done.stdout.splitlines() if line.endswith(".jsonl"))
    assert page(world, 0) in back.read_text()
    second, _ = import_(world, back, expect=4)
    assert second["import"]["matched"] == 4
    theirs, ours = (_predictions(item) for item in (summary, second))
    assert [(item["status"], item["text"]) for item in theirs] == [
        (item["status"], item["text"]) for item in ours
    ]
    assert (
        vlmhb(world, "export", summary["run_id"], "--format", "lmms-eval", "-o", "exported").returncode == 2
    )


def _predictions(summary: dict[str, Any]) -> list[dict[str, Any]]:
    path = Path(summary["run_dir"]) / "evaluations/pages-their-model/infer/out/predictions.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_mistakes_are_told_before_anything_runs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world.root)
    path = samples(world, ["x"])

    def attempt(*args: str) -> BaseException | None:
        shared = ("--cards", "cards", "--engine", "process", "--workspace", str(world.workspace))
        return CliRunner().invoke(app, ["import", *args, *shared]).exception

    missing = attempt("auto", "nothing.jsonl", "--benchmark", "pages", "--model", "m")
    assert isinstance(missing, BadImport) and "no such file" in str(missing)
    folder = attempt("auto", "data", "--benchmark", "pages", "--model", "m")
    assert isinstance(folder, BadImport) and "name one file" in str(folder)
    assert isinstance(attempt("auto", str(path), "--benchmark", "pagse", "--model", "m"), UnknownName)
    assert not (world.workspace / "artifacts" / "import").exists()


def test_a_file_that_cannot_be_read_is_one_line(world: World) -> None:
    path = world.root / "notes.txt"
    path.write_text("just words\n")
    named = ("--benchmark", "pages", "--model", "m", "--cards", "cards", "--engine", "process")
    done = vlmhb(world, "import", "auto", str(path), *named)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("VHB206: import of m×pages: the format is not recognised")
    assert "Traceback" not in done.stderr
    assert not (world.workspace / "runs").exists() or not list((world.workspace / "runs").iterdir())


def test_exports_of_an_ordinary_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = world.run()
    monkeypatch.chdir(world.root)

    def export(*args: str) -> Any:
        return CliRunner().invoke(app, ["export", *args, "--workspace", str(world.workspace)])

    for name in ("upstream", "lmms-eval", "inspect", "model-index", "leaderboard", "csv", "jsonl"):
        done = export(summary["run_id"], "--format", name, "-o", f"out/{name}")
        assert done.exit_code == 0, done.output
        assert all((world.root / line).is_file() for line in done.stdout.splitlines())
    references = [sample["answer"] for sample in world.samples()]
    lines = (world.root / "out/jsonl/pages-page-model.jsonl").read_text().splitlines()
    assert [json.loads(line)["text"] for line in lines] == references and "references" not in lines[0]
    refused = export(summary["run_id"], "--format", "vlmevalkit", "-o", "out/vk").exception
    assert isinstance(refused, ExportRefused) and not (world.root / "out/vk").exists()
    assert (
        export(summary["run_id"], "--format", "vlmevalkit", "-o", "out/vk", "--with-references").exit_code
        == 0
    )
    assert isinstance(export(summary["run_id"], "nothing").exception, UnknownRun)
    assert isinstance(export("nothing-1").exception, UnknownRun)
    link = Path(summary["run_dir"]) / "evaluations" / "pages-page-model" / "infer"
    (link / "manifest.json").unlink()
    unfinished = export(summary["run_id"], "-o", "again").exception
    assert isinstance(unfinished, ExportRefused) and "not complete" in str(unfinished)
