"""The four files as a whole: their shape, what they say about failures, and that equal inputs give equal bytes."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from report_artifacts import (
    FILES,
    Artifacts,
    Made,
    make_report,
    metric,
    prediction,
    sample,
    score,
)
from vlmhb_stages.contracts import SliceMetrics
from vlmhb_stages.report.model import ReportFile

KEYS = {
    "id", "model", "benchmark", "task_type", "engine", "scheduler", "isolation", "network", "counts", "coverage",
    "metrics", "slices", "performance", "cost", "provenance",
}  # fmt: skip
PERFORMANCE = {
    "ttft_s", "tpot_s", "itl_s", "latency_s", "requests_per_s", "output_tokens_per_s", "peak_vram_mib",
    "peak_rss_mib", "gpu_util", "energy_wh",
}  # fmt: skip
PROVENANCE = {
    "image",
    "image_digest",
    "weights_sha256",
    "dataset_sha256",
    "kit_sha256",
    "host",
    "gpus",
    "seed",
}
FAILURE = {
    "stage": "infer",
    "code": "VHB502",
    "message": "VHB502: the model server died, in qwen; hint: more memory",
}


def with_errors(**changes: Any) -> Artifacts:
    """Four samples: a perfect one, a poor one, a truncated one and one that timed out."""
    given: dict[str, Any] = {
        "samples": [sample(name, doc_class="чек") for name in "abcd"],
        "predictions": [
            prediction("a", text="reference", latency_s=1.0, output_tokens=10, cost=0.25),
            prediction("b", text="rrrr", latency_s=2.0, ttft_s=0.5, tpot_s=0.01, output_tokens=10, cost=0.5),
            prediction("c", status="truncated", text="ref", latency_s=3.0, output_tokens=20),
            prediction("d", status="error", text=None, error={"kind": "timeout", "message": "no token in 300 s"}),
        ],
        "attempts": [
            {"sample_id": name, "attempt": 1, "started": 100.0 + start, "latency_s": 1.0, "outcome": outcome}
            for name, start, outcome in (("a", 0, "ok"), ("b", 1, "ok"), ("c", 2, "truncated"), ("d", 3, "error"))
        ],
        "requests": 4,
        "scores": [
            score("a", 0.0), score("b", 0.9), score("c", 0.5, status="truncated"), score("d", None, status="error"),
        ],
        "metrics": [metric(value=0.6, value_answered=0.4667, ci_low=0.3, ci_high=0.9, n=4, n_error=1)],
        "slices": [SliceMetrics(key="doc_class", value="чек", metrics=(metric(value=0.6),))],
        **changes,
    }  # fmt: skip
    return Artifacts(**given)


def failed() -> Artifacts:
    info = {"model": "qwen", "benchmark": "docvqa", "status": "failed", "failure": FAILURE, "primary": "ANLS"}
    return Artifacts(id="docvqa-qwen", info=info, samples=[sample("x"), sample("y")])


def rows(made: Made) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(made.text("summary.csv"))))


def test_report_json_has_the_contract_s_shape(tmp_path: Path) -> None:
    made = make_report(tmp_path, with_errors(), failed())
    report = made.json()
    assert report["schema_version"] == 1
    assert report["run_id"] == "quickstart-1a2b3c4d"
    assert report["created"] == "2025-10-09T08:53:20+00:00"
    assert [item["id"] for item in report["evaluations"]] == ["docs-ru-rapidocr", "docvqa-qwen"]
    for item in report["evaluations"]:
        assert item.keys() >= KEYS
        assert item["performance"].keys() >= PERFORMANCE
        assert item["provenance"].keys() >= PROVENANCE
        assert item["counts"].keys() >= {"planned", "ok", "error", "skipped"}
        assert item["cost"].keys() >= {"currency", "total", "by_operation"}
    assert ReportFile.model_validate_json(made.text("report.json")).evaluations[0].coverage == 0.75


def test_numbers_of_an_evaluation_with_errors(tmp_path: Path) -> None:
    item = make_report(tmp_path, with_errors()).evaluation()
    assert item["counts"] == {"planned": 4, "ok": 3, "error": 1, "skipped": 0}
    assert item["metrics"][0]["value"] == 0.6
    assert item["metrics"][0]["value_answered"] == 0.4667
    assert item["slices"][0]["value"] == "чек"
    assert item["performance"]["latency_s"] == {"p50": 2.0, "p90": 3.0, "p95": 3.0, "p99": 3.0, "n": 3}
    assert item["performance"]["ttft_s"]["n"] == 1
    assert item["performance"]["itl_s"] is None
    assert item["performance"]["requests_per_s"] == 0.75
    assert item["performance"]["output_tokens_per_s"] == 10.0
    assert item["cost"]["total"] == 0.75
    assert item["worst"] == [{"sample_id": "b", "score": 0.9}, {"sample_id": "c", "score": 0.5}]


def test_failures_are_told_by_kind_with_an_example(tmp_path: Path) -> None:
    item = make_report(tmp_path, with_errors()).evaluation()
    assert [(group["kind"], group["count"]) for group in item["failures"]] == [
        ("timeout", 1),
        ("truncated", 1),
    ]
    assert item["failures"][0]["examples"] == [{"sample_id": "d", "message": "no token in 300 s"}]
    assert "scored as it is" in item["failures"][1]["examples"][0]["message"]


@pytest.mark.parametrize("name", ["report.html", "report.md"])
def test_failed_evaluation_is_told_first_with_stage_code_and_message(tmp_path: Path, name: str) -> None:
    text = make_report(tmp_path, with_errors(), failed()).text(name)
    head = text[: text.index("Leaderboard</h2>" if name == "report.html" else "## Results")]
    for part in ("docvqa-qwen", "infer", "VHB502", "the model server died, in qwen; hint: more memory"):
        assert part in head


def test_summary_csv_has_a_row_for_each_evaluation(tmp_path: Path) -> None:
    done, lost = rows(make_report(tmp_path, with_errors(), failed()))
    assert (done["status"], done["coverage"], done["CER"], done["CER_answered"]) == (
        "done",
        "0.75",
        "0.6",
        "0.4667",
    )
    assert (done["CER_ci_low"], done["CER_ci_high"]) == ("0.3", "0.9")
    assert (done["latency_p50_s"], done["latency_p95_s"], done["requests_per_s"]) == ("2.0", "3.0", "0.75")
    assert (lost["status"], lost["planned"], lost["ok"], lost["CER"]) == ("failed", "2", "0", "")


def test_nothing_scored_at_all(tmp_path: Path) -> None:
    inferred = with_errors(id="only-inferred", scores=None, info={"primary": None})
    made = make_report(tmp_path, inferred, failed())
    first = made.evaluation()
    assert (first["metrics"], first["primary"], first["coverage"]) == ([], None, 0.75)
    assert "No metric was computed." in made.text("report.html")
    assert "no score" in made.text("report.html")


def test_an_evaluation_without_samples(tmp_path: Path) -> None:
    empty = Artifacts(samples=[], predictions=[], scores=[], metrics=[metric(value=None, n=0)])
    made = make_report(tmp_path, empty)
    item = made.evaluation()
    assert (item["coverage"], item["counts"]["planned"], item["worst"], item["failures"]) == (None, 0, [], [])
    assert item["performance"]["latency_s"] is None
    assert "no samples" in made.text("report.html")


@pytest.mark.parametrize(
    ("named", "primary"), [("cer", "CER"), ("WER", "WER"), (None, "CER"), ("gone", "CER")]
)
def test_primary_is_the_named_metric_in_any_case_else_the_first(
    tmp_path: Path, named: str | None, primary: str
) -> None:
    artifacts = with_errors(info={"primary": named}, metrics=[metric("CER"), metric("WER")])
    assert make_report(tmp_path, artifacts).evaluation()["primary"] == primary


def test_a_run_without_evaluations(tmp_path: Path) -> None:
    made = make_report(tmp_path)
    assert made.json()["evaluations"] == []
    assert "This run has no evaluations." in made.text("report.html")


def test_an_evaluation_of_which_nothing_is_known(tmp_path: Path) -> None:
    info = dict.fromkeys(("status", "failure"), None)
    item = make_report(tmp_path, Artifacts(info={**info, "later_field": 1})).evaluation()
    assert (item["status"], item["counts"]["planned"]) == ("skipped", 0)


def test_planned_samples_without_a_record_are_a_failure_of_their_own(tmp_path: Path) -> None:
    artifacts = with_errors()
    assert artifacts.predictions is not None
    del artifacts.predictions[0]
    item = make_report(tmp_path, artifacts).evaluation()
    assert ("not_recorded", 1) in [(group["kind"], group["count"]) for group in item["failures"]]


def test_stages_that_disagree_are_a_warning(tmp_path: Path) -> None:
    made = make_report(tmp_path, with_errors())
    path = tmp_path / "out/in/docs-ru-rapidocr/infer/predictions.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines[1:], '{"torn": ']), encoding="utf-8")
    from vlmhb_stages.report.collect import collect
    from vlmhb_stages.specs import ReportEvaluation

    folder = str(tmp_path / "out/in/docs-ru-rapidocr")
    evaluation = ReportEvaluation(
        id="x", inputs=f"{folder}/inputs", infer=f"{folder}/infer", evaluate=f"{folder}/evaluate", info={}
    )
    warnings = collect(evaluation, resolve=Path).report.warnings
    assert warnings == (
        "predictions.jsonl: 1 unreadable lines left out",
        "predictions.jsonl has 2 answered samples, the stages counted 3",
    )
    assert made.evaluation()["warnings"] == []


def test_equal_inputs_give_equal_bytes(tmp_path: Path) -> None:
    one = make_report(tmp_path, with_errors(), failed(), out="one")
    two = make_report(tmp_path, with_errors(), failed(), out="two")
    for name in FILES:
        assert one.text(name) == two.text(name)


def test_labels_are_never_opened(tmp_path: Path) -> None:
    made = make_report(tmp_path, with_errors())
    assert (tmp_path / "out/in/docs-ru-rapidocr/labels/labels.jsonl").is_file()
    assert all("LABEL" not in made.text(name) for name in FILES)


def test_progress_is_told(tmp_path: Path) -> None:
    make_report(tmp_path, with_errors(), failed())
    events = (tmp_path / "out/events.jsonl").read_text(encoding="utf-8")
    assert '"done": 2, "total": 2' in events
    assert '"type": "end"' in events


def test_it_works_from_inside_a_zip(tmp_path: Path) -> None:
    """The kit is a zipapp: templates must be found in it."""
    import subprocess
    import sys

    import vlmhb_stages

    root = Path(vlmhb_stages.__file__).parent
    archive = tmp_path / "kit.pyz"
    with zipfile.ZipFile(archive, "w") as kit:
        for path in root.rglob("*"):
            if path.is_file() and path.suffix in (".py", ".j2", ".css", ".js"):
                kit.write(path, Path("vlmhb_stages") / path.relative_to(root))
    code = (
        f"import sys; sys.path.insert(0, {str(archive)!r})\n"
        "from vlmhb_stages.report import render, model\n"
        f"assert render.__file__.startswith({str(archive)!r}), render.__file__\n"
        "report = model.ReportFile(run_id='r', title='t', created='now')\n"
        "sys.stdout.write(render.render_html(report, collected=[]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "This run has no evaluations." in done.stdout


def test_one_name_with_two_tasks_is_two_benchmarks(tmp_path: Path) -> None:
    items = [
        Artifacts(id=f"e-{task}", info={"benchmark": "pages", "task_type": task}, samples=[sample("a")])
        for task in ("classification", "sorting")
    ]
    found = [item["benchmark"] for item in make_report(tmp_path, *items).json()["evaluations"]]
    assert found == ["pages (classification)", "pages (sorting)"]
