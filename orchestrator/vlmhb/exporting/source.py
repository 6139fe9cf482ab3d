"""What there is to export: one evaluation of a run with its samples, answers, scores and, if wanted, references."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from vlmhb_stages.contracts import Label, MetricsFile, Prediction, Record, Sample, Score

from vlmhb.contracts import BenchmarkCard
from vlmhb.errors import ExportRefused, UnknownRun
from vlmhb.runs import RunRecord
from vlmhb.store.files import read_json
from vlmhb.store.manifest import Manifest
from vlmhb.store.view import WorkspaceView
from vlmhb.store.workspace import Workspace

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One sample, what the model was asked and what became of it. `references` are empty unless asked for."""

    sample: Sample
    prediction: Prediction
    scores: Mapping[str, float | None] = field(default_factory=dict)
    references: tuple[str, ...] = ()

    @property
    def prompt(self) -> str:
        """What the user says last."""
        said = [message.content for message in self.sample.messages if message.role == "user"]
        return said[-1] if said else ""

    @property
    def text(self) -> str | None:
        """The answer; None where there is none."""
        return self.prediction.text if self.prediction.status in ("ok", "truncated") else None

    @property
    def failure(self) -> str:
        """Why there is none."""
        error = self.prediction.error
        return f"{error.kind}: {error.message}" if error else self.prediction.status


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """`created`: ISO 8601, when the answers were sealed, so that the same run gives the same files.

    `legacy`: the prototype's files, by name. `report`: the evaluation's entry in `report.json`."""

    id: str
    run_id: str
    model: str
    framework: str
    benchmark: BenchmarkCard
    created: str
    answers: tuple[Answered, ...]
    metrics: MetricsFile | None = None
    legacy: Mapping[str, bytes] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)

    def without_references(self) -> Evaluated:
        return replace(self, answers=tuple(replace(answer, references=()) for answer in self.answers))

    @property
    def stamp(self) -> str:
        """`YYYYMMDD_HHMMSS`."""
        return self.created[:19].replace("-", "").replace(":", "").replace("T", "_")


def formula_notes(evaluations: Sequence[Evaluated]) -> tuple[str, ...]:
    """For formats of cells, in which a text is written as it is, also where a spreadsheet would compute it."""
    texts = (answer.text or "" for one in evaluations for answer in one.answers)
    count = sum(text.startswith(("=", "+", "-", "@")) for text in texts)
    told = f"{count} answers start with = + - or @: open the file as text in a spreadsheet"
    return (told,) if count else ()


def find_evaluated(
    workspace: Workspace, *, run: str | None, evaluation: str | None, references: bool
) -> list[Evaluated]:
    """Those of a run whose answers are sealed. Raises `UnknownRun`, `ExportRefused`, `ArtifactEdited`."""
    record = RunRecord.find(workspace, run)
    known = record.evaluations()
    wanted = [one for one in known if evaluation in (None, one.id)]
    if not wanted:
        there = ", ".join(one.id for one in known) or "none"
        raise UnknownRun(f"no evaluation {evaluation!r}", where=record.id, hint=f"there are {there}")
    view = WorkspaceView(workspace)
    entries = {
        str(entry.get("id")): entry
        for entry in (read_json(record.report_dir / "report.json") or {}).get("evaluations", [])
    }
    found = []
    for one in wanted:
        made = {
            stage: manifest
            for stage in ("prepare", "infer", "evaluate")
            if (manifest := _sealed(record, view, evaluation=one.id, stage=stage)) is not None
        }
        if "prepare" not in made or "infer" not in made:
            raise ExportRefused(
                f"the answers of {one.id} are not complete",
                where=record.id,
                hint="the same vlmhb run command continues, or name another evaluation",
            )
        inferred = made["infer"]
        found.append(
            Evaluated(
                id=one.id,
                run_id=record.id,
                model=one.model.name,
                framework=one.model.framework,
                benchmark=one.benchmark,
                created=inferred.created,
                answers=tuple(_answers(workspace, made, references=references)),
                metrics=_metrics(workspace, made),
                legacy=_legacy(workspace, made),
                report=entries.get(one.id, {}),
            )
        )
    return found


def _sealed(record: RunRecord, view: WorkspaceView, *, evaluation: str, stage: str) -> Manifest | None:
    fingerprint = record.linked(evaluation, stage=stage)
    return view.sealed(stage, fingerprint) if fingerprint else None


def _out(workspace: Workspace, manifest: Manifest) -> Path:
    return workspace.artifact(manifest.stage, manifest.fingerprint).out


def _answers(workspace: Workspace, made: Mapping[str, Manifest], *, references: bool) -> Iterator[Answered]:
    """In the benchmark's order; labels are opened only when they are asked for."""
    prepared = _out(workspace, made["prepare"])
    predictions = {
        one.sample_id: one
        for one in _records(_out(workspace, made["infer"]) / "predictions.jsonl", kind=Prediction)
    }
    scores = {one.sample_id: one.scores for one in _scores(workspace, made)}
    labels = {
        one.sample_id: one.references
        for one in (_records(prepared / "labels" / "labels.jsonl", kind=Label) if references else ())
    }
    for sample in _records(prepared / "inputs" / "samples.jsonl", kind=Sample):
        yield Answered(
            sample=sample,
            prediction=predictions[sample.sample_id],
            scores=scores.get(sample.sample_id, {}),
            references=labels.get(sample.sample_id, ()),
        )


def _scores(workspace: Workspace, made: Mapping[str, Manifest]) -> Sequence[Score]:
    if "evaluate" not in made:
        return ()
    return list(_records(_out(workspace, made["evaluate"]) / "scores.jsonl", kind=Score))


def _records(path: Path, *, kind: type[R]) -> Iterator[R]:
    with path.open("rb") as file:
        for line in file:
            if line.strip():
                yield kind.model_validate_json(line)


def _metrics(workspace: Workspace, made: Mapping[str, Manifest]) -> MetricsFile | None:
    if "evaluate" not in made:
        return None
    return MetricsFile.model_validate_json((_out(workspace, made["evaluate"]) / "metrics.json").read_bytes())


def _legacy(workspace: Workspace, made: Mapping[str, Manifest]) -> dict[str, bytes]:
    if "evaluate" not in made:
        return {}
    folder = _out(workspace, made["evaluate"]) / "legacy"
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.csv"))}
