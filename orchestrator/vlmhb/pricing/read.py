"""Price tables from YAML: every mistake of a file at once, each with its line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from vlmhb.errors import BadPrices, ErrorList, VlmhbError
from vlmhb.reading.names import name_hint
from vlmhb.reading.nodes import Node, SyntaxFault
from vlmhb.reading.text import read_text
from vlmhb.reading.yamlnodes import parse_yaml

from .machines import ResourcePrices
from .table import ModelPrice, PriceTable

_HINTS = {
    "date": "write the day of the price list: date: 2026-01-31",
    "currency": "write a code of three letters: currency: USD",
    "source": "say where the prices come from: source: the provider's price page",
}
_AMOUNT = "write a number that is not negative, in the table's currency"
_NO_AMOUNT = ("greater_than_equal", "finite_number", "float_parsing", "float_type", "value_error")


def read_prices(path: Path) -> PriceTable:
    """Raises `BadPrices`, several of them as an `ErrorList`."""
    try:
        documents = parse_yaml(read_text(path))
    except SyntaxFault as fault:
        row = f", row {fault.line}" if fault.line else ""
        raise BadPrices(fault.what, where=f"{path}{row}") from None
    node = documents[0] if len(documents) == 1 else Node(line=1)
    if node.fields is None:
        hint = "write currency, date, source, models and resources; see user_configs/examples/prices.yaml"
        raise BadPrices("a price table is one YAML mapping", where=str(path), hint=hint)
    try:
        return PriceTable.model_validate({**node.plain(), "origin": str(path)})
    except ValidationError as error:
        errors: list[VlmhbError] = []
        for item in error.errors():
            told = _told(item, node=node, file=path)
            if told.line() not in {known.line() for known in errors}:
                errors.append(told)
        raise errors[0] if len(errors) == 1 else ErrorList(errors) from None


def _told(error: ErrorDetails, *, node: Node, file: Path) -> BadPrices:
    steps = error["loc"]
    where = f"{file}, row {node.line_at(steps)}"
    field = ".".join(str(step) for step in steps)
    if error["type"] == "missing":
        return BadPrices(f"there is no {field}", where=str(file), hint=_HINTS.get(field, ""))
    if error["type"] == "extra_forbidden":
        hint = name_hint(str(steps[-1]), _level(steps).model_fields)
        return BadPrices(f"a price table knows no {field}", where=where, hint=hint)
    message = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    message = message.replace("String should", "must").replace(
        "match pattern '^[A-Z]{3}$'", "be a code like USD"
    )
    hint = _HINTS.get(field, "") or (_AMOUNT if error["type"] in _NO_AMOUNT else "")
    return BadPrices(f"{field} {message}", where=where, hint=hint)


def _level(steps: Sequence[str | int]) -> type[BaseModel]:
    if len(steps) == 1:
        return PriceTable
    return ModelPrice if steps[0] == "models" else ResourcePrices
