"""VLMEvalKit's spreadsheets, TSV and JSON: texts as they were said, and cut or failed answers as states (V3, V5)."""

from __future__ import annotations

import csv
import io
import json

import openpyxl
import pytest
from import_bench import AWKWARD, Bench, workbook

FAILED = "Failed to obtain answer via API."
SHARED = '<c r="{{r}}" t="s"><v>{at}</v></c>'
NUMBER = '<c r="{r}"><v>0</v></c>'


def tsv(
    bench: Bench, texts: list[str], header: tuple[str, ...] = ("index", "question", "prediction")
) -> None:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter="\t", quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([str(number), f"Question {number}?", text] for number, text in enumerate(texts))
    bench.source.write_bytes(stream.getvalue().encode())


def test_every_text_of_a_tsv_comes_through(bench: Bench) -> None:
    bench.samples([str(number) for number in range(len(AWKWARD))])
    tsv(bench, list(AWKWARD))
    assert bench.run() == 0
    assert bench.texts == list(AWKWARD)
    assert set(bench.statuses.values()) == {"ok"}
    assert bench.summary.format == "vlmevalkit" and bench.summary.matched_by == "id"


def test_every_text_of_a_spreadsheet_comes_through_or_is_cut(bench: Bench) -> None:
    """As XlsxWriter writes them: shared strings, control characters as `_xHHHH_`, a text that looks so escaped."""
    texts = [text[:32_767] for text in AWKWARD]
    strings = ["index", "prediction", *(_escaped(text) for text in texts)]
    rows = [[SHARED.format(at=0), SHARED.format(at=1)]]
    rows += [
        [f'<c r="{{r}}"><v>{number}</v></c>', SHARED.format(at=number + 2)] for number in range(len(texts))
    ]
    bench.samples([str(number) for number in range(len(texts))])
    workbook(bench.source, cells=rows, strings=strings)
    assert bench.run() == 0
    assert bench.texts == texts
    cut = [name for name, status in bench.statuses.items() if status == "truncated"]
    assert cut == [str(AWKWARD.index("ы" * 40_000))]
    assert "32767" in (bench.answers[cut[0]].finish_reason or "")


def _escaped(text: str) -> str:
    text = text.replace("_x", "_x005F_x")
    return "".join(f"_x{ord(char):04X}_" if char < " " and char not in "\t\n" else char for char in text)


def test_a_cell_cut_by_its_utf16_length(bench: Bench) -> None:
    bench.samples(["0"])
    text = "🙂" * 16_383 + "x"
    workbook(bench.source, cells=[[SHARED.format(at=0), SHARED.format(at=1)], [NUMBER, SHARED.format(at=2)]],
             strings=["index", "prediction", text])  # fmt: skip
    assert bench.run() == 0
    assert bench.statuses == {"0": "truncated"}


def test_a_formula_is_the_text_that_was_taken_for_one_and_numbers_are_told(bench: Bench) -> None:
    bench.samples(["0", "1", "2", "3"])
    header = [
        '<c r="{r}" t="inlineStr"><is><t>index</t></is></c>',
        '<c r="{r}" t="str"><v>prediction</v></c>',
    ]
    rows = [
        [NUMBER, '<c r="{r}"><f>1+1</f><v>0</v></c>'],
        ['<c r="{r}"><v>1</v></c>', '<c r="{r}"><v>7.0</v></c>'],
        ['<c r="{r}"><v>2</v></c>', '<c r="{r}" t="b"><v>1</v></c>'],
        ['<c r="{r}"><v>3</v></c>', '<c r="{r}" t="inlineStr"><is><r><t>ri</t></r><r><t>ch</t></r></is></c>'],
    ]
    workbook(bench.source, cells=[header, *rows])
    assert bench.run() == 0
    assert bench.texts == ["=1+1", "7.0", "True", "rich"]
    assert bench.summary.warnings == ("2 predictions are stored as numbers: how they were spelled is lost",)


def test_a_spreadsheet_of_openpyxl_with_empty_cells_and_scores(bench: Bench) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["index", "question", "answer", "prediction", "eval_score"])
    sheet.append([0, "Question 0?", "x", "007", 0.25])
    sheet.append([1, "Question 1?", "y", None, 0.75])
    sheet.append([2, "Question 2?", "z", FAILED, 0])
    book.save(bench.source)
    bench.samples(["0", "1", "2"])
    assert bench.run() == 0
    assert bench.texts == ["007", "", None]
    assert bench.statuses == {"0": "ok", "1": "ok", "2": "error"}
    assert bench.summary.metrics["eval_score"].mean == pytest.approx(1 / 3)
    assert bench.summary.compared == 3 and bench.summary.differ.count == 0


@pytest.mark.parametrize("columns", [False, True])
def test_json_by_rows_and_by_columns(bench: Bench, columns: bool) -> None:
    rows = [
        {"index": 5, "prediction": "a"},
        {"index": 6.0, "prediction": float("nan")},
        {"index": 7, "prediction": ""},
    ]
    value = (
        {name: {str(at): row[name] for at, row in enumerate(rows)} for name in rows[0]} if columns else rows
    )
    bench.source.write_text(json.dumps(value, indent=4))
    bench.samples(["5", "6", "7"])
    assert bench.run() == 0
    assert bench.texts == ["a", None, ""]
    assert bench.statuses["6"] == "error"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"index\tprediction\n0\ta\tb\n", "row 2"),
        (b'index\tprediction\n0\t"a\n', "wrong quoting"),
        (b"index\tprediction\n", "no predictions"),
        (b"index\tanswer\n0\ta\n", "no column prediction"),
        ("index\tprediction\n0\tё\n".encode("cp1251"), "UTF-8"),
        (b"", "empty"),
        (b'{"a": 1}', "list of rows"),
        (b"[1]", "list of rows"),
    ],
)
def test_a_broken_file_is_refused_with_its_place(bench: Bench, content: bytes, told: str) -> None:
    bench.samples(["0"])
    bench.source.write_bytes(content)
    assert bench.run("vlmevalkit") == 2
    assert told in bench.fatal["message"]


def test_an_empty_sheet_and_an_unknown_shared_string(bench: Bench) -> None:
    bench.samples(["0"])
    workbook(bench.source, cells=[])
    assert bench.run("vlmevalkit") == 2
    assert "empty" in bench.fatal["message"]
    workbook(bench.source, cells=[[SHARED.format(at=9)]])
    assert bench.run("vlmevalkit") == 2
    assert "names no shared string" in bench.fatal["message"]
