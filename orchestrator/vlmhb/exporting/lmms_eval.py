"""lmms-eval's result folder: `{model}/{time}_results.json` and `{time}_samples_{task}.jsonl` (as of 0.7)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from vlmhb_stages.contracts import MetricValue

from vlmhb.exporting.source import Answered, Evaluated
from vlmhb.exporting.target import Export, File, file_name
from vlmhb.store.hashing import sha256_json

FILTER = "none"


def lmms_eval(evaluations: Sequence[Evaluated], *, references: bool) -> Export:
    """One results file per evaluation, since each may have run at its own time."""
    files: list[File] = []
    notes: list[str] = []
    for one in evaluations:
        folder = _folder(one.model)
        task = _task(one)
        lines = [
            json.dumps(_sample(answer, number=number, references=references), ensure_ascii=False)
            for number, answer in enumerate(one.answers)
        ]
        data = "".join(f"{line}\n" for line in lines).encode()
        files.append(File(name=f"{folder}/{one.stamp}_samples_{task}.jsonl", data=data))
        results = json.dumps(_results(one), ensure_ascii=False, indent=2).encode()
        files.append(File(name=f"{folder}/{one.stamp}_results.json", data=results + b"\n"))
        cut = sum(answer.prediction.status == "truncated" for answer in one.answers)
        if cut:
            notes.append(f"{one.id}: {cut} truncated answers are whole ones there: it has no such state")
    if not references:
        notes.append("targets are null: --with-references exports the reference answers")
    return Export(files=tuple(files), notes=tuple(notes))


def _folder(model: str) -> str:
    """The last two parts of a model's name."""
    return file_name("__".join(model.split("/")[-2:]))


def _task(one: Evaluated) -> str:
    return file_name(one.benchmark.name).replace(" ", "_")


def _sample(answer: Answered, *, number: int, references: bool) -> dict[str, Any]:
    tokens = {
        "input_tokens": answer.prediction.input_tokens,
        "output_tokens": answer.prediction.output_tokens,
    }
    counted = {name: value for name, value in tokens.items() if value is not None}
    return {
        "doc_id": number,
        "sample_id": answer.sample.sample_id,
        "target": _target(answer.references) if references else None,
        "filtered_resps": _response(answer),
        "token_counts": [counted or None],
        "doc_hash": sha256_json(answer.sample.model_dump(mode="json")),
        "input": answer.prompt,
        **answer.scores,
    }


def _target(references: Sequence[str]) -> str:
    """The text of a Python value, as there."""
    return references[0] if len(references) == 1 else str(list(references))


def _response(answer: Answered) -> str:
    """Failures carry lmms-eval's own marks, so that nothing takes them for answers."""
    if answer.text is not None:
        return answer.text
    if answer.prediction.status == "skipped_budget":
        return "[LMMS_EVAL_BUDGET_EXCEEDED]"
    return f"[LMMS_EVAL_REQUEST_FAILED after {answer.prediction.attempts} retries] {answer.failure}"


def _results(one: Evaluated) -> dict[str, Any]:
    task, metrics = _task(one), one.metrics.metrics if one.metrics else ()
    answered = sum(answer.text is not None for answer in one.answers)
    return {
        "results": {task: {"alias": task, **{k: v for metric in metrics for k, v in _value(metric).items()}}},
        "group_subtasks": {task: []},
        "configs": {task: {"task": task, "num_fewshot": 0, "metadata": {"version": one.benchmark.revision}}},
        "versions": {task: one.benchmark.revision or "Yaml"},
        "n-shot": {task: 0},
        "higher_is_better": {task: {metric.name: metric.direction == "higher" for metric in metrics}},
        "n-samples": {task: {"original": len(one.answers), "effective": answered}},
        "config": {"model": one.framework, "model_args": {"model": one.model}, "limit": None},
        "model_name": one.model,
        "model_source": one.framework,
        "date": one.stamp,
        "vlmhb": {
            "run_id": one.run_id,
            "evaluation": one.id,
            "metric_versions": {metric.name: metric.version for metric in metrics},
        },
    }


def _value(metric: MetricValue) -> dict[str, Any]:
    """`stderr` from the width of the 95 % interval, which is two-sided and of the bootstrap here."""
    error: float | str = "N/A"
    if metric.ci_low is not None and metric.ci_high is not None:
        error = (metric.ci_high - metric.ci_low) / (2 * 1.959963984540054)
    return {f"{metric.name},{FILTER}": metric.value, f"{metric.name}_stderr,{FILTER}": error}
