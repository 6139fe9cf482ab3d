"""`vlmhb rescore` end to end: sealed answers scored anew, without the model, the dataset or the config."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from e2e_world import World

LENGTH = "def length(prediction, references):\n    return float(len(prediction))\n"


def rescore(world: World, run_id: str, *args: str) -> subprocess.CompletedProcess[str]:
    words = ["rescore", run_id, "--workspace", str(world.workspace), "--json", *args]
    argv = [sys.executable, "-m", "vlmhb", *words]
    return subprocess.run(argv, capture_output=True, text=True, cwd=world.root, timeout=240, check=False)


def summary(done: subprocess.CompletedProcess[str], *, code: int = 0) -> dict[str, Any]:
    assert done.returncode == code, done.stderr
    value: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return value


def remove_sources(world: World) -> None:
    """What a run needs and a rescore must not."""
    for name in ("data", "model", "test.json"):
        path = world.root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.fixture
def done(process_world: World) -> tuple[World, dict[str, Any]]:
    process_world.make(pages=3)
    return process_world, process_world.run()


def test_other_metrics_without_model_dataset_or_config(done: tuple[World, dict[str, Any]]) -> None:
    world, first = done
    remove_sources(world)
    again = summary(rescore(world, first["run_id"], "--metrics", "wer,cer_norm"))
    assert again["run_id"].startswith(f"{first['run_id']}-rescore-")
    assert (again["status"], again["exit_code"], again["evaluations"][0]["counts"]) == (
        "done",
        0,
        first["evaluations"][0]["counts"],
    )
    found = {item["name"]: item["value"] for item in world.metrics(again)["metrics"]}
    assert found == {"wer": 0.0, "cer_norm": 0.0}
    assert world.stage(again, "infer") == world.stage(first, "infer")
    report = json.loads((Path(again["run_dir"]) / "report" / "report.json").read_text())
    (told,) = report["evaluations"]
    assert (told["model"], told["benchmark"], told["coverage"]) == ("page-model", "pages", 1.0)
    assert world.metrics(first)["primary"] == "cer"  # the first run is as it was


def test_the_same_command_is_the_same_run_and_reuses_everything(done: tuple[World, dict[str, Any]]) -> None:
    world, first = done
    one = summary(rescore(world, first["run_id"], "--extraction", "answer_marker"))
    sealed = (world.stage(one, "evaluate") / "manifest.json").stat().st_mtime_ns
    two = summary(rescore(world, first["run_id"], "--extraction", "answer_marker"))
    assert two["run_id"] == one["run_id"]
    assert (world.stage(two, "evaluate") / "manifest.json").stat().st_mtime_ns == sealed
    assert world.stage(one, "evaluate") != world.stage(first, "evaluate")


def test_nothing_changed_is_the_very_evaluation_of_the_run(done: tuple[World, dict[str, Any]]) -> None:
    world, first = done
    again = summary(rescore(world, first["run_id"]))
    assert world.stage(again, "evaluate") == world.stage(first, "evaluate")
    nested = summary(rescore(world, again["run_id"], "--profile", "upstream-0.1", "--metrics", "anls"))
    assert world.metrics(nested)["profile"] == "upstream-0.1"


def test_a_metric_of_the_users_own(done: tuple[World, dict[str, Any]]) -> None:
    world, first = done
    (world.root / "mine.py").write_text(LENGTH)
    again = summary(rescore(world, first["run_id"], "--metrics", "mine.py:length"))
    (metric,) = world.metrics(again)["metrics"]
    assert (metric["name"], metric["value"]) == ("length", 21.0)  # "page " and 16 hex digits


def test_samples_that_failed_stay_failed(process_world: World) -> None:
    process_world.make(pages=3, questions={1: "RAISE"})
    first = process_world.run(expect=4)
    again = summary(rescore(process_world, first["run_id"], "--metrics", "wer"), code=4)
    assert again["evaluations"][0]["counts"] == {"planned": 3, "ok": 2, "error": 1, "skipped": 0}
    assert process_world.requests(again) == process_world.requests(first)


def test_answers_that_are_not_sealed_are_refused(done: tuple[World, dict[str, Any]]) -> None:
    world, first = done
    (world.stage(first, "infer") / "manifest.json").unlink()
    failed = rescore(world, first["run_id"], "--metrics", "wer")
    assert summary(failed, code=3)["status"] == "not started"
    assert failed.stderr.splitlines()[-1].startswith(
        "VHB406: the answers of pages-page-model are not complete: infer is not sealed, in "
    )


def test_edited_answers_are_a_broken_contract(done: tuple[World, dict[str, Any]]) -> None:
    world, first = done
    with (world.stage(first, "infer") / "out" / "predictions.jsonl").open("a") as file:
        file.write("\n")
    assert "VHB402" in rescore(world, first["run_id"], "--metrics", "wer").stderr
    assert rescore(world, first["run_id"]).returncode == 6


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (("--metrics", "cerr"), "VHB201: unknown metric 'cerr', in the command line, column metrics; hint:"),
        (("--metrics", ""), "VHB106: no metric is named, in the option --metrics; hint:"),
        (("--profile", "upstream"), "VHB104: 'upstream' is not known, in the option --profile; hint:"),
        (("--extraction", "boxes"), "VHB201: unknown extraction 'boxes', in the command line, column"),
    ],
)
def test_mistakes_are_one_line(done: tuple[World, dict[str, Any]], args: tuple[str, ...], line: str) -> None:
    world, first = done
    failed = rescore(world, first["run_id"], *args)
    assert failed.returncode == 2
    assert failed.stderr.splitlines()[-1].startswith(line)
    assert rescore(world, "nothing").returncode == 2


ANNOTATION = "image_path;question;answer;doc_class;question_type;note\n{rows}"


def upstream_world(world: World) -> None:
    """The pages as a dataset of the prototype, and answers from a file, in another order than the samples."""
    world.make(pages=3)
    samples = world.samples()
    lines = (f"{s['image']};Read.;{s['answer']};{s['doc_class']};T;kept\n" for s in samples)
    (world.data / "annotation.csv").write_text(ANNOTATION.format(rows="".join(lines)))
    answers = "".join(f"{number};{samples[number]['answer']}\n" for number in (2, 0, 1))
    (world.root / "answers.csv").write_text("id;model_answer\n" + answers)
    row = {
        "dataset": "mine",
        "task": "VQA",
        "model_name": "page-model",
        "dataset_path": "data",
        "metrics": ["anls"],
        "only_evaluate_metrics": True,
        "answers_file": "answers.csv",
        "metrics_profile": "upstream-0.1",
    }
    (world.data / "samples.jsonl").unlink()
    world.config(row)


def by_id(folder: Path) -> str:
    (path,) = (folder / "out" / "legacy").glob("*by_id*.csv")
    return path.read_text(encoding="utf-8")


def test_files_beside_the_answers_are_used_while_they_are_what_they_were(process_world: World) -> None:
    world = process_world
    upstream_world(world)
    first = world.run()
    name = "mine-page-model"
    before = by_id(world.stage(first, "evaluate", name))
    assert "kept" in before
    same = summary(rescore(world, first["run_id"]))
    assert world.stage(same, "evaluate", name) == world.stage(first, "evaluate", name)

    remove_sources(world)
    (world.root / "answers.csv").unlink()
    done = rescore(world, first["run_id"])
    assert "its annotation file is gone: legacy/ has none of its columns" in done.stderr
    assert "answers.csv is gone or changed: rows are paired in the order of the samples" in done.stderr
    without = world.stage(summary(done), "evaluate", name)
    assert "kept" not in by_id(without)
    assert world.stage(summary(done), "evaluate", name) != world.stage(first, "evaluate", name)
