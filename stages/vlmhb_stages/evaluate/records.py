"""Reads what other stages wrote: planned samples in order, and the last valid record per sample of a journal.

Memory holds the ids and one offset per file and sample; every text stays on disk until it is scored.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from vlmhb_stages.contracts import BackendScore, Label, Prediction, Sample
from vlmhb_stages.evaluate.faults import EvaluateError, Sightings, some
from vlmhb_stages.journal import scan

R = TypeVar("R", bound=Label | Prediction | BackendScore)
S = TypeVar("S", bound=BaseModel)
Beat = Callable[[], None]  # called often; says a sign of life when it is time for one

_NOWHERE = -1


class _Head(BaseModel):
    """What the first pass needs of a sample; the second one checks the rest."""

    model_config = ConfigDict(extra="ignore")

    sample_id: str
    metadata: dict[str, str] = {}


@dataclass(frozen=True, kw_only=True)
class Planned:
    """The planned samples. `keys`: names of their metadata, in order of appearance."""

    path: Path
    ids: list[str]
    keys: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def positions(self) -> Mapping[str, int]:
        return {sample_id: position for position, sample_id in enumerate(self.ids)}

    def samples(self) -> Iterator[Sample]:
        """Reads the file once more. Raises EvaluateError for a line that is no sample."""
        return _lines(self.path, parse=Sample)


def read_planned(path: Path, *, beat: Beat) -> Planned:
    """Raises EvaluateError for an unreadable line or a repeated id."""
    if not path.is_file():
        raise EvaluateError(f"{path.name} is not there: {path}", hint="run prepare again")
    ids: list[str] = []
    keys: dict[str, None] = {}
    for head in _lines(path, parse=_Head):
        ids.append(head.sample_id)
        keys.update(dict.fromkeys(head.metadata))
        beat()
    planned = Planned(path=path, ids=ids, keys=tuple(keys))
    if len(planned.positions) < len(ids):
        # the later position of a repeated id is the one in the index
        repeated = some(one for place, one in enumerate(ids) if planned.positions[one] != place)
        raise EvaluateError(f"{path.name} repeats sample ids: {repeated}", hint="run prepare again")
    return planned


def _lines(path: Path, *, parse: type[S]) -> Iterator[S]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield parse.model_validate_json(line)
            except ValidationError as error:
                reason = error.errors()[0]["msg"]
                raise EvaluateError(f"{path.name} line {number} is no sample: {reason}") from error


class RecordIndex(Generic[R]):
    """Random access to the records of a JSON Lines file; the last valid line of a sample wins."""

    def __init__(
        self, path: Path, *, parse: Callable[[bytes], R], planned: Planned, beat: Beat = lambda: None
    ) -> None:
        if not path.is_file():
            raise EvaluateError(
                f"{path.name} is not there: {path}", hint="run the stages before this one again"
            )
        self._parse, self._beat = parse, beat
        self._positions = planned.positions
        self._offsets = array("q", [_NOWHERE]) * len(planned)
        self.earlier: dict[str, list[int]] = {}  # offsets of superseded records
        self.extra: dict[str, None] = {}  # samples that nobody planned
        self.unreadable = scan(path, parse=parse, keep=self._keep).corrupt
        self._file = path.open("rb")

    def __enter__(self) -> RecordIndex[R]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def get(self, sample_id: str) -> R | None:
        return self.of(self._positions[sample_id])

    def of(self, position: int) -> R | None:
        """The record of the sample at that planned position."""
        offset = self._offsets[position]
        return None if offset == _NOWHERE else self.at(offset)

    def at(self, offset: int) -> R:
        self._file.seek(offset)
        return self._parse(self._file.readline())

    def missing(self) -> Iterator[int]:
        """Planned positions without a record."""
        return (position for position, offset in enumerate(self._offsets) if offset == _NOWHERE)

    def _keep(self, offset: int, record: R) -> None:
        self._beat()
        position = self._positions.get(record.sample_id)
        if position is None:
            self.extra[record.sample_id] = None
            return
        if self._offsets[position] != _NOWHERE:
            self.earlier.setdefault(record.sample_id, []).append(self._offsets[position])
        self._offsets[position] = offset


def check_recorded(planned: Planned, predictions: RecordIndex[Prediction]) -> None:
    """Every planned sample has a record (an error is one), and nothing else has: else EvaluateError."""
    if missing := some(planned.ids[position] for position in predictions.missing()):
        raise EvaluateError(
            f"planned samples have no record in predictions.jsonl: {missing}",
            hint="inference has not finished: run again to resume it",
        )
    if predictions.extra:
        raise EvaluateError(
            f"predictions.jsonl has records of samples that are not planned: {some(predictions.extra)}",
            hint="these predictions belong to another dataset or limit: run inference again",
        )


def is_answered(prediction: Prediction) -> bool:
    """Only a text that the model gave is scored; a truncated one is still its answer."""
    return prediction.status in ("ok", "truncated") and prediction.text is not None


def conflicting_answers(predictions: RecordIndex[Prediction]) -> Sightings:
    """Samples with two answers that differ, of which the last one is used. A retry after an error is none."""
    return some(
        sample_id
        for sample_id, offsets in predictions.earlier.items()
        if _conflicts(predictions, sample_id, offsets)
    )


def _conflicts(predictions: RecordIndex[Prediction], sample_id: str, offsets: list[int]) -> bool:
    final = predictions.get(sample_id)
    earlier = (predictions.at(offset) for offset in offsets)
    return any(is_answered(record) and final is not None and record.text != final.text for record in earlier)
