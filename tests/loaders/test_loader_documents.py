"""Document benchmarks in the layouts of their releases: DUE, Kleister, PubTabNet, WildReceipt, POIE, EPHOIE."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from pypdfium2 import PdfDocument
from vlmhb_benchmarks.loaders import load
from vlmhb_benchmarks.loaders.base import ImageAbsent, ImageFile, LoaderError, PdfPage, RawSample


def pdf(path: Path, *, pages: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    document = PdfDocument.new()
    for _ in range(pages):
        document.new_page(200, 100)
    document.save(path)
    document.close()


def write_lines(path: Path, lines: Iterable[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines), encoding="utf-8")


def read(loader: str, root: Path, **params: Any) -> list[RawSample]:
    return list(load(loader, root, params))


# --- DUE ---------------------------------------------------------------------------------------


def due_document(name: str = "a1") -> dict[str, Any]:
    return {
        "name": name,
        "language": "en",
        "split": "test",
        "annotations": [
            {"id": "0", "key": "date", "values": [{"value": "12.01.2021", "value_variants": ["january 12 2021"]}]},
            {"id": "1", "key": "party", "values": [{"value": "Ромашка"}, {"value": "Acme"}]},
        ],
    }  # fmt: skip


def test_due_values_lists_and_variants(tmp_path: Path) -> None:
    pdf(tmp_path / "pdfs" / "a1.pdf", pages=3)
    write_lines(tmp_path / "test" / "document.jsonl", [due_document()])
    (sample,) = read("due", tmp_path, max_pages=2, dpi=100)
    assert sample.sample_id == "a1"
    assert [json.loads(text) for text in sample.references] == [
        {"date": "12.01.2021", "party": ["Ромашка", "Acme"]},
        {"date": "january 12 2021", "party": ["Ромашка", "Acme"]},
    ]
    assert sample.images == (
        PdfPage(path="pdfs/a1.pdf", page=0, dpi=100),
        PdfPage(path="pdfs/a1.pdf", page=1, dpi=100),
    )
    assert dict(sample.metadata) == {"language": "en", "split": "test"}


def test_due_bad_rows_cost_one_sample_each(tmp_path: Path) -> None:
    (tmp_path / "pdfs").mkdir()
    (tmp_path / "pdfs" / "torn.pdf").write_bytes(b"%PDF-1.7 torn")
    pdf(tmp_path / "pdfs" / "a1.pdf", pages=1)
    path = tmp_path / "test" / "document.jsonl"
    write_lines(path, [due_document(), due_document("torn"), due_document("absent"), {"name": "bare"}])
    path.write_text(path.read_text(encoding="utf-8") + "{torn\n", encoding="utf-8")
    samples = read("due", tmp_path)
    assert [sample.sample_id for sample in samples] == ["a1", "torn", "absent", "bare", "line-5"]
    assert samples[0].problem is None
    assert "cannot be read as a PDF" in (samples[1].problem or "")
    assert samples[2].images == (ImageAbsent(reason="pdfs/absent.pdf: no such file in the dataset"),)
    assert samples[3].problem == "no annotations"
    assert samples[4].row == 5 and "not JSON" in (samples[4].problem or "")


def test_due_names_with_the_ending(tmp_path: Path) -> None:
    pdf(tmp_path / "pdfs" / "a1.pdf", pages=1)
    write_lines(tmp_path / "test" / "document.jsonl", [due_document("a1.pdf")])
    (sample,) = read("due", tmp_path)
    assert sample.images == (PdfPage(path="pdfs/a1.pdf", page=0, dpi=144),)


def test_due_without_its_split(tmp_path: Path) -> None:
    with pytest.raises(LoaderError, match=r"no dev/document\.jsonl"):
        read("due", tmp_path, split="dev")


# --- Kleister ----------------------------------------------------------------------------------


def kleister(root: Path, *, rows: str, expected: str, packed: bool = True) -> None:
    folder = root / "dev-0"
    folder.mkdir(parents=True)
    if packed:
        (folder / "in.tsv.xz").write_bytes(lzma.compress(rows.encode()))
    else:
        (folder / "in.tsv").write_text(rows, encoding="utf-8")
    (folder / "expected.tsv").write_text(expected, encoding="utf-8")


@pytest.mark.parametrize("packed", [True, False])
def test_kleister_repeated_keys_are_a_list_and_quotes_mean_nothing(tmp_path: Path, packed: bool) -> None:
    rows = 'ab.pdf\tparty term\ttext with a lone " quote\nцд.pdf\tterm\tx\n'
    kleister(tmp_path, rows=rows, expected='party=Acme_"Inc" party=Ромашка term=11_months\n\n', packed=packed)
    pdf(tmp_path / "documents" / "ab.pdf", pages=2)
    first, second = read("kleister", tmp_path, max_pages=1)
    assert first.sample_id == "ab"
    assert json.loads(first.references[0]) == {"party": ['Acme_"Inc"', "Ромашка"], "term": "11_months"}
    assert first.images == (PdfPage(path="documents/ab.pdf", page=0, dpi=144),)
    assert first.metadata["keys"] == "party term"
    assert json.loads(second.references[0]) == {}
    assert second.images == (ImageAbsent(reason="documents/цд.pdf: no such file in the dataset"),)


def test_kleister_files_of_different_length(tmp_path: Path) -> None:
    kleister(tmp_path, rows="a.pdf\tk\tx\n", expected="k=1\nk=2\n")
    with pytest.raises(LoaderError, match=r"expected\.tsv has more rows.*row 2"):
        read("kleister", tmp_path)


def test_kleister_torn_archive_names_the_file(tmp_path: Path) -> None:
    kleister(tmp_path, rows="a.pdf\tk\tx\n" * 50, expected="k=1\n" * 50)
    packed = tmp_path / "dev-0" / "in.tsv.xz"
    packed.write_bytes(packed.read_bytes()[:40])
    with pytest.raises(LoaderError, match=r"damaged.*dev-0/in\.tsv\.xz"):
        read("kleister", tmp_path)


def test_kleister_pair_without_a_key_costs_one_sample(tmp_path: Path) -> None:
    kleister(tmp_path, rows="a.pdf\tk\tx\nb.pdf\tk\tx\n", expected="k=1 lonely\nk=2\n")
    first, second = read("kleister", tmp_path)
    assert first.problem == "lonely is no key=value"
    assert second.problem is None


# --- PubTabNet ---------------------------------------------------------------------------------


def table(**changes: Any) -> dict[str, Any]:
    structure = ["<thead>", "<tr>", "<td", ' colspan="2"', ">", "</td>", "</tr>", "</thead>",
                 "<tbody>", "<tr>", "<td>", "</td>", "<td></td>", "</tr>", "</tbody>"]  # fmt: skip
    cells = [{"tokens": ["<b>", "Ц", "</b>"], "bbox": [0, 0, 1, 1]}, {"tokens": ["1", "2"]}, {"tokens": []}]
    row = {
        "filename": "t.png",
        "split": "val",
        "imgid": 7,
        "html": {"cells": cells, "structure": {"tokens": structure}},
    }
    return {**row, **changes}


def test_pubtabnet_structure_and_cells_become_html(tmp_path: Path) -> None:
    simple = {"cells": [{"tokens": ["x"]}], "structure": {"tokens": ["<tr>", "<td>", "</td>", "</tr>"]}}
    write_lines(
        tmp_path / "PubTabNet_2.0.0.jsonl",
        [table(split="train"), table(), table(imgid=8, html=simple)],
    )
    (tmp_path / "val").mkdir()
    (tmp_path / "val" / "t.png").write_bytes(b"")
    first, second = read("pubtabnet", tmp_path)
    assert first.sample_id == "7"
    assert first.references == (
        '<table><thead><tr><td colspan="2"><b>Ц</b></td></tr></thead>'
        "<tbody><tr><td>12</td><td></td></tr></tbody></table>",
    )
    assert first.images == (ImageFile(path="val/t.png"),)
    assert [sample.metadata["complexity"] for sample in (first, second)] == ["complex", "simple"]


def test_pubtabnet_wrong_number_of_cells_costs_one_sample(tmp_path: Path) -> None:
    short = table(html={**table()["html"], "cells": []})
    write_lines(tmp_path / "t.jsonl", [short, table(imgid=8), {"filename": "x"}])
    samples = read("pubtabnet", tmp_path)
    assert samples[0].problem == "0 cells for 3 places in the structure"
    assert samples[1].problem is None
    assert "not a row of PubTabNet" in (samples[2].problem or "")


def test_pubtabnet_pdf_tables_and_an_absent_split(tmp_path: Path) -> None:
    pdf(tmp_path / "pdf" / "A" / "page_1.pdf", pages=1)
    write_lines(tmp_path / "FinTabNet_1.0.0_table_val.jsonl", [table(filename="A/page_1.pdf", table_id=3)])
    (sample,) = read("pubtabnet", tmp_path)
    assert sample.sample_id == "3"
    assert sample.images == (PdfPage(path="pdf/A/page_1.pdf", page=0, dpi=144),)
    with pytest.raises(LoaderError, match="no rows of split test"):
        read("pubtabnet", tmp_path, split="test")


# --- labelled lines ----------------------------------------------------------------------------


def test_wildreceipt_fields_by_label_name(tmp_path: Path) -> None:
    (tmp_path / "class_list.txt").write_text(
        "0 Ignore\n1 Store_name_value\n2 Store_name_key\n3 Prod_item_value\n"
    )
    annotations = [
        {"box": [0] * 8, "text": "SAFEWAY", "label": 1},
        {"box": [0] * 8, "text": "Store:", "label": 2},
        {"box": [0] * 8, "text": "молоко", "label": 3},
        {"box": [0] * 8, "text": "bread", "label": 3},
        {"box": [0] * 8, "text": "TM", "label": 0},
    ]
    rows = [
        {"file_name": "image_files/1.jpeg", "annotations": annotations},
        {"file_name": "image_files/2.jpeg", "annotations": [{"text": "x", "label": 99}]},
    ]
    write_lines(tmp_path / "test.txt", rows)
    first, second = read("entity_lines", tmp_path, layout="wildreceipt")
    assert first.sample_id == "image_files/1.jpeg"
    assert json.loads(first.references[0]) == {"Store_name": "SAFEWAY", "Prod_item": ["молоко", "bread"]}
    assert first.images == (ImageFile(path="image_files/1.jpeg"),)
    assert "KeyError: '99'" in (second.problem or "")


def test_poie_and_ephoie(tmp_path: Path) -> None:
    line = {"text": "120 kJ", "polygon": [0] * 8, "entity": ["B-EN"] * 6}
    row = {"file_name": "a.jpg", "height": 9, "width": 9, "annotations": [line]}
    fields = {"EN": "120 kJ", "SS": ["1 g", "2 g"]}
    write_lines(tmp_path / "poie" / "test.txt", [row | {"entity_dict": fields}, []])
    good, bad = read("entity_lines", tmp_path / "poie", layout="poie")
    assert json.loads(good.references[0]) == fields
    assert "not a row of POIE" in (bad.problem or "")
    root = tmp_path / "ephoie"
    for images, pairs in (
        ("image", "kvpair"),
        ("final_release_image_20201222", "final_release_kvpair_20201222"),
    ):
        ephoie(root / images, images=images, pairs=pairs)
        first, second, third = read("entity_lines", root / images, layout="ephoie")
        assert json.loads(first.references[0]) == {"年级": "三年级", "科目": ["语文", "数学"]}
        assert first.images == (ImageFile(path=f"{images}/p1.png"),)
        assert second.problem == f"no {pairs}/p2.txt"
        assert third.problem == f"{pairs}/p3.txt is no JSON object"


def ephoie(root: Path, *, images: str, pairs: str) -> None:
    for folder in (images, pairs):
        (root / folder).mkdir(parents=True)
    (root / images / "p1.png").write_bytes(b"")
    (root / "test.txt").write_text("p1\np2\np3\n")
    fields = {"年级": "三年级", "科目": ["语文", "数学"], "其他": "卷"}
    (root / pairs / "p1.txt").write_text(json.dumps(fields, ensure_ascii=False), encoding="utf-8")
    (root / pairs / "p3.txt").write_text("[]", encoding="utf-8")


def test_no_reference_reaches_the_inputs_side(tmp_path: Path) -> None:
    """Question and metadata are what a model may see."""
    pdf(tmp_path / "pdfs" / "a1.pdf", pages=1)
    write_lines(tmp_path / "test" / "document.jsonl", [due_document()])
    write_lines(tmp_path / "t.jsonl", [table(imgid=5)])
    for sample in (*read("due", tmp_path), *read("pubtabnet", tmp_path)):
        seen = json.dumps([sample.question, dict(sample.metadata)], ensure_ascii=False)
        assert not any(word in seen for word in ("12.01.2021", "Ромашка", "<td", "Acme"))
