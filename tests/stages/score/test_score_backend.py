"""A metric backend scores in one container, and `evaluate` merges its scores by sample id in another."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from evaluate_case import Item, Result, answered, evaluate, failed, run_stage
from vlmhb_stages import run_stage as boundary
from vlmhb_stages.contracts import BackendScore
from vlmhb_stages.events import EventWriter
from vlmhb_stages.score import run
from vlmhb_stages.specs import ScoreSpec

NAN = '"missing":{"x":[NaN,1.0],'  # a record that cannot be read is none
FUNCTION = "def share(prediction, references):\n    return prediction in references\n"


@pytest.fixture(autouse=True)
def _own_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("ours", None)


def items() -> list[Item]:
    return [
        Item(
            sample_id="a", references=("abcd",), prediction=answered("a", "abcx"), metadata={"doc_class": "x"}
        ),
        Item(sample_id="b", references=("ab",), prediction=failed("b"), metadata={"doc_class": "y"}),
        Item(sample_id="c", references=(), prediction=answered("c", "z")),
        Item(sample_id="d", references=("ab",), prediction=answered("d", "ab"), metadata={"doc_class": "x"}),
    ]


def score(root: Path, **spec: Any) -> int:
    """Beside the inputs of `evaluate`, into the folder `backend`."""
    out = root / "backend"
    events = EventWriter(out / "events.jsonl", clock=lambda: 0.0)

    def resolve(path: str) -> Path:
        return out if path == "/vlmhb/out" else Path(path.replace("/vlmhb", str(root), 1))

    code = run(ScoreSpec(**spec), events=events, resolve=resolve)
    events.close()
    return code


def records(root: Path) -> list[BackendScore]:
    lines = (root / "backend" / "scores.jsonl").read_bytes().splitlines()
    return [BackendScore.model_validate_json(line) for line in lines]


def fatal(root: Path) -> str:
    lines = (root / "backend" / "events.jsonl").read_text().splitlines()
    [event] = [event for event in map(json.loads, lines) if event["type"] == "fatal"]
    return str(event["message"])


def backend(root: Path, *metrics: str, name: str = "own") -> dict[str, Any]:
    return {"name": name, "metrics": metrics, "folder": str(root / "backend")}


def both(root: Path, metrics: tuple[str, ...], **spec: Any) -> Result:
    """Scored by a backend, then merged."""
    evaluate(root, items(), metrics=())
    assert score(root, metrics=metrics) == 0
    return run_stage(root, metrics=(), backends=(backend(root, *metrics),), **spec)


def test_records_have_values_parts_and_what_missing_costs(tmp_path: Path) -> None:
    evaluate(tmp_path, items(), metrics=())
    assert score(tmp_path, metrics=("cer",)) == 0
    assert [record.model_dump() for record in records(tmp_path)[:3]] == [
        {
            "sample_id": "a",
            "values": {"cer": 0.25},
            "parts": {"cer": (1.0, 4.0)},
            "missing": {"cer": (4.0, 4.0)},
        },
        {
            "sample_id": "b",
            "values": {"cer": None},
            "parts": {"cer": None},
            "missing": {"cer": (2.0, 2.0)},
        },
        {
            "sample_id": "c",
            "values": {"cer": None},
            "parts": {"cer": None},
            "missing": {"cer": None},
        },
    ]


@pytest.mark.parametrize("spec", [{}, {"gate": "json_valid"}, {"headline": "macro:doc_class"}])
def test_merged_scores_are_what_evaluate_computes_itself(spec: dict[str, Any], tmp_path: Path) -> None:
    """Values, intervals, slices, a gate and all."""
    merged = both(tmp_path, ("cer", "exact_match"), **spec)
    direct = evaluate(tmp_path / "direct", items(), metrics=("cer", "exact_match"), **spec)
    for name in ("cer", "exact_match"):
        assert merged.metric(name) == direct.metric(name)
        assert merged.slice("doc_class", "x")[name] == direct.slice("doc_class", "x")[name]
    assert merged.sample("cer") == direct.sample("cer")


def test_metrics_of_backends_stand_where_the_card_names_them(tmp_path: Path) -> None:
    evaluate(tmp_path, items(), metrics=())
    score(tmp_path, metrics=("exact_match", "wer"))
    result = run_stage(
        tmp_path,
        metrics=("anls", "wer", "cer"),
        primary="wer",
        backends=(backend(tmp_path, "exact_match", "wer"),),
    )
    assert [metric.name for metric in result.metrics.metrics] == ["anls", "wer", "cer", "exact_match"]
    assert result.metrics.primary == "wer"


def test_a_users_function_with_its_failures(tmp_path: Path) -> None:
    module = tmp_path / "ours.py"
    module.write_text(FUNCTION.replace("return", "return len(references[0]) > 0 and"))
    evaluate(tmp_path, items(), metrics=())
    one = {"name": "ours", "module": "ours", "attribute": "share", "version": "1", "path": str(module)}
    assert score(tmp_path, metrics=("ours",), user_metrics=(one,)) == 0
    result = run_stage(tmp_path, metrics=(), backends=(backend(tmp_path, "ours"),))
    assert result.sample("ours") == [0.0, None, None, 1.0]
    assert result.value("ours") == pytest.approx(1 / 3)
    [line] = [line for line in result.metrics.warnings if "own code failed" in line]
    assert line.startswith("backend own: ours: undefined") and line.endswith("1 (c)")


def test_what_has_references_is_never_said_to_have_none(tmp_path: Path) -> None:
    module = tmp_path / "ours.py"
    module.write_text(FUNCTION.replace("return", "return 1 / (prediction != 'ab') and"))
    evaluate(tmp_path, items(), metrics=())
    one = {"name": "ours", "module": "ours", "attribute": "share", "version": "1", "path": str(module)}
    assert score(tmp_path, metrics=("ours",), user_metrics=(one,)) == 0
    result = run_stage(tmp_path, metrics=(), backends=(backend(tmp_path, "ours"),))
    assert "ours: undefined, its backend gave no value: 1 (d)" in result.metrics.warnings


def test_the_extraction_rule_is_applied_there_too(tmp_path: Path) -> None:
    item = Item(sample_id="a", references=("42",), prediction=answered("a", "So ANSWER: 42"))
    evaluate(tmp_path, [item], metrics=())
    score(tmp_path, metrics=("exact_match",), extraction="answer_marker")
    assert records(tmp_path)[0].values == {"exact_match": 1.0}


def test_metrics_that_are_no_ratios_are_refused(tmp_path: Path) -> None:
    evaluate(tmp_path, items(), metrics=())
    assert score(tmp_path, metrics=("cer", "bleu")) == 2
    assert "no metric for a backend" in fatal(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[1:], "backend 'own' lacks samples: 1 (a)"),
        (lambda lines: [*lines, lines[0].replace('"a"', '"zz"')], "not planned: 1 (zz)"),
        (lambda lines: [lines[0].replace('"missing":{', NAN), *lines[1:]], "lacks samples: 1 (a)"),
    ],
)
def test_other_samples_are_refused(change: Any, message: str, tmp_path: Path) -> None:
    both(tmp_path, ("cer",))
    file = tmp_path / "backend" / "scores.jsonl"
    file.write_text("\n".join(change(file.read_text().splitlines())) + "\n")
    result = run_stage(tmp_path / "x", metrics=(), backends=(backend(tmp_path, "cer"),), **folders(tmp_path))
    assert message in result.fatal["message"]


def test_order_of_the_backends_file_does_not_matter(tmp_path: Path) -> None:
    straight = both(tmp_path, ("cer",))
    file = tmp_path / "backend" / "scores.jsonl"
    file.write_text("\n".join(reversed(file.read_text().splitlines())) + "\n")
    turned = run_stage(tmp_path / "x", metrics=(), backends=(backend(tmp_path, "cer"),), **folders(tmp_path))
    assert turned.metrics == straight.metrics


def test_a_metric_from_two_places_is_refused(tmp_path: Path) -> None:
    both(tmp_path, ("cer",))
    twice = (backend(tmp_path, "cer"), backend(tmp_path, "cer", name="other"))
    result = run_stage(tmp_path / "x", metrics=(), backends=twice, **folders(tmp_path))
    assert result.fatal["message"] == "metric 'cer' comes from two places"


def test_a_metric_that_the_backend_has_not_is_refused(tmp_path: Path) -> None:
    both(tmp_path, ("cer",))
    result = run_stage(tmp_path / "x", metrics=(), backends=(backend(tmp_path, "wer"),), **folders(tmp_path))
    assert "backend 'own' has no scores of wer" in result.fatal["message"]


def test_a_backend_that_did_not_run_is_refused(tmp_path: Path) -> None:
    evaluate(tmp_path, items(), metrics=())
    result = run_stage(tmp_path, metrics=(), backends=(backend(tmp_path, "cer"),))
    assert "infos.json cannot be read" in result.fatal["message"]


def test_unknown_names_and_damaged_inputs_are_one_line(tmp_path: Path) -> None:
    evaluate(tmp_path, items(), metrics=())
    assert score(tmp_path, metrics=("cerr",)) == 2
    assert "unknown metric 'cerr'" in fatal(tmp_path)


def test_it_runs_as_a_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate(tmp_path, items(), metrics=())
    monkeypatch.setenv("VLMHB_ROOT", str(tmp_path))
    spec = ScoreSpec(metrics=("cer",)).model_dump_json()
    (tmp_path / "spec.json").write_text(spec)
    assert boundary.run_stage("score") == 0
    assert len((tmp_path / "out" / "scores.jsonl").read_bytes().splitlines()) == 4


def folders(root: Path) -> dict[str, str]:
    return {name: str(root / "in" / name) for name in ("inputs", "labels", "predictions")}
