"""The prototype's files: `ModelsAnswers/<stem>.csv` and `ModelsMetrics/<stem>_<aggregator>.csv`."""

from __future__ import annotations

from collections.abc import Sequence

from vlmhb.exporting.csvtext import table
from vlmhb.exporting.source import Evaluated, formula_notes
from vlmhb.exporting.target import Export, File, file_name

_WITH_REFERENCES = "_by_id.csv"


def upstream(evaluations: Sequence[Evaluated], *, references: bool) -> Export:
    """Samples without an answer have no row, as there."""
    files: list[File] = []
    notes: list[str] = []
    for one in evaluations:
        files.append(File(name=f"ModelsAnswers/{_stem(one)}.csv", data=_answers(one)))
        for name, data in one.legacy.items():
            if "_answers_" not in name or name.endswith(f"{one.stamp}.csv"):
                continue  # the answers themselves
            if name.endswith(_WITH_REFERENCES) and not references:
                notes.append(f"{name} holds the reference answers: --with-references exports it")
                continue
            files.append(File(name=f"ModelsMetrics/{name}", data=data))
        failed = sum(answer.text is None for answer in one.answers)
        if failed:
            notes.append(f"{one.id}: {failed} samples without an answer have no row, as in the prototype")
        if not one.legacy:
            notes.append(f"{one.id}: no metrics, it was not evaluated")
    return Export(files=tuple(files), notes=(*notes, *formula_notes(evaluations)))


def _answers(one: Evaluated) -> bytes:
    rows = [[answer.sample.sample_id, answer.text] for answer in one.answers if answer.text is not None]
    return table([["id", "model_answer"], *rows], delimiter=";", bom=True)


def _stem(one: Evaluated) -> str:
    """As `evaluate` has named its files, else the same made anew."""
    ends = f"{one.stamp}.csv"
    known = next((name for name in one.legacy if name.endswith(ends)), None)
    if known is not None:
        return known.removesuffix(".csv")
    framework = one.framework.replace(" ", "_")
    parts = [file_name(part) for part in (one.benchmark.name, framework, one.model, one.benchmark.task)]
    return "_".join((*parts, "answers", one.stamp))
