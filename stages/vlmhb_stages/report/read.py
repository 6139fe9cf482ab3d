"""Streams the records of sealed artifacts line by line, so that memory does not grow with the texts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from vlmhb_stages.contracts import Prediction
from vlmhb_stages.journal import scan

M = TypeVar("M", bound=BaseModel)


class Reader:
    """Reads one evaluation's files. What cannot be read is left out and told in `warnings`, never passed over."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def whole(self, path: Path | None, model: type[M]) -> M | None:
        """A JSON file as `model`. None when there is no folder, or (with a warning) no valid file."""
        if path is None:
            return None
        try:
            return model.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            self.warnings.append(f"{path.name} is missing")
        except ValidationError as error:
            self.warnings.append(f"{path.name} cannot be read: {error.errors()[0]['msg']}")
        return None

    def each(self, path: Path | None, model: type[M], *, keep: Callable[[M], None]) -> None:
        """Every valid line of a JSON Lines file, in order."""
        if path is None:
            return
        found = scan(path, parse=model.model_validate_json, keep=lambda _, record: keep(record))
        self._tell(path, unreadable=found.corrupt)

    def final_predictions(self, path: Path | None, *, keep: Callable[[Prediction], None]) -> None:
        """The last valid line of each sample, in file order. Two passes, so that no text stays in memory."""
        if path is None:
            return
        last: dict[str, int] = {}

        def note(offset: int, record: Prediction) -> None:
            last[record.sample_id] = offset

        found = scan(path, parse=Prediction.model_validate_json, keep=note)
        self._tell(path, unreadable=found.corrupt)
        final = frozenset(last.values())

        def pass_on(offset: int, record: Prediction) -> None:
            if offset in final:
                keep(record)

        scan(path, parse=Prediction.model_validate_json, keep=pass_on)

    def _tell(self, path: Path, *, unreadable: int) -> None:
        if not path.exists():
            self.warnings.append(f"{path.name} is missing")
        if unreadable:
            self.warnings.append(f"{path.name}: {unreadable} unreadable lines left out")
