"""Applies profile `upstream-0.1` to an evaluation: gathers texts, overrides aggregates, writes the CSVs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vlmhb_stages.answers import BadAnswers, read_answers
from vlmhb_stages.contracts import Label, Prediction
from vlmhb_stages.evaluate import upstream
from vlmhb_stages.evaluate.csvtext import Annotation, CsvFile
from vlmhb_stages.evaluate.faults import EvaluateError
from vlmhb_stages.evaluate.legacy import LegacyMetric, LegacyPlace
from vlmhb_stages.evaluate.records import Planned, RecordIndex, is_answered
from vlmhb_stages.evaluate.summary import Override
from vlmhb_stages.evaluate.table import Positions


def answer_order(ids: Sequence[str], *, answers_file: Path | None) -> list[str]:
    """Planned ids in the order of the user's answers file; upstream's own files are in planned order."""
    if answers_file is None or answers_file.suffix.lower() != ".csv":
        return list(ids)
    try:
        answers = read_answers(answers_file)
    except BadAnswers as error:
        raise EvaluateError(str(error)) from error
    wanted = set(ids)
    return [found for found in answers.texts if found in wanted]


def gold_table(planned: Planned, labels: RecordIndex[Label]) -> Annotation:
    """Stands in for an annotation file where the benchmark has none."""
    rows = []
    for sample in planned.samples():
        label = labels.get(sample.sample_id)
        answer = label.references[0] if label and label.references else ""
        rows.append((answer, sample.metadata.get("doc_class", ""), sample.metadata.get("question_type", "")))
    return Annotation(
        header=("answer", "doc_class", "question_type"), rows=tuple(rows), ids=planned.positions
    )


class Parity:
    """Upstream's numbers for one evaluation, or the reason why upstream has none."""

    def __init__(
        self,
        *,
        planned: Planned,
        predictions: RecordIndex[Prediction],
        annotation: Annotation,
        order: Sequence[str],
        metrics: tuple[LegacyMetric, ...],
    ) -> None:
        self._ids = planned.ids
        self._annotation, self._metrics = annotation, metrics
        self.names = frozenset(metric.name for metric in metrics)
        records = ((sample_id, predictions.get(sample_id)) for sample_id in order)
        self._answers = {
            sample_id: record.text or "" for sample_id, record in records if record and is_answered(record)
        }
        self.warning: str | None = None
        self._result: upstream.UpstreamResult | None = None
        try:
            merged = upstream.merge(annotation, answers=self._answers)
            self._result = upstream.evaluate(merged, metrics=metrics)
        except upstream.UpstreamAborts as error:
            self.warning = f"upstream's evaluator stops here ({error}): no metric CSVs, no upstream values"

    def sample_value(self, metric: str, *, sample_id: str) -> float | None:
        if self._result is None:
            return None
        return self._result.per_sample.get(sample_id, {}).get(metric)

    def overrides(self) -> dict[str, Override]:
        return {metric.name: self._override(metric.name) for metric in self._metrics}

    def write(self, place: LegacyPlace) -> None:
        place.folder.mkdir(parents=True, exist_ok=True)
        with CsvFile(place.path(), header=("id", "model_answer")) as file:
            for sample_id, text in self._answers.items():
                file.write((sample_id, text))
        if self._result:
            upstream.write_tables(self._result, place=place, header=self._annotation.header)

    def _override(self, metric: str) -> Override:
        result = self._result

        def over(positions: Positions) -> float | None:
            ids = (self._ids[position] for position in positions.tolist())
            return result.over(metric, ids) if result else None

        general = result.general[metric] if result else None
        return Override(version=upstream.VERSION, overall=general, over=over)
