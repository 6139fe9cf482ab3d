"""What one row's look-ups share: the places to look in, and the mistakes found so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from vlmhb.cards import Registry
from vlmhb.contracts import EvaluationRow
from vlmhb.errors import ErrorList, VlmhbError

from .roots import Roots

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where names and files are looked up. `workspace` is absolute."""

    registry: Registry
    roots: Roots
    workspace: Path


@dataclass(frozen=True, kw_only=True)
class Problems:
    """Errors and warnings of one row, each with its place; both lists grow."""

    row: EvaluationRow
    errors: list[VlmhbError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def where(self, column: str) -> str:
        return str(self.row.place.model_copy(update={"column": column}))

    def warn(self, text: str, *, column: str) -> None:
        self.warnings.append(f"{self.where(column)}: {text}")

    def attempt(self, look_up: Callable[[], T]) -> T | None:
        """The result, or None after a user error, which is kept: the next look-up can go on."""
        try:
            return look_up()
        except ErrorList as several:
            self.errors.extend(several.errors)
        except VlmhbError as error:
            self.errors.append(error)
        return None
