"""One sample with all that is known of it, read chunk by chunk: only a chunk of texts is in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vlmhb_benchmarks.metrics.base import Context

from vlmhb_stages.contracts import Label, Prediction, Sample
from vlmhb_stages.evaluate.records import Planned, RecordIndex

CHUNK = 1024  # samples; batch scorers gain nothing from more


@dataclass(frozen=True, kw_only=True)
class Case:
    """A planned sample, its record and its references. The label's metadata win: what a loader works out from the
    answers (`derive`) is there alone."""

    position: int
    sample_id: str
    prediction: Prediction
    references: tuple[str, ...]
    context: Context

    @property
    def metadata(self) -> Mapping[str, str]:
        return self.context.metadata


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What is scored: the same for `evaluate` and for the `score` stage of a metric backend."""

    planned: Planned
    predictions: RecordIndex[Prediction]
    labels: RecordIndex[Label]

    def chunks(self) -> Iterator[list[Case]]:
        """All planned samples in their order."""
        chunk: list[Case] = []
        for position, sample in enumerate(self.planned.samples()):
            prediction = self.predictions.of(position)
            if prediction is None:
                continue  # only a file that changed under our feet: all were checked to be there
            label = self.labels.of(position)
            chunk.append(
                Case(
                    position=position,
                    sample_id=self.planned.ids[position],
                    prediction=prediction,
                    references=label.references if label else (),
                    context=_context(sample, label=label),
                )
            )
            if len(chunk) == CHUNK:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    def references(self) -> Iterator[tuple[str, ...]]:
        """Of every planned sample, in order: what a fitted metric sees first."""
        for position in range(len(self.planned)):
            label = self.labels.of(position)
            yield label.references if label else ()


def _context(sample: Sample, *, label: Label | None) -> Context:
    asked = [message.content for message in sample.messages if message.role == "user"]
    return Context(
        metadata={**sample.metadata, **label.metadata} if label else sample.metadata,
        choices=sample.choices or (),
        response_schema=sample.response_schema,
        question=asked[-1] if asked else "",
    )
