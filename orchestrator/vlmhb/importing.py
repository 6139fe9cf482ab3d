"""What `import` does: another tool's answers become an answers file, and that an evaluation like any other.

The foreign file is read in the stages container, which has no network and sees nothing but it and the list of samples.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from vlmhb_stages.contracts import ImportSummary, MetricsFile
from vlmhb_stages.specs import ImportSpec

from vlmhb import application
from vlmhb.application import Prepared, Result
from vlmhb.console import Console
from vlmhb.contracts import EngineName
from vlmhb.engines.base import Mount
from vlmhb.engines.users import task_user
from vlmhb.errors import BadImport
from vlmhb.execution.jobs import Chain, prepare_job
from vlmhb.execution.session import Session, StopSignal, stop_on_signals
from vlmhb.execution.stages import StageJob, make_artifact
from vlmhb.naming import slug
from vlmhb.plan.fingerprint import import_identity
from vlmhb.plan.planner import plan_prepare, plan_stage
from vlmhb.progress import make_progress
from vlmhb.request import Request
from vlmhb.runs import RunRecord
from vlmhb.schedulers.local import LocalScheduler
from vlmhb.store.files import write_json
from vlmhb.store.manifest import Manifest

STAGE: Literal["import"] = "import"
FORMATS = ("auto", "vlmevalkit", "lmms-eval", "evalscope", "lighteval", "inspect", "upstream", "jsonl")
SAMPLES = "inputs/samples.jsonl"


@dataclass(frozen=True, kw_only=True)
class Import:
    """The options of `import`. `row`: columns of a run config that say what is evaluated, as the user gave them."""

    format: str
    file: Path
    row: Mapping[str, Any]
    workspace: Path
    engine: EngineName | None = None
    cards: tuple[Path, ...] = ()
    ids: Literal["auto", "id", "position"] = "auto"
    id_key: str | None = None


@dataclass(frozen=True, kw_only=True)
class Imported:
    """A sealed `import` artifact, and a run config that evaluates its answers."""

    fingerprint: str
    config: Path
    summary: ImportSummary


def import_answers(asked: Import, *, console: Console) -> Imported:
    """Raises what `run` raises for names, data and images; `BadImport` for the file."""
    if not asked.file.is_file():
        kind = "a folder, not a file" if asked.file.is_dir() else "no such file"
        raise BadImport(kind, where=str(asked.file), hint="name one file of predictions")
    with _draft(asked) as config:
        quiet = Console(err=io.StringIO())  # whatever there is to warn of, the run itself will say
        prepared = application.prepare(_request(asked, config=config, starts=False), console=quiet)
        with _session(prepared, console=console) as session:
            manifest = _import(asked, prepared.chains[0], session=session)
    out = prepared.workspace.artifact(STAGE, manifest.fingerprint).out
    summary = ImportSummary.model_validate_json((out / "summary.json").read_bytes())
    return Imported(
        fingerprint=manifest.fingerprint, config=_write_config(asked, prepared, manifest), summary=summary
    )


def evaluate(asked: Import, imported: Imported, *, console: Console) -> Prepared:
    """The run that evaluates imported answers, ready to be carried out."""
    return application.prepare(_request(asked, config=imported.config, starts=True), console=console)


def link(result: Result, imported: Imported, *, prepared: Prepared) -> None:
    """The run's folder leads to the import as well."""
    record = RunRecord(prepared.workspace, result.run_id)
    for evaluation in prepared.evaluations:
        record.link(evaluation.id, stage=STAGE, fingerprint=imported.fingerprint)


def own_values(result: Result) -> dict[str, float | None]:
    """Our metrics by name, where the evaluation was made."""
    found: dict[str, float | None] = {}
    for path in sorted(result.run_dir.glob("evaluations/*/evaluate/out/metrics.json")):
        metrics = MetricsFile.model_validate_json(path.read_bytes()).metrics
        found.update({metric.name: metric.value for metric in metrics})
    return found


def _request(asked: Import, *, config: Path, starts: bool) -> Request:
    return Request(
        config=config, workspace=asked.workspace, engine=asked.engine, cards=asked.cards, starts=starts
    )


