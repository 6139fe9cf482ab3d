"""What earlier runs have already answered: this artifact's own records and those of `previous` artifacts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vlmhb_stages.contracts import Prediction, Sample
from vlmhb_stages.infer.tally import Fate
from vlmhb_stages.journal import Recovery, recover, scan

PREDICTIONS = "predictions.jsonl"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One record, without its text: where it stands, which request it answers, what became of it."""

    offset: int
    request_hash: str
    fate: Fate


class OwnRecords:
    """The last valid record per sample of this artifact's journal, whose torn tail is cut."""

    def __init__(self, path: Path) -> None:
        self._records: dict[str, Recorded] = {}
        self._fates: dict[Fate, Fate] = {}
        self.recovery: Recovery = recover(path, parse=Prediction.model_validate_json, keep=self._keep)

    def take(self, sample: Sample, *, request_hash: str) -> Recorded | None:
        """The record to keep for this sample, if there is one; each can be taken once.

        An answer is kept while its request is the same, and so is the verdict that the input is unusable.
        Every other
        error is tried again: it costs nothing that the user did not ask for by resuming."""
        found = self._records.pop(sample.sample_id, None)
        if found is None or found.request_hash != request_hash:
            return None
        is_unusable = sample.error is not None and found.fate.error == sample.error.kind
        return found if found.fate.is_final or is_unusable else None

    def _keep(self, offset: int, record: Prediction) -> None:
        fate = Fate.of(record)
        shared = self._fates.setdefault(fate, fate)
        self._records[record.sample_id] = Recorded(offset, record.request_hash, shared)


class PreviousRecords:
    """Final records of other artifacts of the same model identity, by request."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._places: dict[str, tuple[Path, int]] = {}
        self.corrupt = 0
        for folder in folders:
            self._index(folder)

    def find(self, sample: Sample, *, request_hash: str) -> Prediction | None:
        """The record of the same request, as this sample's, marked with the artifact it first came from.

        An unusable sample has none: without its image its request looks like one of plain text."""
        place = self._places.get(request_hash) if sample.error is None else None
        if place is None:
            return None
        folder, offset = place
        with (folder / PREDICTIONS).open("rb") as file:
            file.seek(offset)
            record = Prediction.model_validate_json(file.readline())
        origin = record.imported_from or folder.name
        return record.model_copy(update={"sample_id": sample.sample_id, "imported_from": origin})

    def _index(self, folder: Path) -> None:
        def keep(offset: int, record: Prediction) -> None:
            if Fate.of(record).is_final:
                self._places[record.request_hash] = (folder, offset)

        self.corrupt += scan(folder / PREDICTIONS, parse=Prediction.model_validate_json, keep=keep).corrupt
