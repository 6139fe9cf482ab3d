"""`vlmhb metrics list|show|extractions`: what a config can name under `metrics` and `extraction`."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vlmhb.cli.options import CardsOption
from vlmhb.cli.showing import AsJson, Name, registry_of, show_rows, show_value

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from vlmhb_benchmarks.extraction import Extraction
    from vlmhb_benchmarks.metrics import MetricInfo

    from vlmhb.contracts import MetricCard

metrics = typer.Typer(help="Metrics that a config can name.", no_args_is_help=True, rich_markup_mode=None)
COLUMNS = ("metric", "better", "range", "average", "given by", "what it is")
EXTRACTION_COLUMNS = ("extraction", "what it takes", "when it finds nothing")


@metrics.command("list")
def metrics_list(cards: CardsOption = None, as_json: AsJson = False) -> None:
    """One line per metric: built in, from cards of your own, from installed packages."""
    values = _all(cards)
    rows = [
        (
            f"{value['name']}@{value['version']}" if value["version"] else value["name"],
            value["direction"] or "?",
            value.get("range", "?"),
            value.get("average", "?"),
            value["given_by"],
            value["description"],
        )
        for value in values
    ]
    show_rows(rows, headers=COLUMNS, values=values, as_json=as_json)


@metrics.command("show")
def metrics_show(name: Name, cards: CardsOption = None, as_json: AsJson = False) -> None:
    """Formula source, range, direction, average, the rule for empty texts, and deviations from other tools.

    Example: vlmhb metrics show anls
    """
    from vlmhb.config.metricnames import canonical_built_in
    from vlmhb.errors import UnknownName
    from vlmhb.reading.names import name_hint

    values = _all(cards)
    wanted, _, version = canonical_built_in(name.strip().lower()).partition("@")
    for value in values:
        if value["name"] == wanted and version in ("", value["version"]):
            show_value(value, as_json=as_json)
            return
    hint = name_hint(wanted, [value["name"] for value in values]) or "vlmhb metrics list shows all"
    raise UnknownName(f"unknown metric '{name}'", hint=hint)


@metrics.command("extractions")
def extractions(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Show one of them whole.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Rules that take the answer out of a reply before it is scored.

    Example: vlmhb metrics extractions boxed
    """
    from vlmhb_benchmarks.extraction import EXTRACTIONS, UnknownExtraction, get_extraction

    from vlmhb.errors import UnknownName

    if name is None:
        rows = [(f"{rule.name}@{rule.version}", rule.description, rule.on_miss) for rule in EXTRACTIONS]
        values = [_of_extraction(rule) for rule in EXTRACTIONS]
        show_rows(rows, headers=EXTRACTION_COLUMNS, values=values, as_json=as_json)
        return
    try:
        rule = get_extraction(name)
    except UnknownExtraction as error:
        hint = f"there are {', '.join(error.nearest or error.names)}"
        raise UnknownName(f"unknown extraction '{name}'", hint=hint) from None
    show_value(_of_extraction(rule), as_json=as_json)


def _all(cards: Any) -> list[dict[str, Any]]:
    from vlmhb_benchmarks.metrics.registry import BUILT_IN

    from vlmhb.cards import metric_points

    return [
        *(_of_built_in(metric.info) for metric in BUILT_IN),
        *(_of_card(card) for card in registry_of(cards).metrics),
        *(_of_point(name, point) for name, point in metric_points().items()),
    ]


def _of_built_in(info: MetricInfo) -> dict[str, Any]:
    value = asdict(info)
    return {
        "name": value.pop("name"),
        "version": value.pop("version"),
        "given_by": "vlmhb",
        "range": info.range,
        **value,
    }


def _of_card(card: MetricCard) -> dict[str, Any]:
    value = card.model_dump(mode="json")
    own = {key: value.pop(key) for key in ("name", "version")}
    return {**own, "given_by": f"card {card.origin}", **value}


def _of_point(name: str, point: EntryPoint) -> dict[str, Any]:
    """What the package's metadata say; its code is never run here, so its direction is not known."""
    package = f"{point.dist.name} {point.dist.version}" if point.dist else "a package"
    return {
        "name": name,
        "version": None,
        "given_by": package,
        "direction": None,
        "class_path": point.value,
        "description": f"entry point {point.value}",
    }


def _of_extraction(rule: Extraction) -> dict[str, Any]:
    return {field.name: getattr(rule, field.name) for field in fields(rule) if field.name != "rule"}
