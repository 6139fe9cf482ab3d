"""VLMEvalKit TSV files under the params of a card: columns, hints, filters, lists of images."""

from __future__ import annotations

import base64
import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from vlmhb_benchmarks.loaders import (
    ImageAbsent,
    ImageBase64,
    ImageFile,
    LoaderError,
    PdfBytes,
    PdfPage,
    RawSample,
    load,
)

PICTURE = base64.b64encode(b"first picture " * 20).decode()
OTHER = base64.b64encode(b"second picture " * 20).decode()


def read(folder: Path, *rows: Mapping[str, str], **params: Any) -> list[RawSample]:
    with (folder / "bench.tsv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return list(load("tsv", folder, params))


def row(index: str, **cells: str) -> dict[str, str]:
    return {"index": index, "image": PICTURE, "question": "q", "answer": "a", **cells}


def test_columns(tmp_path: Path) -> None:
    cells = {
        "key": "k1",
        "ask": "Что?",
        "gold": "['да']",
        "alt": "ага",
        "one": "1",
        "two": "2",
        "img": PICTURE,
    }
    columns = {
        "id": "key",
        "question": "ask",
        "answers": ["gold", "alt"],
        "choices": ["one", "two"],
        "image": "img",
    }
    (sample,) = read(tmp_path, cells, columns=columns)
    assert (sample.sample_id, sample.question) == ("k1", "Что?")
    assert sample.references == ("да", "ага")
    assert sample.choices == ("1", "2")
    assert sample.images == (ImageBase64(text=PICTURE),)


def test_a_column_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LoaderError, match=r"missing column gold, in bench\.tsv, row 1"):
        read(tmp_path, row("0"), columns={"answers": "gold"})
    with pytest.raises(LoaderError, match="missing column year"):
        read(tmp_path, row("0"), metadata=["year"])
    with pytest.raises(LoaderError, match="missing column year"):
        read(tmp_path, row("0"), where={"year": 2001})


def test_hints_as_vlmevalkit_puts_them(tmp_path: Path) -> None:
    with_hint, without = read(tmp_path, row("0", hint="Смотри"), row("1", hint=""), hint=True)
    assert with_hint.question == "Hint: Смотри\nQuestion: q"
    assert without.question == "Question: q"
    (plain,) = read(tmp_path, row("0", hint="canary"))
    assert plain.question == "q"
    assert "canary" not in str(plain.metadata)


def test_where_and_split(tmp_path: Path) -> None:
    rows = [
        row(str(n), split=split, category=kind)
        for n, (split, kind) in enumerate((("val", "a"), ("test", "b")))
    ]
    assert [s.sample_id for s in read(tmp_path, *rows, split="test")] == ["1"]
    assert [s.sample_id for s in read(tmp_path, *rows, where={"category": ["a", "c"]})] == ["0"]
    with pytest.raises(LoaderError, match="no row with split = dev") as caught:
        read(tmp_path, *rows, split="dev")
    assert caught.value.hint == "split has val, test"


def test_a_damaged_row_is_told_whatever_the_filter(tmp_path: Path) -> None:
    (tmp_path / "b.tsv").write_text("index\tsplit\tanswer\n0\tval\n1\ttest\ta\n", encoding="utf-8")
    broken, good = load("tsv", tmp_path, {"split": "test"})
    assert (broken.sample_id, broken.problem) == ("0", "2 cells where the header has 3")
    assert good.sample_id == "1"


def test_references_into_filtered_rows_hold(tmp_path: Path) -> None:
    rows = [row("0", split="val"), row("1", split="test", image="0")]
    (sample,) = read(tmp_path, *rows, split="test")
    assert sample.images == (ImageBase64(text=PICTURE),)


def test_an_empty_index_costs_one_sample(tmp_path: Path) -> None:
    broken, good = read(tmp_path, row(""), row("1"))
    assert (broken.sample_id, broken.problem) == (
        "row-2",
        "index is empty: every sample needs an id of its own",
    )
    assert good.problem is None


def test_a_column_twice(tmp_path: Path) -> None:
    (tmp_path / "b.tsv").write_text("index\tanswer\tanswer\n0\ta\tb\n", encoding="utf-8")
    with pytest.raises(LoaderError, match=r"column answer stands twice, in b\.tsv, row 1"):
        list(load("tsv", tmp_path, {}))


def test_image_path_counts_where_image_is_empty(tmp_path: Path) -> None:
    rows = [
        row("0", image="", image_path="['a.png', 'b.png']"),
        row("1", image_path="c.png"),
        row("2", image=""),
    ]
    first, second, third = read(
        tmp_path, *({"image_path": "", **cells} for cells in rows), image_path="img/{}"
    )
    assert first.images == (ImageFile(path="img/a.png"), ImageFile(path="img/b.png"))
    assert second.images == (ImageBase64(text=PICTURE),)
    assert third.images == (ImageAbsent(reason="image is empty"),)


def test_answers_that_are_the_text_of_a_choice(tmp_path: Path) -> None:
    rows = [row("0", answer="нет", A="да", B="нет"), row("1", answer="0.5", A="", B="")]
    first, second = read(tmp_path, *rows, answer_choice="text", list_choices=False)
    assert (first.references, first.list_choices) == (("B",), False)
    assert (second.references, second.choices) == (("0.5",), None)