@contextmanager
def _draft(asked: Import) -> Iterator[Path]:
    """A config that looks every name up before anything is read; the file itself stands in for the answers."""
    with TemporaryDirectory(prefix="vlmhb-import-") as folder:
        config = Path(folder) / f"{_name(asked.row)}.json"
        paths = {name: str(Path(path).absolute()) for name, path in _paths(asked).items()}
        config.write_text(_config({**asked.row, **paths}), encoding="utf-8")
        yield config


def _paths(asked: Import) -> dict[str, Path]:
    data = asked.row.get("dataset_path")
    return {"answers_file": asked.file, **({"dataset_path": Path(data)} if data else {})}


def _config(row: Mapping[str, Any]) -> str:
    given = {name: value for name, value in row.items() if value is not None}
    evaluation = {**given, "only_evaluate_metrics": True}
    return json.dumps({"evaluations": [evaluation]}, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _name(row: Mapping[str, Any]) -> str:
    return slug(f"import-{row['dataset']}-{row['model_name']}")


@contextmanager
def _session(prepared: Prepared, *, console: Console) -> Iterator[Session]:
    stop = StopSignal()
    with make_progress(console=console) as progress, stop_on_signals(stop):
        yield Session(
            run_id=STAGE,
            workspace=prepared.workspace,
            view=prepared.view,
            engine=prepared.engine,
            scheduler=LocalScheduler(),
            kit_path=prepared.kit.write(prepared.workspace.root / "cache" / "kits"),
            user=task_user(),
            progress=progress,
            stop=stop,
        )


def _import(asked: Import, chain: Chain, *, session: Session) -> Manifest:
    evaluation = chain.evaluation
    planned = plan_prepare(evaluation, chain.facts, session.view)
    prepared = make_artifact(session, planned, lambda: prepare_job(chain), evaluation_id=evaluation.id)
    spec = ImportSpec(format=asked.format, ids=asked.ids, id_key=asked.id_key)
    source = asked.file.resolve()
    digest = session.workspace.memo.tree(source).sha256
    identity = import_identity(spec, chain.facts, source=digest, samples=prepared.outputs[SAMPLES])
    subject = f"{evaluation.model.name}×{evaluation.benchmark.name}"
    planned = plan_stage(stage=STAGE, subject=subject, identity=identity, view=session.view)
    inputs = session.workspace.artifact("prepare", prepared.fingerprint).out
    job = StageJob(
        spec=spec,
        image=chain.facts.stages_image,
        mounts=(
            Mount(source=source, target=spec.source),
            Mount(source=inputs / SAMPLES, target=f"{spec.inputs}/samples.jsonl"),
        ),
        extra={"source_sha256": digest, "source_name": source.name},
    )
    return make_artifact(session, planned, lambda: job, evaluation_id=evaluation.id)


def _write_config(asked: Import, prepared: Prepared, manifest: Manifest) -> Path:
    """Beside the artifacts and relative to them, so that a moved workspace gives the same run."""
    folder = prepared.workspace.root / "imports" / manifest.fingerprint[:16]
    folder.mkdir(parents=True, exist_ok=True)
    answers = prepared.workspace.artifact(STAGE, manifest.fingerprint).out / "answers.jsonl"
    paths = {**_paths(asked), "answers_file": answers}
    relative = {name: os.path.relpath(path.absolute(), folder) for name, path in paths.items()}
    config = folder / f"{_name(asked.row)}.json"
    value = json.loads(_config({**asked.row, **relative}))
    write_json(config, value)
    return config


def told(imported: Imported, *, ours: Mapping[str, float | None]) -> Sequence[str]:
    """What a person is to know of an import, line by line."""
    summary = imported.summary
    statuses = ", ".join(f"{count} {status}" for status, count in summary.statuses.items())
    tool = f" ({summary.tool})" if summary.tool else ""
    origin = f"{summary.format}{tool}, by {summary.matched_by}"
    lines = [f"imported {summary.matched} of {summary.rows} rows, {origin}: {statuses}"]
    lines += [f"  {warning}" for warning in summary.warnings]
    if summary.metrics:
        theirs = ", ".join(f"{name} {one.mean:.4g} (n={one.n})" for name, one in summary.metrics.items())
        lines.append(f"  stored by the tool: {theirs}")
    if summary.metrics and ours:
        shown = ", ".join(f"{name} {value:.4g}" for name, value in ours.items() if value is not None)
        lines.append(f"  ours: {shown}")
    return lines
