"""What can be named in a config: `vlmhb models|benchmarks list|show`, and the JSON Schema of configs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vlmhb.cli.options import DEFAULT_WORKSPACE, CardsOption, VlmBaseOption, WorkspaceOption
from vlmhb.cli.showing import AsJson, Name, registry_of, show_rows, show_value

if TYPE_CHECKING:
    from vlmhb.cards import Registry
    from vlmhb.contracts import BenchmarkCard

models = typer.Typer(help="Models that a config can name.", no_args_is_help=True, rich_markup_mode=None)
benchmarks = typer.Typer(
    help="Benchmarks that a config can name.", no_args_is_help=True, rich_markup_mode=None
)
MODEL_COLUMNS = ("model", "framework", "tasks", "image", "what it is")
BENCHMARK_COLUMNS = ("benchmark", "task", "type", "languages", "metrics", "data", "what it is")


@models.command("list")
def models_list(cards: CardsOption = None, vlm_base: VlmBaseOption = None, as_json: AsJson = False) -> None:
    """One line per model: name, framework, tasks, image."""
    found = registry_of(cards, vlm_base=vlm_base).models
    rows = [
        (card.name, card.framework, ",".join(card.tasks), card.image or "-", card.description)
        for card in found
    ]
    values = [card.model_dump(mode="json") for card in found]
    show_rows(rows, headers=MODEL_COLUMNS, values=values, as_json=as_json)


@models.command("show")
def models_show(
    name: Name,
    framework: Annotated[
        str | None, typer.Option("--framework", help="Where several models have the name.")
    ] = None,
    cards: CardsOption = None,
    vlm_base: VlmBaseOption = None,
    as_json: AsJson = False,
) -> None:
    """The whole card."""
    card = registry_of(cards, vlm_base=vlm_base).find_model(name, framework)
    show_value(card.model_dump(mode="json"), as_json=as_json)


@benchmarks.command("list")
def benchmarks_list(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE, cards: CardsOption = None, as_json: AsJson = False
) -> None:
    """One line per benchmark: name, task, languages, metrics, and whether its data are here."""
    registry = registry_of(cards)
    rows, values = [], []
    for card in registry.benchmarks:
        path = _data(card, registry=registry, workspace=workspace)
        own = (card.name, card.task, card.task_type, ",".join(card.languages), ",".join(card.metrics))
        rows.append((*own, "here" if path else "missing", card.description))
        values.append({**card.model_dump(mode="json"), "data": str(path) if path else None})
    show_rows(rows, headers=BENCHMARK_COLUMNS, values=values, as_json=as_json)


@benchmarks.command("show")
def benchmarks_show(
    name: Name,
    task: Annotated[
        str | None, typer.Option("--task", help="Where several benchmarks have the name.")
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    cards: CardsOption = None,
    as_json: AsJson = False,
) -> None:
    """The whole card, and where its data are or are expected.

    Example: vlmhb benchmarks show docvqa
    """
    registry = registry_of(cards)
    card = registry.find_benchmark(name, task)
    path = _data(card, registry=registry, workspace=workspace)
    told = {
        "data": str(path) if path else None,
        "data_expected_at": [str(place) for place in _places(card, registry=registry, workspace=workspace)],
    }
    show_value({**card.model_dump(mode="json"), **told}, as_json=as_json)


def schema() -> None:
    """Print the JSON Schema of the JSON/YAML run config."""
    from vlmhb.config.schema import schema_text

    typer.echo(schema_text(), nl=False)


def _places(card: BenchmarkCard, *, registry: Registry, workspace: Path) -> list[Path]:
    """Where a run started here would look, best first; none for a card whose data a row has to name."""
    from vlmhb.config.datasets import card_paths
    from vlmhb.config.problems import Sources
    from vlmhb.config.resolve import Roots

    if card.path is None:
        return []
    roots = Roots(config_dir=Path.cwd(), cwd=Path.cwd())
    sources = Sources(registry=registry, roots=roots, workspace=workspace.absolute())
    return list(dict.fromkeys(card_paths(card, sources=sources)))


def _data(card: BenchmarkCard, *, registry: Registry, workspace: Path) -> Path | None:
    from vlmhb.config.roots import first_existing

    return first_existing(_places(card, registry=registry, workspace=workspace))
