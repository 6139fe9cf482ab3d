"""Results for model cards and leaderboards of the Hugging Face hub: `model-index` YAML, results JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from vlmhb_stages.contracts import MetricValue

from vlmhb.errors import ExportRefused
from vlmhb.exporting.source import Evaluated
from vlmhb.exporting.target import Export, File, file_name

# The hub's own task names: https://huggingface.co/tasks
TASKS = {
    "ocr": "image-to-text",
    "vqa": "document-question-answering",
    "kie": "document-question-answering",
    "classification": "image-classification",
    "tables": "image-to-text",
    "parsing": "image-to-text",
    "sorting": "image-to-text",
}


def model_index(evaluations: Sequence[Evaluated], *, references: bool) -> Export:
    """The block between the `---` of a model card, one file per model. Values have no references in them."""
    del references
    import yaml

    files = []
    for model, group in _by_model(evaluations).items():
        index = [{"name": model, "results": [_result(one) for one in group]}]
        text = yaml.safe_dump({"model-index": index}, allow_unicode=True, sort_keys=False)
        files.append(File(name=f"{file_name(model)}/model-index.yaml", data=text.encode()))
    return Export(files=tuple(files), notes=tuple(_notes(evaluations)))


def leaderboard(evaluations: Sequence[Evaluated], *, references: bool) -> Export:
    """`results_<time>.json` with `config_general`, `results` by task and `versions`, one file per model.

    Raises `ExportRefused`."""
    del references
    files = []
    for model, group in _by_model(evaluations).items():
        _check_once(model, group)
        newest = max(one.stamp for one in group)
        text = json.dumps(_results(model, group), ensure_ascii=False, indent=2)
        files.append(File(name=f"{file_name(model)}/results_{newest}.json", data=f"{text}\n".encode()))
    return Export(files=tuple(files), notes=tuple(_notes(evaluations)))


def _by_model(evaluations: Sequence[Evaluated]) -> dict[str, list[Evaluated]]:
    groups: dict[str, list[Evaluated]] = {}
    for one in evaluations:
        if one.metrics is not None:
            groups.setdefault(one.model, []).append(one)
    return groups


def _check_once(model: str, group: Sequence[Evaluated]) -> None:
    """Raises `ExportRefused` for two evaluations of one benchmark: the file has a place for one."""
    for benchmark, count in Counter(one.benchmark.name for one in group).items():
        if count > 1:
            raise ExportRefused(
                f"{count} evaluations of {model} on {benchmark}, and a leaderboard has one",
                hint="name the evaluation to export one at a time",
            )


def _notes(evaluations: Sequence[Evaluated]) -> list[str]:
    return [f"{one.id}: left out, it was not evaluated" for one in evaluations if one.metrics is None]


def _values(one: Evaluated) -> list[MetricValue]:
    """The headline first: readers show the first one."""
    metrics = one.metrics
    known = [metric for metric in metrics.metrics if metric.value is not None] if metrics else []
    primary = metrics.primary if metrics else None
    return sorted(known, key=lambda metric: metric.name != primary)


def _result(one: Evaluated) -> dict[str, Any]:
    task = TASKS.get(one.benchmark.task_type, "image-text-to-text")
    dataset: dict[str, Any] = {"name": one.benchmark.name, "type": _dataset(one)}
    if one.benchmark.revision:
        dataset["revision"] = one.benchmark.revision
    return {
        "task": {"type": task, "name": one.benchmark.task},
        "dataset": dataset,
        "metrics": [
            {
                "type": metric.name,
                "value": metric.value,
                "name": f"{metric.name}@{metric.version}",
                "verified": False,
                "args": {"n": metric.n, "n_error": metric.n_error, "direction": metric.direction},
            }
            for metric in _values(one)
        ],
    }


def _dataset(one: Evaluated) -> str:
    hub = one.benchmark.hub
    return hub.repo if hub is not None else one.benchmark.name


def _results(model: str, group: Sequence[Evaluated]) -> dict[str, Any]:
    first = group[0]
    provenance = first.report.get("provenance") or {}
    return {
        "config_general": {
            "model_name": model,
            "model_sha": provenance.get("weights_sha256") or "",
            "model_dtype": "",
            "framework": first.framework,
            "harness": "vlmhb",
            "run_ids": sorted({one.run_id for one in group}),
        },
        "results": {one.benchmark.name: _scores(one) for one in group},
        "versions": {one.benchmark.name: one.benchmark.revision or "0" for one in group},
        "coverage": {one.benchmark.name: one.metrics.coverage for one in group if one.metrics is not None},
    }


def _scores(one: Evaluated) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for metric in _values(one):
        found[metric.name] = metric.value
        found[f"{metric.name}_ci_low"] = metric.ci_low
        found[f"{metric.name}_ci_high"] = metric.ci_high
    return found
