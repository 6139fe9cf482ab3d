"""What can be named in a config: `vlmhb models|benchmarks|metrics list|show`, and its JSON Schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from vlmhb.cli.options import CardsOption, VlmBaseOption

if TYPE_CHECKING:
    from vlmhb.cards import Registry

models = typer.Typer(help="Models that a config can name.", no_args_is_help=True, rich_markup_mode=None)
benchmarks = typer.Typer(
    help="Benchmarks that a config can name.", no_args_is_help=True, rich_markup_mode=None
)
metrics = typer.Typer(help="Metrics that a config can name.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False)]


@models.command("list")
def models_list(cards: CardsOption = None, vlm_base: VlmBaseOption = None) -> None:
    """One line per model: name, framework, tasks, image."""
    for card in _registry(cards, vlm_base).models:
        _row(card.name, card.framework, ",".join(card.tasks), card.image or "-", card.description)


@models.command("show")
def models_show(name: Name, cards: CardsOption = None, vlm_base: VlmBaseOption = None) -> None:
    """The whole card as YAML."""
    _dump(_registry(cards, vlm_base).find_model(name, None))


@benchmarks.command("list")
def benchmarks_list(cards: CardsOption = None) -> None:
    """One line per benchmark: name, task, metrics."""
    for card in _registry(cards, None).benchmarks:
        _row(card.name, card.task, card.task_type, ",".join(card.metrics), card.description)


@benchmarks.command("show")
def benchmarks_show(name: Name, cards: CardsOption = None) -> None:
    """The whole card as YAML."""
    _dump(_registry(cards, None).find_benchmark(name, None))


@metrics.command("list")
def metrics_list() -> None:
    """One line per metric: name@version, direction, description."""
    from vlmhb_benchmarks.metrics import list_metrics

    for info in list_metrics():
        _row(f"{info.name}@{info.version}", f"{info.direction} is better", info.description)


@metrics.command("show")
def metrics_show(name: Name) -> None:
    """Formula source, range, direction and the rule for empty texts."""
    from dataclasses import asdict

    from vlmhb_benchmarks.metrics import UnknownMetric, get_metric, list_metrics

    from vlmhb.errors import UnknownName
    from vlmhb.reading.names import name_hint

    try:
        info = get_metric(name).info
    except UnknownMetric:
        hint = name_hint(name, [info.name for info in list_metrics()]) or "vlmhb metrics list shows all"
        raise UnknownName(f"unknown metric '{name}'", hint=hint) from None
    for key, value in asdict(info).items():
        typer.echo(f"{key}: {'none' if value is None else value}")


def schema() -> None:
    """Print the JSON Schema of the JSON/YAML run config."""
    from vlmhb.config.schema import schema_text

    typer.echo(schema_text(), nl=False)


def _registry(cards: Any, vlm_base: Any) -> Registry:
    from vlmhb.cards import load_registry

    return load_registry(user_dirs=tuple(cards or ()), vlm_base=vlm_base)


def _row(*cells: str) -> None:
    typer.echo("\t".join(cells))


def _dump(card: Any) -> None:
    import yaml

    typer.echo(yaml.safe_dump(card.model_dump(mode="json"), allow_unicode=True, sort_keys=False), nl=False)
