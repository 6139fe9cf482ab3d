"""Where cards come from: packaged files, the checkout's images, entry points and users' folders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import resources
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from vlmhb.errors import BadCard, ConfigUnreadable

from .parse import ParsedCards, parse_data, parse_file

_PACKAGED = {"model": "vlmhb_models", "benchmark": "vlmhb_benchmarks"}
GROUPS = {"model": "vlmhb.models", "benchmark": "vlmhb.benchmarks", "image": "vlmhb.images"}
_FOLDERS = {"model": "models", "benchmark": "benchmarks", "image": "images", "metric": "metrics"}
_ENDS = (".yaml", ".yml")


def packaged_cards() -> list[ParsedCards]:
    """The cards that this distribution ships."""
    parsed = []
    for kind, package in _PACKAGED.items():
        folder = Path(str(resources.files(package))) / "cards"  # wheels are unpacked: always a real folder
        parsed += [parse_file(path, kind=kind) for path in yaml_files(folder)]
    return parsed


def image_cards(folder: Path) -> list[ParsedCards]:
    """`<folder>/<name>/image.yaml`."""
    return [parse_file(path, kind="image") for path in sorted(folder.glob("*/image.yaml"))]


def user_cards(folder: Path) -> list[ParsedCards]:
    """Cards in `models/`, `benchmarks/`, `metrics/`, `images/`, `images/<name>/`, and of any kind in the folder itself.

    Raises `ConfigUnreadable` when there is no such folder."""
    if not folder.is_dir():
        raise ConfigUnreadable("no such folder of cards", where=str(folder), hint="check the path")
    parsed = [parse_file(path, kind=None) for path in yaml_files(folder)]
    for kind, name in _FOLDERS.items():
        parsed += [parse_file(path, kind=kind) for path in yaml_files(folder / name)]
    return parsed + image_cards(folder / "images")


def plugin_cards() -> list[ParsedCards]:
    """Cards of other distributions, through the entry-point groups."""
    parsed = []
    for kind, group in GROUPS.items():
        for point in sorted(entry_points(group=group), key=lambda point: (point.name, point.value)):
            parsed += _plugin(point, kind=kind)
    return parsed


def yaml_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.suffix in _ENDS and path.is_file())


def _plugin(point: EntryPoint, *, kind: str) -> list[ParsedCards]:
    """The entry point names a list of mappings, a folder, or a callable that returns either."""
    place = f"entry point {point.group}: {point.name} = {point.value}"
    try:
        given: Any = point.load()
        if callable(given):
            given = given()
    except (ImportError, AttributeError, TypeError, ValueError, LookupError, OSError) as error:
        return [_failed(f"does not load ({type(error).__name__}: {error})", place=place)]
    if isinstance(given, str | Path):
        folder = Path(given)
        if not folder.is_dir():
            return [_failed(f"'{folder}' is no folder", place=place)]
        return [parse_file(path, kind=kind) for path in _folder_files(folder, kind=kind)]
    if isinstance(given, Sequence | Iterable):
        return [parse_data(list(given), kind=kind, place=place)]
    return [_failed("gives neither a list of cards nor a folder", place=place)]


def _folder_files(folder: Path, *, kind: str) -> list[Path]:
    nested = sorted(folder.glob("*/image.yaml")) if kind == "image" else []
    return [*yaml_files(folder), *nested]


def _failed(what: str, *, place: str) -> ParsedCards:
    return ParsedCards(
        cards=(), errors=(BadCard(what, where=place, hint="update or uninstall that package"),)
    )
