"""Writes predictions and attempts as they come, counts them, and makes the files of a complete run
canonical."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vlmhb_stages.contracts import Prediction, Sample
from vlmhb_stages.infer.outcomes import Attempt
from vlmhb_stages.infer.resume import PREDICTIONS, Recorded
from vlmhb_stages.infer.samples import BadSamples
from vlmhb_stages.infer.tally import Fate, Tally
from vlmhb_stages.journal import Journal, compact

ATTEMPTS = "attempts.jsonl"
_MISSING = -1


class Recorder:
    """The two journals of one artifact. Use as a context: leaving it makes everything durable."""

    def __init__(self, out: Path, *, tally: Tally, clock: Callable[[], float]) -> None:
        self._path = out / PREDICTIONS
        self._tally = tally
        self._predictions = Journal(self._path, clock=clock)
        self._attempts = Journal(out / ATTEMPTS, clock=clock)
        self._offsets: dict[str, int] = {}  # in the order of samples.jsonl

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._predictions.close()
        finally:
            self._attempts.close()

    def expect(self, sample: Sample) -> None:
        """Call for every sample, in the order of samples.jsonl, before anything is recorded for it.

        Raises `BadSamples` for an id that was there before."""
        if sample.sample_id in self._offsets:
            raise BadSamples(f"sample_id {sample.sample_id!r} is not unique")
        self._offsets[sample.sample_id] = _MISSING

    def keep(self, sample: Sample, recorded: Recorded) -> None:
        self._offsets[sample.sample_id] = recorded.offset
        self._tally.add(recorded.fate)

    def record(self, prediction: Prediction) -> None:
        self._offsets[prediction.sample_id] = self._predictions.append(prediction.model_dump_json())
        self._tally.add(Fate.of(prediction))

    def record_attempt(self, attempt: Attempt) -> None:
        self._attempts.append(attempt.model_dump_json())

    def sync(self) -> None:
        """To be called about once a second, off the event loop."""
        self._predictions.sync()
        self._attempts.sync()

    def finish(self) -> None:
        """One line per sample, in the order of samples.jsonl. Only for a complete run, after the context
        was left."""
        if _MISSING in self._offsets.values():
            raise RuntimeError("predictions can be made canonical only when every sample has one")
        compact(self._path, self._offsets.values())
