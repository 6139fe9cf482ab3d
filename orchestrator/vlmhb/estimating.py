"""Looks in the workspace for what an estimate needs: answers of the last run, prepared inputs, times of a server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from vlmhb.contracts import ResolvedEvaluation
from vlmhb.plan.model import PlannedEvaluation, PlannedStage
from vlmhb.pricing.estimate import NOTHING, Asked, Basis, Range, Used, from_answers, from_inputs
from vlmhb.pricing.machines import HOUR_S
from vlmhb.store.artifacts import Artifact
from vlmhb.store.workspace import Workspace

MAX_ANSWERS = 2000
MAX_INPUTS = 200
FINAL = ("ok", "truncated", "refused", "context_overflow")
_WORDS: Mapping[Basis, str] = {
    "answers": "from the tokens of {seen} answers of the last run",
    "inputs": "from the texts and images of {seen} samples; no answer is known yet",
    "time": "from the GPU time of the last run",
    "nothing to ask": "nothing to ask",
    "unknown": "unknown until prepared",
}


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """`cost` None: not known. `samples` None: not known how many are to be asked. `seen`: of how many it was made.

    `each`: mean cost of a sample in the last run, where there was one."""

    id: str
    basis: Basis
    currency: str
    samples: int | None = None
    cost: Range | None = None
    seen: int = 0
    each: float | None = None

    def words(self) -> str:
        told = _WORDS[self.basis].format(seen=self.seen)
        known = self.basis == "unknown" and self.each is not None
        return f"{told}; a sample cost {self.each:.3g} {self.currency} in the last run" if known else told


def estimates(
    planned: Sequence[PlannedEvaluation],
    evaluations: Mapping[str, ResolvedEvaluation],
    *,
    workspace: Workspace,
) -> list[Estimate]:
    """Of the evaluations whose model has a price."""
    found = (_estimate(plan, evaluations[plan.id], workspace=workspace) for plan in planned)
    return [estimate for estimate in found if estimate is not None]


def _estimate(
    plan: PlannedEvaluation, evaluation: ResolvedEvaluation, *, workspace: Workspace
) -> Estimate | None:
    price, machine = evaluation.price, evaluation.machine
    if evaluation.answers_file is not None or evaluation.model.interface == "replay":
        return None
    by_hour = machine is not None and bool(machine.gpu_hour) and evaluation.model.gpus > 0
    if price is None and not by_hour:
        return None
    currency = price.currency if price else machine.currency if machine else ""
    stages = {stage.stage: stage for stage in plan.stages}
    infer = stages.get("infer")
    if infer is None or infer.decision == "reuse":
        return Estimate(id=plan.id, basis="nothing to ask", currency=currency, samples=0, cost=NOTHING)
    inputs = _inputs(stages.get("prepare"), workspace=workspace)
    last = _last_run(infer, workspace=workspace)
    samples = _to_ask(infer, inputs=inputs, evaluation=evaluation, workspace=workspace)
    if price is None:
        return _by_time(evaluation, last, samples=samples, currency=currency)
    images = _images_of(inputs)
    used = list(islice(_used(last, images=images), MAX_ANSWERS)) if last is not None else []
    known = Estimate(id=plan.id, basis="unknown", currency=currency, samples=samples, seen=len(used))
    if used:
        one = from_answers(used, samples=1, price=price)
        known = replace(known, each=(one.low + one.high) / 2)
    if used and samples is not None:
        return replace(known, basis="answers", cost=from_answers(used, samples=samples, price=price))
    asked = list(islice(_asked(inputs), MAX_INPUTS)) if inputs is not None else []
    if not asked or samples is None:
        return known
    cost = from_inputs(asked, samples=samples, price=price, max_tokens=evaluation.decoding.max_tokens)
    return replace(known, basis="inputs", cost=cost, seen=len(asked))


def _by_time(
    evaluation: ResolvedEvaluation, last: Artifact | None, *, samples: int | None, currency: str
) -> Estimate:
    """GPUs are paid for as long as the last run took for each sample, half as long to twice as long."""
    manifest = last.manifest() if last is not None else None
    answered = sum(1 for _ in _records(last)) if last is not None else 0
    rate = evaluation.machine.dearest_gpu_hour if evaluation.machine else None
    if manifest is None or not answered or samples is None or rate is None:
        return Estimate(id=evaluation.id, basis="unknown", currency=currency, samples=samples)
    middle = manifest.wall_s / answered * samples * evaluation.model.gpus * rate / HOUR_S
    cost = Range(low=middle / 2, high=middle * 2)
    return Estimate(
        id=evaluation.id, basis="time", currency=currency, samples=samples, cost=cost, seen=answered
    )


def _inputs(prepare: PlannedStage | None, *, workspace: Workspace) -> Path | None:
    """The prepared samples, where they are there as they will be used."""
    if prepare is None or prepare.decision != "reuse" or prepare.fingerprint is None:
        return None
    return workspace.artifact("prepare", prepare.fingerprint).out


def _last_run(infer: PlannedStage, *, workspace: Workspace) -> Artifact | None:
    """The newest inference of the same model on the same benchmark that has answers: sealed or not."""
    found: list[tuple[str, Artifact]] = []
    for artifact in workspace.artifacts("infer"):
        attempt = artifact.attempt() or {}
        if attempt.get("subject") == infer.subject and any(_used(artifact, images=1)):
            found.append((str(attempt.get("started")), artifact))
    return max(found, key=lambda one: one[0], default=("", None))[1]


def _to_ask(
    infer: PlannedStage,
    *,
    inputs: Path | None,
    evaluation: ResolvedEvaluation,
    workspace: Workspace,
) -> int | None:
    """All samples but those that have a final record. Answers that another run may lend are not looked for."""
    if inputs is None:
        return evaluation.row.limit
    total = sum(1 for _ in _lines(inputs / "inputs" / "samples.jsonl"))
    if infer.fingerprint is None:
        return total
    own = workspace.artifact("infer", infer.fingerprint)
    done = {record.get("sample_id") for record in _records(own) if record.get("status") in FINAL}
    return max(0, total - len(done))


def _records(artifact: Artifact) -> Iterator[dict[str, Any]]:
    return _lines(artifact.out / "predictions.jsonl")


def _used(artifact: Artifact, *, images: int) -> Iterator[Used]:
    for record in _records(artifact):
        tokens = record.get("input_tokens"), record.get("output_tokens")
        if all(isinstance(count, int) for count in tokens) and record.get("fallback") is None:
            yield Used(
                input_tokens=int(record["input_tokens"]),
                output_tokens=int(record["output_tokens"]),
                cached_tokens=int(record.get("cached_tokens") or 0),
                image_tokens=int(record.get("image_tokens") or 0),
                images=images,
            )


def _images_of(inputs: Path | None) -> int:
    """Images of a sample, of most of them."""
    counts = [len(one.pixels) for one in islice(_asked(inputs), MAX_INPUTS)] if inputs is not None else []
    return sorted(counts)[len(counts) // 2] if counts else 1


def _asked(inputs: Path) -> Iterator[Asked]:
    labels = {
        str(label.get("sample_id")): max((len(text) for text in label.get("references") or [""]), default=0)
        for label in islice(_lines(inputs / "labels" / "labels.jsonl"), MAX_INPUTS)
    }
    for sample in _lines(inputs / "inputs" / "samples.jsonl"):
        yield Asked(
            characters=sum(len(str(message.get("content", ""))) for message in sample.get("messages", [])),
            pixels=tuple(int(image["width"]) * int(image["height"]) for image in sample.get("images", [])),
            reference=labels.get(str(sample.get("sample_id")), 0),
        )


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """JSON objects, one a line; torn ones are left out."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for line in file:
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict):
                yield value
