"""Documents with their truth beside them: one sample a page or a document, nothing lost, natural order."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from PIL import Image
from vlmhb_benchmarks.loaders import ImageFile, LoaderError, RawSample, load
from vlmhb_benchmarks.loaders.base import PdfPage
from vlmhb_benchmarks.loaders.pages import files_of


def pdf(path: Path, *, pages: int) -> None:
    document = pypdfium2.PdfDocument.new()
    for _ in range(pages):
        document.new_page(72, 72)
    buffer = BytesIO()
    document.save(buffer)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())


def image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, 8)).save(path)


def text(root: Path, **files: str) -> None:
    for name, content in files.items():
        path = root / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8", newline="")


def read(root: Path, **params: Any) -> list[RawSample]:
    return list(load("pages", root, params))


def problems(samples: list[RawSample]) -> dict[str, str | None]:
    return {sample.sample_id: sample.problem for sample in samples}


def test_one_sample_a_page_from_texts_of_pages(tmp_path: Path) -> None:
    pdf(tmp_path / "docs/a.pdf", pages=3)
    text(tmp_path / "docs", a_1_DOT_txt="one", a_02_DOT_md="# two", a_3_DOT_txt="три\r\n")
    samples = read(tmp_path)
    assert [(sample.sample_id, sample.references) for sample in samples] == [
        ("a_1", ("one",)),
        ("a_2", ("# two",)),
        ("a_3", ("три\r\n",)),
    ]
    assert [sample.images for sample in samples] == [
        (PdfPage(path="docs/a.pdf", page=number, dpi=144),) for number in range(3)
    ]
    assert samples[1].metadata == {"document": "a", "pages": "3", "page": "2"}


def test_form_feeds_divide_the_text_of_a_document(tmp_path: Path) -> None:
    pdf(tmp_path / "docs/a.pdf", pages=2)
    text(tmp_path / "docs", a_DOT_txt="one\n\ftwo\n\f")
    assert [sample.references for sample in read(tmp_path)] == [("one\n",), ("two\n",)]
    text(tmp_path / "docs", a_DOT_txt="all in one")
    assert problems(read(tmp_path)) == {
        "a_1": "no truth for it (a_1.txt or .md)",
        "a_2": "no truth for it (a_2.txt or .md)",
    }


def test_one_sample_a_document(tmp_path: Path) -> None:
    pdf(tmp_path / "docs/a.pdf", pages=2)
    pdf(tmp_path / "docs/b.pdf", pages=2)
    pdf(tmp_path / "docs/c.pdf", pages=2)
    text(tmp_path / "docs", a_DOT_md="whole", b_1_DOT_txt="one\n", b_2_DOT_txt="two\n", c_1_DOT_txt="one")
    samples = read(tmp_path, per="document", dpi=100)
    assert [sample.references for sample in samples] == [("whole",), ("one\n\ntwo",), ()]
    assert samples[0].images == tuple(PdfPage(path="docs/a.pdf", page=page, dpi=100) for page in range(2))
    assert samples[2].problem == "no truth for it (c.txt or .md)"


def test_at_most_so_many_pages(tmp_path: Path) -> None:
    pdf(tmp_path / "docs/a.pdf", pages=5)
    text(tmp_path / "docs", **{f"a_{number}_DOT_txt": str(number) for number in range(1, 6)})
    assert [sample.sample_id for sample in read(tmp_path, max_pages=2)] == ["a_1", "a_2"]
    (document,) = read(tmp_path, max_pages=2, per="document")
    assert (len(document.images), document.metadata["pages"]) == (2, "5")


def test_images_in_natural_order_with_texts_in_a_folder_of_their_own(tmp_path: Path) -> None:
    for name in ("p10", "p9", "p1", "sub/p2", "scan_1"):
        image(tmp_path / f"images/{name}.png")
    text(
        tmp_path / "truth",
        p10_DOT_txt="ten",
        p9_DOT_txt="nine",
        p1_DOT_txt="one",
        sub__p2_DOT_txt="two",
        scan_1_DOT_txt="s",
    )
    samples = read(tmp_path)
    assert [sample.sample_id for sample in samples] == ["p1", "p9", "p10", "scan_1", "sub/p2"]
    assert [sample.references[0] for sample in samples] == ["one", "nine", "ten", "s", "two"]
    assert samples[4].images == (ImageFile(path="images/sub/p2.png"),)


def test_nothing_is_lost(tmp_path: Path) -> None:
    pdf(tmp_path / "docs/a.pdf", pages=1)
    pdf(tmp_path / "docs/b.pdf", pages=1)
    text(
        tmp_path / "docs",
        a_DOT_txt="x",
        a_7_DOT_txt="a page too many",
        c_DOT_txt="nobody",
        d_2_DOT_md="nobody",
        README_DOT_md="about",
    )
    assert problems(read(tmp_path)) == {
        "a": None,
        "b": "no truth for it (b.txt or .md)",
        "docs/a_7.txt": "a truth without a document",
        "docs/c.txt": "a truth without a document",
        "docs/d_2.md": "a truth without a document",
    }


def test_a_pdf_that_cannot_be_opened_is_left_to_prepare(tmp_path: Path) -> None:
    text(tmp_path / "docs", a_DOT_pdf="%PDF-1.4 torn", a_DOT_txt="x")
    (sample,) = read(tmp_path)
    assert (sample.images, sample.problem) == ((PdfPage(path="docs/a.pdf", page=0),), None)


def test_json_is_the_truth_of_whole_documents(tmp_path: Path) -> None:
    pdf(tmp_path / "a.pdf", pages=2)
    pdf(tmp_path / "b_1.pdf", pages=1)
    pdf(tmp_path / "c.pdf", pages=1)
    image(tmp_path / "d.png")
    text(
        tmp_path,
        a_DOT_json='{"total": 12.50,\n "items": [{"qty": "1"}]}',
        b_1_DOT_json="[1]",
        e_DOT_json="{}",
    )
    (tmp_path / "d.json").write_text("{", encoding="utf-8")
    first, *broken = read(tmp_path)
    assert (first.sample_id, len(first.images)) == ("a", 2)
    assert first.references == ('{"total": 12.50, "items": [{"qty": "1"}]}',)
    assert [(sample.sample_id, sample.references) for sample in broken] == [
        ("b_1", ()),
        ("c", ()),
        ("d", ()),
        ("e.json", ()),
    ]
    assert all(sample.problem for sample in broken)
    assert broken[1].problem == "no truth for it (c.txt, .md or .json)"
    text(tmp_path, c_DOT_txt="Total 12.50")
    assert [sample.sample_id for sample in read(tmp_path) if not sample.problem] == ["c"]


def test_a_single_document(tmp_path: Path) -> None:
    pdf(tmp_path / "a.pdf", pages=2)
    pdf(tmp_path / "b.pdf", pages=1)
    text(tmp_path, a_1_DOT_txt="one", a_2_DOT_txt="two", b_DOT_txt="other", a_note_DOT_txt="not a page")
    for samples in (read(tmp_path / "a.pdf"), read(tmp_path, file="a.pdf")):
        assert [sample.references for sample in samples] == [("one",), ("two",)]
        assert samples[0].images == (PdfPage(path="a.pdf", page=0),)
    assert files_of(tmp_path / "a.pdf") == ["a.pdf", "a_1.txt", "a_2.txt"]


def test_a_truth_file_with_questions(tmp_path: Path) -> None:
    pdf(tmp_path / "docs/a.pdf", pages=3)
    image(tmp_path / "docs/b.png")
    rows: list[dict[str, Any]] = [
        {"id": "q1", "image": "docs/a.pdf", "page": 2, "question": "Total?", "answers": ["5", "5.00"]},
        {"id": "q2", "image": "docs/a.pdf", "question": "Whose?", "answer": "Ann", "doc_class": "bill"},
        {"id": "q3", "images": ["docs/b.png", "docs/a.pdf"], "page": 1, "question": "?", "answer": "x"},
        {"id": "q4", "image": "docs/a.pdf", "page": 0, "question": "?", "answer": "x"},
        {"id": "q5", "image": "docs/a.pdf", "page": 9, "question": "?", "answer": "x"},
    ]
    (tmp_path / "truth.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    one, whole, both, zero, beyond = read(tmp_path, max_pages=2)
    assert (one.question, one.references) == ("Total?", ("5", "5.00"))
    assert one.images == (PdfPage(path="docs/a.pdf", page=1),)
    assert whole.images == tuple(PdfPage(path="docs/a.pdf", page=page) for page in range(2))
    assert whole.metadata["doc_class"] == "bill"
    assert both.images == (ImageFile(path="docs/b.png"), PdfPage(path="docs/a.pdf", page=0))
    assert zero.problem == "page 0: pages are numbers from 1"
    assert beyond.images == (PdfPage(path="docs/a.pdf", page=8),)  # prepare says how many there are


@pytest.mark.parametrize(
    ("files", "params", "why"),
    [
        ({}, {}, "no documents, in"),
        ({"docs__a_DOT_pdf": "x", "docs__a_DOT_png": "x"}, {}, "two documents are called a, in docs"),
        (
            {"docs__a_DOT_pdf": "x", "docs__a_DOT_txt": "x", "docs__a_DOT_md": "x"},
            {},
            "two texts for one page",
        ),
        (
            {"docs__a_DOT_pdf": "x", "docs__a_1_DOT_txt": "x", "docs__a_01_DOT_txt": "x"},
            {},
            "two texts for one page",
        ),
        ({"docs__a_DOT_pdf": "x"}, {"per": "line"}, "per line is unknown, in card"),
        ({"docs__a_DOT_pdf": "x"}, {"dpi": 0}, "dpi must be a whole number from 1, in card"),
        ({"docs__a_DOT_pdf": "x"}, {"docs": "scans"}, "no folder scans in the dataset, in card"),
        ({"docs__a_DOT_pdf": "x"}, {"columns": {}}, "loader pages has no parameter columns, in card"),
    ],
)
def test_what_is_wrong_with_the_whole(
    tmp_path: Path, files: dict[str, str], params: dict[str, Any], why: str
) -> None:
    text(tmp_path, **files)
    with pytest.raises(LoaderError) as caught:
        read(tmp_path, **params)
    assert why in str(caught.value)


def test_a_text_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    image(tmp_path / "docs/a.png")
    (tmp_path / "docs/a.txt").write_bytes("счёт".encode("cp1251"))
    with pytest.raises(LoaderError, match=r"not UTF-8, in docs/a\.txt"):
        read(tmp_path)
