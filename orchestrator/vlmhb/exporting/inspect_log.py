"""A log of inspect_ai (`.eval`, log format 2): a zip of a header, summaries and one file per sample.

Names of members and fields as `inspect_ai.log.EvalLog` reads them. Deflated, which every version reads."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from collections.abc import Sequence
from typing import Any

from vlmhb.exporting.source import Answered, Evaluated
from vlmhb.exporting.target import Export, File, file_name

VERSION = 2
_TIME = (2020, 1, 1, 0, 0, 0)  # equal content gives an equal file
_STOP = {
    "ok": "stop",
    "truncated": "max_tokens",
    "refused": "content_filter",
    "context_overflow": "model_length",
}


def inspect(evaluations: Sequence[Evaluated], *, references: bool) -> Export:
    files = tuple(File(name=_name(one), data=_log(one)) for one in evaluations)
    note = "targets are empty: --with-references exports the reference answers"
    return Export(files=files, notes=() if references else (note,))


def _name(one: Evaluated) -> str:
    time = one.created[:19].replace(":", "-")
    return f"{time}_{file_name(one.benchmark.name)}_{_id(one)}.eval"


def _id(one: Evaluated, *parts: str) -> str:
    """Stable, so that the same results give the same log."""
    return uuid.uuid5(uuid.NAMESPACE_URL, "/".join(("vlmhb", one.run_id, one.id, one.created, *parts))).hex[
        :22
    ]


def _log(one: Evaluated) -> bytes:
    spec, plan = _spec(one), {"name": "plan", "steps": [], "config": {}}
    start = {"version": VERSION, "eval": spec, "plan": plan}
    header = {**start, "status": "success", "results": _results(one), "stats": _stats(one)}
    samples = [_sample(answer, one=one) for answer in one.answers]
    members = {
        "_journal/start.json": start,
        **{f"samples/{sample['id']}_epoch_1.json": sample for sample in samples},
        "summaries.json": [_summary(sample) for sample in samples],
        "header.json": header,
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in members.items():
            info = zipfile.ZipInfo(name, _TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, json.dumps(value, ensure_ascii=False, indent=1))
    return buffer.getvalue()


def _model(one: Evaluated) -> str:
    return one.model if "/" in one.model else f"vlmhb/{one.model}"


def _spec(one: Evaluated) -> dict[str, Any]:
    return {
        "eval_id": _id(one, "eval"),
        "run_id": _id(one, "run"),
        "created": one.created,
        "task": one.benchmark.name,
        "task_id": _id(one, "task"),
        "task_version": one.benchmark.revision or 0,
        "dataset": {
            "name": one.benchmark.name,
            "samples": len(one.answers),
            "sample_ids": [answer.sample.sample_id for answer in one.answers],
        },
        "model": _model(one),
        "model_args": {},
        "config": {"epochs": 1},
        "packages": {},
        "metadata": {"vlmhb_run": one.run_id, "vlmhb_evaluation": one.id, "framework": one.framework},
    }


def _results(one: Evaluated) -> dict[str, Any]:
    scores = [
        {
            "name": metric.name,
            "scorer": metric.name,
            "params": {"version": metric.version, **metric.params},
            "metrics": {metric.average: {"name": metric.average, "value": metric.value, "params": {}}},
        }
        for metric in (one.metrics.metrics if one.metrics else ())
        if metric.value is not None
    ]
    answered = sum(answer.text is not None for answer in one.answers)
    return {"total_samples": len(one.answers), "completed_samples": answered, "scores": scores}


def _stats(one: Evaluated) -> dict[str, Any]:
    tokens = [_usage(answer) or {} for answer in one.answers]
    total = {
        name: sum(int(usage.get(name, 0)) for usage in tokens)
        for name in ("input_tokens", "output_tokens", "total_tokens")
    }
    return {"started_at": one.created, "completed_at": one.created, "model_usage": {_model(one): total}}


def _sample(answer: Answered, *, one: Evaluated) -> dict[str, Any]:
    references = list(answer.references)
    said = [{"role": message.role, "content": message.content} for message in answer.sample.messages]
    output = _output(answer, model=_model(one))
    sample = {
        "id": answer.sample.sample_id,
        "epoch": 1,
        "uuid": _id(one, answer.sample.sample_id),
        "input": answer.prompt,
        "choices": list(answer.sample.choices) if answer.sample.choices else None,
        "target": references[0] if len(references) == 1 else references or "",
        "messages": [*said, output["choices"][0]["message"]] if output["choices"] else said,
        "output": output,
        "scores": {name: {"value": value} for name, value in answer.scores.items() if value is not None},
        "metadata": dict(answer.sample.metadata),
        "store": {},
        "events": [],
        "attachments": {},
        "model_usage": {},
    }
    if answer.prediction.status not in _STOP:
        failure = {"message": answer.failure, "traceback": "", "traceback_ansi": ""}
        sample["error"] = failure
    return sample


def _output(answer: Answered, *, model: str) -> dict[str, Any]:
    """Where the provider refused or the prompt did not fit, inspect_ai keeps the reason as the text."""
    reason = _STOP.get(answer.prediction.status)
    if reason is None:
        return {"model": model, "choices": [], "completion": ""}
    text = answer.failure if answer.text is None else answer.text
    message = {"role": "assistant", "content": text, "source": "generate", "model": model}
    return {
        "model": model,
        "choices": [{"message": message, "stop_reason": reason}],
        "completion": text,
        "usage": _usage(answer),
        "time": answer.prediction.latency_s,
        "error": answer.failure if answer.text is None else None,
    }


def _usage(answer: Answered) -> dict[str, int] | None:
    taken, given = answer.prediction.input_tokens, answer.prediction.output_tokens
    if taken is None and given is None:
        return None
    return {
        "input_tokens": taken or 0,
        "output_tokens": given or 0,
        "total_tokens": (taken or 0) + (given or 0),
    }


def _summary(sample: dict[str, Any]) -> dict[str, Any]:
    keys = ("id", "epoch", "uuid", "input", "choices", "target", "metadata", "scores", "model_usage")
    failure = sample.get("error")
    told = {"error": failure["message"]} if failure else {}
    return {**{key: sample[key] for key in keys}, "completed": True, **told}
