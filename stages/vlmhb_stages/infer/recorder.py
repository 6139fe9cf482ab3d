"""Writes predictions and attempts as they come, counts them, and makes the files of a complete run
canonical."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vlmhb_stages.contracts import Prediction
from vlmhb_stages.infer.canonical import make_canonical
from vlmhb_stages.infer.index import Index, Recorded
from vlmhb_stages.infer.outcomes import Attempt
from vlmhb_stages.infer.resume import PREDICTIONS
from vlmhb_stages.infer.tally import Fate, Tally
from vlmhb_stages.journal import Journal

ATTEMPTS = "attempts.jsonl"


class Recorder:
    """The two journals of one artifact. Use as a context: leaving it makes everything durable."""

    def __init__(self, out: Path, *, index: Index, tally: Tally, clock: Callable[[], float]) -> None:
        self.index = index
        self._path = out / PREDICTIONS
        self._tally = tally
        self._predictions = Journal(self._path, clock=clock)
        self._attempts = Journal(out / ATTEMPTS, clock=clock)
        self._known_from = self._predictions.size  # what follows is written by us

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._predictions.close()
        finally:
            self._attempts.close()

    def keep(self, key: bytes, recorded: Recorded) -> None:
        """For a sample that `index` has given out."""
        self.index.place(key, recorded.offset)
        self._tally.add(recorded.fate)

    def record(self, prediction: Prediction) -> None:
        """For a sample that `index` has given out."""
        offset = self._predictions.append(prediction.model_dump_json())
        self.index.place(prediction.sample_id.encode(), offset)
        self._tally.add(Fate.of(prediction))

    def record_attempt(self, attempt: Attempt) -> None:
        self._attempts.append(attempt.model_dump_json())
        self._tally.retries += attempt.attempt > 1

    def sync(self) -> None:
        """To be called about once a second, off the event loop."""
        self._predictions.sync()
        self._attempts.sync()

    def finish(self) -> int:
        """One line per sample, in the order of samples.jsonl. Only for a complete run, after the context was left.

        How many lines were unreadable: with any, nothing is done, and their samples must be asked again."""
        if not self.index.is_full:
            raise RuntimeError("predictions can be made canonical only when every sample has one")
        return make_canonical(self._path, self.index.offsets, known_from=self._known_from)