def test_lists_can_be_texts(tmp_path: Path) -> None:
    assert read(tmp_path, row("0", answer="['a', 'b']"), lists=False)[0].references == ("['a', 'b']",)
    assert read(tmp_path, row("0", answer="['a', 'b']"), reference="json")[0].references == ("['a', 'b']",)


# --- PDFs in cells ------------------------------------------------------------------------------


def pdf(pages: int) -> bytes:
    from io import BytesIO

    document = pypdfium2.PdfDocument.new()
    for _ in range(pages):
        document.new_page(100, 100)
    stream = BytesIO()
    document.save(stream)
    return stream.getvalue()


def test_a_pdf_in_a_cell(tmp_path: Path) -> None:
    data = pdf(3)
    cells = {"index": "0", "question": "q", "answer": "a", "image": base64.b64encode(data).decode()}
    columns = {"pdf": "image", "image": None}
    (sample,) = read(tmp_path, cells, columns=columns)
    assert sample.images == tuple(PdfBytes(data=data, page=n, dpi=144) for n in range(3))
    (sample,) = read(tmp_path, cells, columns=columns, max_pages=2, dpi=72)
    assert sample.images == tuple(PdfBytes(data=data, page=n, dpi=72) for n in range(2))


def test_questions_about_one_pdf_refer_to_its_first_row(tmp_path: Path) -> None:
    data = pdf(3)
    cells = {"index": "0", "question": "q", "answer": "a", "image": base64.b64encode(data).decode()}
    samples = read(tmp_path, cells, {**cells, "index": "1", "image": "0"}, max_pages=2)
    expected = tuple(PdfBytes(data=data, page=number, dpi=144) for number in range(2))
    assert [sample.images for sample in samples] == [expected, expected]


def test_one_page_of_a_pdf_beside_the_table(tmp_path: Path) -> None:
    (tmp_path / "pdfs").mkdir()
    (tmp_path / "pdfs/a.pdf").write_bytes(pdf(3))
    cells = {"index": "0", "answer": "a", "pdf": "a.pdf", "page": "2"}
    params = {"columns": {"pdf": "pdf", "page": "page"}, "image_path": "pdfs/{}"}
    (sample,) = read(tmp_path, cells, **params)
    assert sample.images == (PdfPage(path="pdfs/a.pdf", page=1, dpi=144),)
    (sample,) = read(tmp_path, {**cells, "page": "0"}, **params)
    assert sample.problem == "page 0: pages are counted from 1"
    (sample,) = read(tmp_path, {**cells, "pdf": "b.pdf"}, **params)
    assert sample.images == (ImageAbsent(reason="pdfs/b.pdf: no such file in the dataset"),)
    (sample,) = read(tmp_path, {**cells, "pdf": "../../etc/passwd"}, **params)
    assert "no such file in the dataset" in str(sample.images)


def test_a_damaged_pdf_costs_one_sample(tmp_path: Path) -> None:
    text = base64.b64encode(b"%PDF-1.7 and nothing more").decode()
    cells = {"index": "0", "answer": "a", "image": text}
    (sample,) = read(tmp_path, cells, columns={"pdf": "image", "image": None})
    assert "cannot be read as a PDF" in (sample.problem or "")


def test_several_files_count_their_rows_each_from_the_start(tmp_path: Path) -> None:
    for name in ("doc/b.tsv", "doc/a.tsv", "other/c.tsv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cells = {"index": "0", "image": PICTURE, "question": name, "answer": "x"}
        lines = (
            "\t".join(cells),
            "\t".join(cells.values()),
            "\t".join({**cells, "index": "1", "image": "0"}.values()),
        )
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    samples = list(load("tsv", tmp_path, {"file": "doc/*.tsv"}))
    assert [sample.sample_id for sample in samples] == ["a-0", "a-1", "b-0", "b-1"]
    assert [sample.file for sample in samples] == ["doc/a.tsv", "doc/a.tsv", "doc/b.tsv", "doc/b.tsv"]
    assert {sample.images for sample in samples} == {(ImageBase64(text=PICTURE),)}
    assert [sample.sample_id for sample in load("tsv", tmp_path, {"file": "other/*.tsv"})] == ["0", "1"]
    both = {"file": ["doc/a.tsv", "other/c.tsv"]}
    assert len(list(load("tsv", tmp_path, both))) == 4
    assert len(list(load("tsv", tmp_path, both | {"where": {"question": "other/c.tsv"}}))) == 2
    with pytest.raises(LoaderError, match="no row with question = none"):
        list(load("tsv", tmp_path, both | {"where": {"question": "none"}}))
    with pytest.raises(LoaderError, match=r"no none/\*\.tsv in the dataset folder"):
        list(load("tsv", tmp_path, {"file": ["doc/*.tsv", "none/*.tsv"]}))


def test_what_an_empty_answer_means(tmp_path: Path) -> None:
    rows = (row("0", answer=""), row("1"))
    assert [sample.references for sample in read(tmp_path, *rows)] == [("",), ("a",)]
    found = read(tmp_path, *rows, empty_answer="Not answerable")
    assert [sample.references for sample in found] == [("Not answerable",), ("a",)]
