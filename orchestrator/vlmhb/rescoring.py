"""What `rescore` does beforehand: the sealed answers of a run, and how they are to be scored now.

No model, no network and no dataset folder: what `evaluate` reads lies in the artifacts of the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from vlmhb.application import Prepared
from vlmhb.cards import Registry, load_registry
from vlmhb.config.problems import Problems, Sources
from vlmhb.config.resolve import Roots
from vlmhb.config.scoring import Scoring, find_scoring
from vlmhb.console import Console
from vlmhb.contracts import EngineName, EvaluationRow, Place, ResolvedEvaluation, RunConfig
from vlmhb.dataset_files import dataset_mount
from vlmhb.engines.base import ImageSpec
from vlmhb.engines.detect import detect_engine
from vlmhb.errors import NotSealed, UnknownRun, VlmhbError
from vlmhb.facts import STAGES_IMAGE, FactFinder
from vlmhb.kit import STAGE_CODE, Kit
from vlmhb.plan.fingerprint import annotation_name
from vlmhb.plan.model import Facts
from vlmhb.request import card_folders, raise_all
from vlmhb.runs import RunRecord
from vlmhb.store.files import read_json
from vlmhb.store.hashing import TreeHash, sha256_file, sha256_json
from vlmhb.store.manifest import Manifest
from vlmhb.store.view import WorkspaceView
from vlmhb.store.workspace import Workspace

COMMAND_LINE = Place(file="the command line")
UPSTREAM = "upstream-0.1"


@dataclass(frozen=True, kw_only=True)
class Rescore:
    """The options of `rescore`; None leaves things as the run had them."""

    run: str
    workspace: Path
    metrics: tuple[str, ...] | None = None
    profile: str | None = None
    extraction: str | None = None
    engine: EngineName | None = None
    cards: tuple[Path, ...] = ()

    @property
    def changes(self) -> dict[str, Any]:
        """Columns of a row that it sets."""
        given = {
            "metrics": self.metrics,
            "metrics_profile": self.profile,
            "extraction": self.extraction,
        }
        return {name: value for name, value in given.items() if value is not None}


def prepare(request: Rescore, *, console: Console) -> Prepared:
    """Raises what `run` raises for names and images; `UnknownRun`; `NotSealed` when no answers are sealed."""
    workspace = Workspace.open(request.workspace)
    record = RunRecord.find(workspace, request.run)
    state = record.state()
    before = record.evaluations()
    if not before:
        what = f"the record of {record.id} does not say what it evaluated"
        raise UnknownRun(what, where=str(record.folder), hint="run its config once more: answers are reused")
    folders = _card_folders(request, state=state)
    registry = load_registry(user_dirs=folders)
    evaluations = _rescored(request, before, state=state, registry=registry)
    engine = detect_engine(request.engine or cast(EngineName, state.get("engine", "auto")))
    kit = Kit.collect()
    finder = FactFinder(workspace=workspace, engine=engine, kit=kit, registry=registry, warn=console.warn)
    view = WorkspaceView(workspace)
    found, failures = _find_answers(evaluations, record=record, view=view, finder=finder, kit=kit)
    if not found:
        raise_all(list({error.line(): error for error in failures.values()}.values()))
    for item in found.values():
        for warning in item.warnings:
            console.warn(warning)
    return Prepared(
        run_id=f"{record.id}-rescore-{sha256_json([request.changes, engine.name])[:8]}",
        workspace=workspace,
        engine=engine,
        kit=kit,
        config=_config(record, before),
        evaluations=tuple(found[item.id].evaluation if item.id in found else item for item in evaluations),
        facts={name: item.facts for name, item in found.items()},
        failures=failures,
        errors=(),
        view=view,
        cards=folders,
        sealed={name: item.sealed for name, item in found.items()},
    )


@dataclass(frozen=True, kw_only=True)
class _Answers:
    """One evaluation of the run with its sealed artifacts."""

    evaluation: ResolvedEvaluation
    facts: Facts
    sealed: Mapping[str, Manifest]
    warnings: tuple[str, ...] = ()


def _card_folders(request: Rescore, *, state: Mapping[str, Any]) -> tuple[Path, ...]:
    """Those of the run that are still there, those given, and `cards/` beside its config."""
    kept = [path for name in state.get("cards", []) if (path := Path(name)).is_dir()]
    return card_folders(Path(state["config"]), given=(*kept, *request.cards))


def _config(record: RunRecord, before: list[ResolvedEvaluation]) -> RunConfig:
    """The run's own copy of its config: the user's file may have changed or gone."""
    copy = next(iter(sorted(record.folder.glob("config.*"))), record.folder / "config")
    return RunConfig(path=copy, rows=tuple(item.row for item in before))


def _rescored(
    request: Rescore,
    before: list[ResolvedEvaluation],
    *,
    state: Mapping[str, Any],
    registry: Registry,
) -> list[ResolvedEvaluation]:
    """`before` with the new scoring. Raises every mistake at once."""
    cwd = Path.cwd() if request.metrics is not None else Path(state["cwd"])
    roots = Roots(config_dir=Path(state["config"]).parent, cwd=cwd)
    sources = Sources(registry=registry, roots=roots, workspace=request.workspace.absolute())
    rescored, errors = [], {}
    for evaluation in before:
        row = evaluation.row.model_copy(update=request.changes)
        told = row.model_copy(update={"place": COMMAND_LINE}) if request.changes else row
        problems = Problems(row=told)
        look_up = partial(find_scoring, problems, benchmark=evaluation.benchmark, sources=sources)
        scoring = problems.attempt(look_up)
        errors.update({error.line(): error for error in problems.errors})
        if scoring is not None:
            rescored.append(_with_scoring(evaluation, row=row, scoring=scoring))
    if errors:
        raise_all(list(errors.values()))
    return rescored


def _with_scoring(
    evaluation: ResolvedEvaluation, *, row: EvaluationRow, scoring: Scoring
) -> ResolvedEvaluation:
    return evaluation.model_copy(
        update={
            "row": row,
            "metrics": scoring.metrics,
            "primary": scoring.primary,
            "user_metrics": scoring.user_metrics,
            "extraction": scoring.extraction,
            "gate": scoring.gate,
            "profile": scoring.profile,
        }
    )


def _find_answers(
    evaluations: list[ResolvedEvaluation],
    *,
    record: RunRecord,
    view: WorkspaceView,
    finder: FactFinder,
    kit: Kit,
) -> tuple[dict[str, _Answers], dict[str, VlmhbError]]:
    found: dict[str, _Answers] = {}
    failures: dict[str, VlmhbError] = {}
    for evaluation in evaluations:
        try:
            sealed = _sealed(evaluation.id, record=record, view=view)
            found[evaluation.id] = _answers(evaluation, sealed=sealed, record=record, finder=finder, kit=kit)
        except VlmhbError as error:
            failures[evaluation.id] = error
    return found, failures


def _sealed(name: str, *, record: RunRecord, view: WorkspaceView) -> dict[str, Manifest]:
    """Raises `NotSealed`, `ArtifactEdited`."""
    manifests = {}
    for stage in ("prepare", "infer"):
        fingerprint = record.linked(name, stage=stage)
        manifest = view.sealed(stage, fingerprint) if fingerprint is not None else None
        if manifest is None:
            what = f"the answers of {name} are not complete: {stage} is not sealed"
            hint = f"finish the run first: vlmhb resume {record.id}"
            raise NotSealed(what, where=str(record.folder / "evaluations" / name), hint=hint)
        manifests[stage] = manifest
    return manifests


def _answers(
    evaluation: ResolvedEvaluation,
    *,
    sealed: dict[str, Manifest],
    record: RunRecord,
    finder: FactFinder,
    kit: Kit,
) -> _Answers:
    """Files of the dataset are used where they are still what they were: for columns in `legacy/` alone."""
    inferred, prepared = sealed["infer"], sealed["prepare"]
    artifact = (record.folder / "evaluations" / evaluation.id / "prepare").resolve()
    facts = Facts(
        stages_image=finder.image(STAGES_IMAGE),
        model_image=_server_image(inferred),
        stage_code={stage: kit.stage_sha(stage) for stage in STAGE_CODE},
        interface_code="",
        kit_sha256=kit.sha256,
        dataset=TreeHash(
            sha256=str(prepared.extra.get("dataset_sha256", "")),
            files=read_json(artifact / "sources.json") or {},
            size=0,
        ),
        weights_sha256=inferred.extra.get("weights_sha256"),
        answers_sha256=inferred.identity["model"].get("answers"),
        metric_versions=finder.metrics(evaluation),
        backend_images=finder.backends(evaluation),
    )
    warnings = []
    if not _annotation_is_there(evaluation, facts):
        if annotation_name(evaluation, facts) is not None:
            warnings.append(f"{evaluation.id}: its annotation file is gone: legacy/ has none of its columns")
        facts = facts.model_copy(update={"dataset": replace(facts.dataset, files={})})
    return _with_answers_file(
        _Answers(evaluation=evaluation, facts=facts, sealed=sealed, warnings=tuple(warnings))
    )


def _with_answers_file(found: _Answers) -> _Answers:
    """The prototype's profile pairs by the order of rows in that file, where the answers came from one."""
    file, known = found.evaluation.answers_file, found.facts.answers_sha256
    if file is None or (file.is_file() and _sha_of_file(file) == known):
        return found
    evaluation = found.evaluation.model_copy(update={"answers_file": None})
    warnings = found.warnings
    if evaluation.profile == UPSTREAM:
        note = f"{evaluation.id}: {file} is gone or changed: rows are paired in the order of the samples"
        warnings = (*warnings, note)
    return _Answers(evaluation=evaluation, facts=found.facts, sealed=found.sealed, warnings=warnings)


def _annotation_is_there(evaluation: ResolvedEvaluation, facts: Facts) -> bool:
    name = annotation_name(evaluation, facts)
    if name is None:
        return False
    path = dataset_mount(evaluation) / name
    return path.is_file() and sha256_file(path) == facts.dataset.files[name]


def _sha_of_file(path: Path) -> str:
    """As `FactFinder` hashes a single file."""
    return sha256_json({path.name: sha256_file(path)})


def _server_image(inferred: Manifest) -> ImageSpec | None:
    """Of the server that answered, for the report; it need not be here any more."""
    ref, identity = inferred.extra.get("server_image"), inferred.extra.get("server_image_identity")
    return ImageSpec(name=str(ref), ref=str(ref), identity=str(identity)) if ref else None
