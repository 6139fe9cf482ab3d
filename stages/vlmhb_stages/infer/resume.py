"""What has been answered already: this artifact's own records, those of `previous` artifacts, the response cache."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from vlmhb_stages.contracts import Prediction, Sample, Status
from vlmhb_stages.infer.index import Index, Recorded
from vlmhb_stages.infer.lines import Fates, RecordLines, hash_of
from vlmhb_stages.infer.pending import Pending
from vlmhb_stages.infer.tally import CACHE_MARK, FINAL
from vlmhb_stages.journal import cut_torn_tail

PREDICTIONS = "predictions.jsonl"
_FILE_SHIFT = 48  # offsets are smaller than 256 TiB


class OwnRecords:
    """The last valid record per sample of this artifact's journal, whose torn tail is cut."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: BinaryIO | None = None
        fates = Fates()
        self.index = Index(fates)
        cut_torn_tail(path)
        lines = RecordLines(path, fates=fates)
        self.is_empty = self.index.load(lines.batches()) == 0
        self.corrupt = lines.corrupt

    def holds(self, recorded: Recorded, pending: Pending) -> bool:
        """Whether the record is to be kept: it answers this very request, and asking again would change nothing.

        An answer is kept while its request is the same, and so is the verdict that the input is unusable. Every
        other error is tried again: it costs nothing that the user did not ask for by resuming."""
        unusable = pending.sample.error
        is_verdict = unusable is not None and recorded.fate.error == unusable.kind
        return (recorded.fate.is_final or is_verdict) and self.answers(recorded, pending.request_hash)

    def answers(self, recorded: Recorded, request_hash: str) -> bool:
        if self._opened is None:
            self._opened = self._path.open("rb")
        self._opened.seek(recorded.offset)
        return hash_of(self._opened.readline()) == request_hash

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None


class OtherRecords:
    """Final records of other artifacts and of the response cache, by request; 32 bytes of memory for each.

    `folders` are infer artifacts (`<fingerprint>/predictions.jsonl`), `files` of the response cache. Where several
    have the same request, the last one counts, an artifact before the cache. `not_final`: statuses that are tried again
    here, because more may be done about them than was done there."""

    def __init__(
        self, folders: Sequence[Path], *, files: Sequence[Path] = (), not_final: Sequence[Status] = ()
    ) -> None:
        self._final = [status for status in FINAL if status not in not_final]
        self._files = (*files, *(folder / PREDICTIONS for folder in folders))
        self._cached = len(files)
        self._hashes = array("Q")  # the first 64 bits of each
        self._places = array("q")
        self._opened: dict[int, BinaryIO] = {}
        self.corrupt = 0
        self.is_read = not self._files

    def read(self) -> None:
        """Takes seconds where there are millions; off the event loop, and only when something is to be asked."""
        import numpy as np

        fates = Fates()
        for number, path in enumerate(self._files):
            lines, base = RecordLines(path, fates=fates), number << _FILE_SHIFT
            for _, request_hash, offset, fate in lines:
                if fates[fate].is_final:
                    try:
                        self._hashes.append(int(request_hash[:16], 16))
                    except (ValueError, OverflowError):  # a damaged hash belongs to no request
                        continue
                    self._places.append(base | offset)
            self.corrupt += lines.corrupt
        hashes, places = np.frombuffer(self._hashes, "u8"), np.frombuffer(self._places, "i8")
        order = np.argsort(hashes, kind="stable")
        self._hashes, self._places = array("Q", hashes[order].tobytes()), array("q", places[order].tobytes())
        self.is_read = True

    def find(self, sample: Sample, *, request_hash: str) -> Prediction | None:
        """The record of the same request, as this sample's, marked with the artifact it first came from.

        An unusable sample has none: without its image its request looks like one of plain text. An answer from
        elsewhere than the model asked, or to a request that was changed on the way, is none either."""
        if sample.error is not None:
            return None
        for number, offset in self._candidates(request_hash):
            record = self._record_at(number, offset)
            if record is not None and record.request_hash == request_hash and self._may_be_shared(record):
                origin = (record.imported_from or self._files[number].parent.name).removeprefix(CACHE_MARK)
                own = {
                    "sample_id": sample.sample_id,
                    "prompt_sha256": sample.prompt_sha256,
                    "imported_from": f"{CACHE_MARK}{origin}" if number < self._cached else origin,
                }
                return record.model_copy(update=own)
        return None

    def close(self) -> None:
        for file in self._opened.values():
            file.close()
        self._opened.clear()

    def _record_at(self, number: int, offset: int) -> Prediction | None:
        """None for a line that is no record after all."""
        if number not in self._opened:
            self._opened[number] = self._files[number].open("rb")
        self._opened[number].seek(offset)
        try:
            return Prediction.model_validate_json(self._opened[number].readline())
        except ValidationError:
            return None

    def _may_be_shared(self, record: Prediction) -> bool:
        return record.status in self._final and record.fallback is None and not record.adjusted

    def _candidates(self, request_hash: str) -> Iterator[tuple[int, int]]:
        """File number and offset of records with this hash, or one that begins like it; the last one first."""
        wanted, hashes = int(request_hash[:16], 16), self._hashes
        at = bisect_right(hashes, wanted) - 1
        while at >= 0 and hashes[at] == wanted:
            yield divmod(self._places[at], 1 << _FILE_SHIFT)
            at -= 1
