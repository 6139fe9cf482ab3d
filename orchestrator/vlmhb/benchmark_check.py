"""What `benchmarks check` does: prepare a benchmark as a run would, and tell what came of it.

The result is a sealed artifact of the workspace like any other, so that the first run has it already.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from vlmhb.benchmark_findings import Findings, read_findings
from vlmhb.cards import Registry, load_registry
from vlmhb.cards.parse import parse_file
from vlmhb.cards.sources import yaml_files
from vlmhb.config.resolve import Roots, resolve
from vlmhb.console import Console
from vlmhb.contracts import BenchmarkCard, EngineName, EvaluationRow, Place, ResolvedEvaluation, RunConfig
from vlmhb.errors import BadCard, ErrorList, VlmhbError
from vlmhb.preparing import NOBODY, sealed_inputs
from vlmhb.request import card_folders, raise_all

NAME = "benchmarks-check"
BY_NAME = NOBODY.model_copy(update={"name": NAME})


@dataclass(frozen=True, kw_only=True)
class Check:
    """The options of `benchmarks check`. `target`: a card's name, a card file, a folder with a card, or data."""

    target: str
    workspace: Path
    engine: EngineName | None = None
    cards: tuple[Path, ...] = ()
    data: Path | None = None  # in place of the card's own
    task: str | None = None
    limit: int | None = None


@dataclass(frozen=True, kw_only=True)
class Checked:
    """`artifact`: the folder of the sealed `prepare` artifact, which a run will use."""

    benchmark: BenchmarkCard
    path: Path
    artifact: Path
    findings: Findings


def check(asked: Check, *, console: Console) -> Checked:
    """Raises what a run would raise for the card, the data, the engine and the image, all before or in `prepare`."""
    evaluation, registry = _resolve(asked)
    for warning in evaluation.warnings:
        console.warn(warning)
    inputs = sealed_inputs(
        evaluation,
        registry=registry,
        workspace=asked.workspace,
        engine=asked.engine,
        console=console,
        called=NAME,
    )
    return Checked(
        benchmark=evaluation.benchmark,
        path=evaluation.dataset_path,
        artifact=inputs.artifact.folder,
        findings=read_findings(inputs.artifact.out, warnings=inputs.warnings),
    )


def _resolve(asked: Check) -> tuple[ResolvedEvaluation, Registry]:
    target = Path(asked.target)
    folders = card_folders(target / "run.csv" if target.is_dir() else target, given=asked.cards)
    registry = load_registry(user_dirs=folders)
    card = _card(asked, registry=registry)
    data = str(asked.data) if asked.data is not None else None
    if card is not None:
        registry = replace(registry, benchmarks=(card,))
    elif not target.exists():
        registry.find_benchmark(asked.target, asked.task)
    elif data is None:
        data = asked.target
    row = EvaluationRow(
        place=Place(file=asked.target),
        dataset=card.name if card is not None else target.absolute().name,
        task=card.task if card is not None else asked.task,
        model_name=NAME,
        dataset_path=data,
        limit=asked.limit,
    )
    registry = replace(registry, models=(BY_NAME,))
    config = RunConfig(path=target, rows=(row,))
    roots = Roots(config_dir=Path.cwd(), cwd=Path.cwd())
    resolved = resolve(config, registry=registry, roots=roots, workspace=asked.workspace)
    if resolved.errors:
        raise_all(resolved.errors)
    return resolved.evaluations[0], registry


def _card(asked: Check, *, registry: Registry) -> BenchmarkCard | None:
    """The card that is meant: by name where it is a card's, else the only one in the file or folder."""
    target = Path(asked.target)
    if any(card.name == asked.target for card in registry.benchmarks):
        return registry.find_benchmark(asked.target, asked.task)
    if target.suffix in (".yaml", ".yml") and target.is_file():
        return _only(_cards_in([target]), asked=asked, needed=True)
    if target.is_dir():
        places = (target, target / "cards", target / "cards" / "benchmarks", target / "benchmarks")
        return _only(_cards_in(_telling(places)), asked=asked, needed=False)
    return None


def _telling(folders: tuple[Path, ...]) -> Iterator[Path]:
    """Files of a folder that may be cards; a dataset may have YAML files of its own beside it."""
    for number, folder in enumerate(folders):
        for path in yaml_files(folder):
            if number > 0 or not parse_file(path, kind=None).errors:
                yield path


def _cards_in(paths: Iterator[Path] | list[Path]) -> list[BenchmarkCard]:
    cards: list[BenchmarkCard] = []
    errors: list[VlmhbError] = []
    for path in paths:
        parsed = parse_file(path, kind=None)
        errors += parsed.errors
        cards += [card for card in parsed.cards if isinstance(card, BenchmarkCard)]
    if errors:
        raise errors[0] if len(errors) == 1 else ErrorList(errors)
    return cards


def _only(cards: list[BenchmarkCard], *, asked: Check, needed: bool) -> BenchmarkCard | None:
    wanted = [card for card in cards if asked.task in (None, card.task, card.task_type)]
    if len(wanted) > 1:
        names = ", ".join(card.name for card in wanted)
        hint = f"check one by its name, with --cards: {names}"
        raise BadCard(f"{len(wanted)} benchmark cards", where=asked.target, hint=hint)
    if needed and not wanted:
        raise BadCard("no benchmark card", where=asked.target, hint="vlmhb init benchmark writes an example")
    return wanted[0] if wanted else None
