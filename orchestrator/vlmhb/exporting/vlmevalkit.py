"""VLMEvalKit's predictions: `{model}/T{time}/{model}_{dataset}.tsv`, which its `--mode eval` scores."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase

from vlmhb.errors import ExportRefused
from vlmhb.exporting.csvtext import table
from vlmhb.exporting.source import Answered, Evaluated, formula_notes
from vlmhb.exporting.target import Export, File, file_name

FAILED = "Failed to obtain answer via API."
_OWN = ("index", "question", "answer", "prediction", "image", "image_path")
# What pandas takes for a missing value when it reads a table, as VLMEvalKit does.
_MISSING = frozenset(
    [
        "",
        "#N/A",
        "#N/A N/A",
        "#NA",
        "-1.#IND",
        "-1.#QNAN",
        "-NaN",
        "-nan",
        "1.#IND",
        "1.#QNAN",
        "<NA>",
        "N/A",
        "NA",
        "NULL",
        "NaN",
        "None",
        "n/a",
        "nan",
        "null",
    ]
)


def vlmevalkit(evaluations: Sequence[Evaluated], *, references: bool) -> Export:
    """A table of texts, every cell quoted: no value is a number or a date. Raises `ExportRefused`."""
    if not references:
        raise ExportRefused(
            "VLMEvalKit scores only files that hold the reference answers",
            hint="--with-references exports them",
        )
    files = [File(name=_name(one), data=_table(one)) for one in evaluations]
    notes = [note for one in evaluations for note in _notes(one)]
    return Export(files=tuple(files), notes=(*notes, *formula_notes(evaluations)))


def _name(one: Evaluated) -> str:
    model = file_name(one.model)
    time = one.stamp.replace("_", "-")
    return f"{model}/T{time}/{model}_{file_name(one.benchmark.name)}.tsv"


def _table(one: Evaluated) -> bytes:
    keys = sorted({key for answer in one.answers for key in answer.sample.metadata} - set(_OWN))
    most = _most_choices(one)
    letters = list(ascii_uppercase[:most]) if most <= len(ascii_uppercase) else []
    header = ["index", "question", "answer", *letters, *keys, "prediction"]
    rows = [_row(answer, letters=letters, keys=keys) for answer in one.answers]
    return table([header, *rows], delimiter="\t", quote_all=True)


def _row(answer: Answered, *, letters: Sequence[str], keys: Sequence[str]) -> list[str]:
    choices = list(answer.sample.choices or ()) if letters else []
    choices += [""] * (len(letters) - len(choices))
    metadata = [answer.sample.metadata.get(key, "") for key in keys]
    known = [answer.sample.sample_id, answer.prompt, _answer(answer.references)]
    return [*known, *choices, *metadata, FAILED if answer.text is None else answer.text]


def _most_choices(one: Evaluated) -> int:
    return max((len(answer.sample.choices or ()) for answer in one.answers), default=0)


def _answer(references: Sequence[str]) -> str:
    """Several references are the text of a Python list there."""
    return references[0] if len(references) == 1 else repr(list(references))


def _notes(one: Evaluated) -> list[str]:
    failed = sum(answer.text is None for answer in one.answers)
    cut = sum(answer.prediction.status == "truncated" for answer in one.answers)
    lost = sum(answer.text in _MISSING for answer in one.answers)
    notes = []
    if failed:
        notes.append(f"{one.id}: {failed} samples without an answer say {FAILED!r}, VLMEvalKit's own mark")
    if cut:
        notes.append(f"{one.id}: {cut} truncated answers are whole ones there: it has no such state")
    if _most_choices(one) > len(ascii_uppercase):
        notes.append(f"{one.id}: more choices than letters, so they are left out")
    if lost:
        notes.append(
            f"{one.id}: {lost} answers like NA or an empty one are missing values to VLMEvalKit's reader"
        )
    return notes
