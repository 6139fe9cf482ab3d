"""In which order models infer and how many at the same time: the longest first, one on each GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError
from vlmhb_stages.contracts import InferSummary

from vlmhb.errors import VlmhbError
from vlmhb.execution.jobs import Chain
from vlmhb.execution.session import Session
from vlmhb.plan.fingerprint import model_identity
from vlmhb.plan.planner import plan_infer, subject_of
from vlmhb.resources.need import GpuNeed, need_of
from vlmhb.store.artifacts import Artifact
from vlmhb.store.files import read_json
from vlmhb.store.hashing import sha256_json
from vlmhb.store.manifest import Manifest

UNKNOWN_S = 1.0  # per sample of a model that has never been measured here


@dataclass(frozen=True, kw_only=True)
class Group:
    """Evaluations of one model, which is loaded once. `need` is None where the model is not ours to start."""

    chains: tuple[Chain, ...]
    seconds: float
    need: GpuNeed | None

    @property
    def gpus(self) -> int:
        return self.need.total if self.need is not None else 0


@dataclass(frozen=True, kw_only=True)
class Lane:
    """Groups that wait for the same kind of room; `workers` of them run at the same time."""

    groups: tuple[Group, ...]
    workers: int


def lanes(groups: Sequence[Group], *, session: Session, jobs: int | None) -> list[Lane]:
    """`jobs` given: so many models, whatever they need. Else as many as there are GPUs, and one that needs none.

    More workers than leases do no harm: a model waits for its GPUs before it is started."""
    if jobs is not None:
        return [Lane(groups=tuple(groups), workers=jobs)]
    on_gpus = tuple(group for group in groups if group.gpus)
    others = tuple(group for group in groups if not group.gpus)
    found = []
    if on_gpus:
        room = max(1, len(session.gpus.usable) // min(group.gpus for group in on_gpus))
        found.append(Lane(groups=on_gpus, workers=room))
    if others:
        found.append(Lane(groups=others, workers=1))
    return found


def groups_of(chains: Sequence[Chain], *, session: Session, prepared: Mapping[str, Manifest]) -> list[Group]:
    """Chains of the same model on the same servers together, so that it is loaded once; the longest first.

    `prepared`: sealed inputs by evaluation; a chain without them cannot go on."""
    groups: dict[str, list[Chain]] = {}
    for chain in chains:
        if chain.evaluation.id in prepared:
            identity, row = model_identity(chain.evaluation, chain.facts), chain.evaluation.row
            # the second row would get the servers that the first has started, whatever it says itself
            place = [row.gpus, row.replicas, row.batch_size, chain.evaluation.base_url]
            key = sha256_json([identity, *place])
            groups.setdefault(key, []).append(chain)
    return _longest_first(list(groups.values()), session=session, prepared=prepared)


def _longest_first(
    groups: Sequence[Sequence[Chain]], *, session: Session, prepared: Mapping[str, Manifest]
) -> list[Group]:
    """By planned samples and what one sample took last time; equal ones stay in their order."""
    known = _Measured.of(session)
    made = [
        Group(
            chains=tuple(chains),
            seconds=sum(_seconds(chain, session=session, prepared=prepared, known=known) for chain in chains),
            need=need_of(chains[0].evaluation) if chains[0].facts.model_image is not None else None,
        )
        for chains in groups
    ]
    return sorted(made, key=lambda group: -group.seconds)


@dataclass(frozen=True, kw_only=True)
class _Measured:
    """Seconds per sample of earlier inferences, the newest of each model on each benchmark."""

    by_subject: Mapping[str, float]

    @staticmethod
    def of(session: Session) -> _Measured:
        found: dict[str, tuple[str, float]] = {}
        for artifact in session.workspace.artifacts("infer"):
            attempt = artifact.attempt() or {}
            subject, started = str(attempt.get("subject")), str(attempt.get("started"))
            if started < found.get(subject, ("", 0.0))[0]:
                continue
            per_sample = _per_sample(artifact)
            if per_sample is not None:
                found[subject] = (started, per_sample)
        return _Measured(by_subject={subject: seconds for subject, (_, seconds) in found.items()})


def _per_sample(artifact: Artifact) -> float | None:
    try:
        summary = InferSummary.model_validate(read_json(artifact.out / "summary.json"))
    except ValidationError:  # none, or one of another version
        return None
    asked = summary.counts.planned - summary.imported
    return summary.wall_s / asked if asked > 0 and summary.wall_s > 0 else None


def _seconds(chain: Chain, *, session: Session, prepared: Mapping[str, Manifest], known: _Measured) -> float:
    """Nothing for what is there already, nor for what cannot go on: its own turn tells why."""
    evaluation, inputs = chain.evaluation, prepared[chain.evaluation.id]
    try:
        planned = plan_infer(evaluation, chain.facts, session.view, prepared=inputs)
    except VlmhbError:
        return 0.0
    if planned.decision == "reuse":
        return 0.0
    each = known.by_subject.get(subject_of(evaluation, stage="infer"), UNKNOWN_S)
    samples = session.workspace.artifact("prepare", inputs.fingerprint).out / "inputs" / "samples.jsonl"
    with samples.open("rb") as file:
        return each * sum(1 for _ in file)
