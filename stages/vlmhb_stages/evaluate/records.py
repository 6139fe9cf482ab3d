"""Reads what other stages wrote: planned samples in order, and the last valid record per sample of a journal.

A journal is indexed by byte offset, so memory grows with the number of samples and not with their texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Generic, TypeVar

from pydantic import ValidationError

from vlmhb_stages.contracts import Label, Prediction, Sample
from vlmhb_stages.evaluate.faults import EvaluateError, some
from vlmhb_stages.journal import scan

R = TypeVar("R", bound=Label | Prediction)


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What evaluation needs of a sample."""

    sample_id: str
    metadata: dict[str, str]


class RecordIndex(Generic[R]):
    """Random access to the records of a JSON Lines file; the last valid line of a sample wins."""

    def __init__(self, path: Path, *, parse: Callable[[bytes], R]) -> None:
        self._parse = parse
        self._offsets: dict[str, int] = {}
        self.earlier: dict[str, list[int]] = {}  # offsets of superseded records
        if not path.is_file():
            raise EvaluateError(
                f"{path.name} is not there: {path}", hint="run the stages before this one again"
            )
        found = scan(path, parse=parse, keep=self._keep)
        self.unreadable = found.corrupt
        self._file = path.open("rb")

    def __enter__(self) -> RecordIndex[R]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __contains__(self, sample_id: str) -> bool:
        return sample_id in self._offsets

    @property
    def ids(self) -> list[str]:
        return list(self._offsets)

    def get(self, sample_id: str) -> R | None:
        offset = self._offsets.get(sample_id)
        return None if offset is None else self.at(offset)

    def at(self, offset: int) -> R:
        self._file.seek(offset)
        return self._parse(self._file.readline())

    def _keep(self, offset: int, record: R) -> None:
        if record.sample_id in self._offsets:
            self.earlier.setdefault(record.sample_id, []).append(self._offsets[record.sample_id])
        self._offsets[record.sample_id] = offset


def read_planned(path: Path) -> list[Planned]:
    """The planned samples in their order. Raises EvaluateError for an unreadable line or a repeated id."""
    if not path.is_file():
        raise EvaluateError(f"{path.name} is not there: {path}", hint="run prepare again")
    planned = list(_planned(path))
    seen: set[str] = set()
    repeated = []
    for one in planned:
        if one.sample_id in seen:
            repeated.append(one.sample_id)
        seen.add(one.sample_id)
    if repeated:
        raise EvaluateError(f"{path.name} repeats sample ids: {some(repeated)}", hint="run prepare again")
    return planned


def _planned(path: Path) -> Iterator[Planned]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                sample = Sample.model_validate_json(line)
            except ValidationError as error:
                reason = error.errors()[0]["msg"]
                raise EvaluateError(f"{path.name} line {number} is no sample: {reason}") from error
            yield Planned(sample_id=sample.sample_id, metadata=sample.metadata)


def check_recorded(planned: list[Planned], predictions: RecordIndex[Prediction]) -> None:
    """Every planned sample has a record (an error is one), and nothing else has: else EvaluateError."""
    ids = {one.sample_id for one in planned}
    missing = [one.sample_id for one in planned if one.sample_id not in predictions]
    extra = [sample_id for sample_id in predictions.ids if sample_id not in ids]
    if missing:
        raise EvaluateError(
            f"planned samples have no record in predictions.jsonl: {some(missing)}",
            hint="inference has not finished: run again to resume it",
        )
    if extra:
        raise EvaluateError(
            f"predictions.jsonl has records of samples that are not planned: {some(extra)}",
            hint="these predictions belong to another dataset or limit: run inference again",
        )


def is_answered(prediction: Prediction) -> bool:
    """Only a text that the model gave is scored; a truncated one is still its answer."""
    return prediction.status in ("ok", "truncated") and prediction.text is not None


def conflicting_answers(predictions: RecordIndex[Prediction]) -> list[str]:
    """Samples with two answers that differ, of which the last one is used. A retry after an error is none."""
    return [
        sample_id
        for sample_id, offsets in predictions.earlier.items()
        if _conflicts(predictions, sample_id, offsets)
    ]


def _conflicts(predictions: RecordIndex[Prediction], sample_id: str, offsets: list[int]) -> bool:
    final = predictions.get(sample_id)
    earlier = (predictions.at(offset) for offset in offsets)
    return any(is_answered(record) and final is not None and record.text != final.text for record in earlier)
