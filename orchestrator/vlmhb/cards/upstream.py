"""The prototype's model database `vlm_base.csv`, in every generation, as model cards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vlmhb.errors import MissingValue, UnknownColumn, VlmhbError
from vlmhb.modelcard import ModelCard, UpstreamClass
from vlmhb.reading.names import name_hint
from vlmhb.reading.table import Table, TableRow, read_table

from .frameworks import canonical_framework, framework_key
from .parse import ParsedCards
from .tasks import ALL_TASKS

FILE_NAME = "vlm_base.csv"
_REQUIRED = ("framework", "model_name", "docker_image", "python_package", "module", "class_name")
_OPTIONAL = ("model_family", "git_python_package", "backend", "package_manager")
_ALIASES = {"ClassName": "class_name"}


def find_vlm_base(folders: Sequence[Path]) -> Path | None:
    """The first `vlm_base.csv` in a folder, or in its `vlmhyperbench/`."""
    for folder in folders:
        for path in (folder / FILE_NAME, folder / "vlmhyperbench" / FILE_NAME):
            if path.is_file():
                return path
    return None


def read_vlm_base(path: Path) -> ParsedCards:
    """A card per row; of rows with the same framework and model the first counts, as in the prototype.

    Raises `ConfigUnreadable`, `NoRows`."""
    table = read_table(path)
    errors = [*table.errors, *_header_errors(table, file=path)]
    cards: dict[tuple[str, str], ModelCard] = {}
    if any(isinstance(error, MissingValue) for error in errors):
        return ParsedCards(cards=(), errors=tuple(errors))
    for row in table.rows:
        values = {_ALIASES.get(name, name): cell.strip() for name, cell in row.cells.items()}
        empty = [name for name in _REQUIRED if not values[name]]
        if empty:
            errors.append(MissingValue("an empty cell", where=_where(path, row=row, column=empty[0])))
            continue
        card = _card(values, origin=path.absolute())
        cards.setdefault((framework_key(card.framework), card.name), card)
    return ParsedCards(cards=tuple(cards.values()), errors=tuple(errors))


def _header_errors(table: Table, *, file: Path) -> list[VlmhbError]:
    names = {_ALIASES.get(name, name) for name in table.header}
    where = f"{file}, row {table.header_line}"
    known = (*_REQUIRED, *_OPTIONAL)
    missing = [MissingValue(f"no column '{name}'", where=where) for name in _REQUIRED if name not in names]
    unknown = [
        UnknownColumn(f"unknown column '{name}'", where=where, hint=name_hint(name, known))
        for name in sorted(names.difference(known))
    ]
    return [*missing, *unknown]


def _where(path: Path, *, row: TableRow, column: str) -> str:
    return f"{path}, row {row.line}, column {column}"


def _card(values: dict[str, str], *, origin: Path) -> ModelCard:
    return ModelCard(
        name=values["model_name"],
        framework=canonical_framework(values["framework"]),
        interface="upstream",
        image=values["docker_image"],
        tasks=ALL_TASKS,
        params={"model_name": values["model_name"]},
        upstream=UpstreamClass(
            module=values["module"], class_name=values["class_name"], python_package=values["python_package"]
        ),
        description=f"prototype model class from {FILE_NAME}",
        source=values.get("git_python_package", ""),  # in the prototype: what pip installed at each start
        origin=str(origin),
    )
