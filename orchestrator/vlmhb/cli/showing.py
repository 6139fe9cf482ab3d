"""How the catalogue commands print: tables and YAML for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from vlmhb.cards import Registry

Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON on stdout.")]


def registry_of(cards: Sequence[Path] | None, *, vlm_base: Path | None = None) -> Registry:
    from vlmhb.cards import load_registry

    return load_registry(user_dirs=tuple(cards or ()), vlm_base=vlm_base)


def show_rows(
    rows: Sequence[Sequence[str]], *, headers: Sequence[str], values: Sequence[Any], as_json: bool
) -> None:
    """Aligned columns on a terminal, tab-separated in a pipe; `values` are what `--json` prints instead."""
    from vlmhb.console import Console

    if as_json:
        typer.echo(json.dumps(values, ensure_ascii=False))
    else:
        Console().table(rows, headers=headers)


def show_value(value: Mapping[str, Any], *, as_json: bool) -> None:
    """YAML, or one JSON object."""
    import yaml

    if as_json:
        typer.echo(json.dumps(value, ensure_ascii=False))
    else:
        typer.echo(yaml.safe_dump(dict(value), allow_unicode=True, sort_keys=False, width=100), nl=False)
