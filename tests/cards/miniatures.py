"""Miniature files in the real formats of the benchmarks that cards describe, with invented content."""

from __future__ import annotations

import base64
import io
import json
import lzma
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from pypdfium2 import PdfDocument

ANSWERED = "Ромашка 42"


def png(shade: int = 200) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (24, 12), shade).save(stream, format="PNG")
    return stream.getvalue()


def picture(shade: int = 200) -> dict[str, Any]:
    """How the `datasets` library stores an image."""
    return {"bytes": png(shade), "path": f"{shade}.png"}


def write_image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png())


def write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, ensure_ascii=False))


def write_pdf(path: Path, *, pages: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    document = PdfDocument.new()
    for _ in range(pages):
        document.new_page(60, 40)
    document.save(path)
    document.close()


def parquet(name: str, rows: Sequence[Mapping[str, Any]]) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), root / name)

    return make


def tsv(name: str, rows: Sequence[Mapping[str, str]]) -> Callable[[Path], None]:
    """VLMEvalKit's table: images as base64 in the column `image`."""

    def make(root: Path) -> None:
        header = list(rows[0])
        lines = ["\t".join(header), *("\t".join(_cell(row[key]) for key in header) for row in rows)]
        write_text(root / name, "".join(f"{line}\n" for line in lines))

    return make


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(char in text for char in '"\t\n') else text


def _pdf64(*, pages: int) -> str:
    """A PDF as VLMEvalKit's tables of long documents hold it."""
    stream = io.BytesIO()
    document = PdfDocument.new()
    for _ in range(pages):
        document.new_page(60, 40)
    document.save(stream)
    document.close()
    return base64.b64encode(stream.getvalue()).decode()


B64 = base64.b64encode(png() * 3).decode()  # longer than an index of another row


def _vqa(**more: Any) -> dict[str, Any]:
    return {
        "questionId": "q1",
        "question": "Which company?",
        "answers": [ANSWERED, "Ромашка, 42"],
        "image": picture(),
    } | more


def _pages(prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {f"{prefix}_{number}": None for number in range(3, 21)}
    return {f"{prefix}_1": picture(1), f"{prefix}_2": picture(2)} | found


def _mcq(answer: str, **more: str) -> dict[str, str]:
    return {
        "index": "0",
        "question": "Which?",
        "A": "one",
        "B": "two",
        "C": "three",
        "D": "four",
        "answer": answer,
        "image": B64,
    } | more


def _sroie(root: Path) -> None:
    write_image(root / "img" / "000.png")
    write_text(root / "box" / "000.csv", "0,0,9,0,9,9,0,9,ACME LTD\n")
    write_json(root / "key" / "000.json", {"company": "ACME LTD", "total": "9.00"})


def _funsd(root: Path) -> None:
    word = {"text": "Date:", "box": [1, 1, 9, 9]}
    form = [
        {
            "id": 0,
            "text": "Date:",
            "label": "question",
            "box": [1, 1, 9, 9],
            "words": [word],
            "linking": [[0, 1]],
        },
        {
            "id": 1,
            "text": "1/2/93",
            "label": "answer",
            "box": [9, 1, 20, 9],
            "words": [],
            "linking": [[0, 1]],
        },
    ]
    write_image(root / "images" / "a.png")
    write_json(root / "annotations" / "a.json", {"form": form})


def _xfund(root: Path) -> None:
    item = {"id": 0, "text": "Fecha:", "label": "question", "box": [1, 1, 9, 9], "words": [], "linking": []}
    documents = [
        {
            "id": "es_0",
            "uid": "u",
            "img": {"fname": "es_0.jpg", "width": 24, "height": 12},
            "document": [item],
        }
    ]
    write_json(root / "es.val.json", {"lang": "es", "version": "0.1", "split": "val", "documents": documents})
    write_image(root / "es.val" / "es_0.jpg")


def _kleister(root: Path) -> None:
    (root / "dev-0").mkdir(parents=True)
    (root / "dev-0" / "in.tsv.xz").write_bytes(lzma.compress(b"ab.pdf\tparty term\ttext\n"))
    write_text(root / "dev-0" / "expected.tsv", "party=Acme party=Ромашка term=2_years\n")
    write_pdf(root / "documents" / "ab.pdf", pages=2)


def _due(root: Path) -> None:
    values = [{"value": "ACME", "value_variants": ["ACME", "Acme"]}]
    document = {
        "name": "d1",
        "split": "test",
        "annotations": [{"id": "0", "key": "advertiser", "values": values}],
    }
    write_json(root / "test" / "document.jsonl", document)
    write_pdf(root / "pdfs" / "d1.pdf", pages=1)


def _wildreceipt(root: Path) -> None:
    fields = ("Store_name", "Store_addr", "Tel", "Date", "Time", "Prod_item", "Prod_quantity", "Prod_price",
              "Subtotal", "Tax", "Tips", "Total")  # fmt: skip
    names = ["Ignore", *(f"{field}_{part}" for field in fields for part in ("value", "key")), "Others"]
    write_text(root / "class_list.txt", "".join(f"{number} {name}\n" for number, name in enumerate(names)))
    lines = [{"text": "ACME", "label": 1, "box": [0.0] * 8}, {"text": "TM", "label": 25, "box": [0.0] * 8}]
    image = "image_files/Image_16/11/d5de.jpeg"
    write_json(root / "test.txt", {"file_name": image, "height": 12, "width": 24, "annotations": lines})
    write_image(root / image)


def _poie(root: Path) -> None:
    line = {"polygon": [0, 0, 9, 0, 9, 9, 0, 9], "text": "120 kJ", "entity": ["B-EN", *["I-EN"] * 5]}
    row = {"file_name": "a.png", "height": 12, "width": 24, "annotations": [line]}
    write_json(root / "test.txt", row | {"entity_dict": {"EN": "120 kJ"}})
    write_image(root / "a.png")


def _ephoie(root: Path) -> None:
    write_text(root / "test.txt", "p1\n")
    line = {"box": [0, 0, 9, 0, 9, 9, 0, 9], "string": "三年级", "tag": [1, 1, 1], "class": "VALUE"}
    write_json(root / "label" / "p1.txt", {"0": line})
    write_json(root / "kvpair" / "p1.txt", {"年级": "三年级"})
    write_image(root / "image" / "p1.png")


def _pubtabnet(root: Path) -> None:
    html = {"cells": [{"tokens": ["1"]}], "structure": {"tokens": ["<tr>", "<td>", "</td>", "</tr>"]}}
    row = {"filename": "PMC1_002_00.png", "split": "val", "imgid": 548625, "html": html}
    write_json(root / "PubTabNet_2.0.0.jsonl", row)
    write_image(root / "val" / "PMC1_002_00.png")


def _fintabnet(root: Path) -> None:
    html = {
        "cells": [{"tokens": ["1"], "bbox": [1, 1, 9, 9]}],
        "structure": {"tokens": ["<tr>", "<td>", "</td>", "</tr>"]},
    }
    row = {
        "filename": "ACME/2009/page_77.pdf",
        "table_id": 1,
        "bbox": [1, 1, 9, 9],
        "split": "val",
        "html": html,
    }
    for kind in ("table", "cell"):
        write_json(root / f"FinTabNet_1.0.0_{kind}_val.jsonl", row)
    write_pdf(root / "pdf" / "ACME" / "2009" / "page_77.pdf", pages=1)


def _annotation(root: Path) -> None:
    header = "data_index;split;image_path;question;answer;doc_class;question_type;answer_bbox"
    row = "1;test_clean;images/1.png;Напиши Фамилия;Иванов;passport;Фамилия;[1, 2, 3, 4]"
    write_text(root / "annotation.csv", f"\ufeff{header}\r\n{row}\r\n")
    write_image(root / "images" / "1.png")


def _rpo(root: Path) -> None:
    write_json(root / "classes.json", ["act", "invoice"])
    write_json(root / "jsons" / "1.json", {"fields": {"act": [1, 0], "invoice": [2]}})
    for page in range(3):
        write_image(root / "images" / "1" / f"{page}.jpg")


def _kie_folder(root: Path) -> None:
    for name in ("invoice", "passport"):
        fields = {"Полное имя": {"value": "Иванов Иван", "bboxes": [[1, 2, 3, 4]]}}
        write_json(root / name / "jsons" / "1.json", {"fields": fields, "index": 0})
        write_image(root / name / "images" / "clean" / "1.jpg")


def _invoices(root: Path) -> None:
    fields = {
        "invoice_number": {"value": "17/а", "bboxes": [[1, 2, 3, 4]]},
        "total_amount": {"value": "1 200,00", "bboxes": []},
    }
    write_json(root / "invoice" / "jsons" / "1.json", {"fields": fields, "index": 0})
    write_image(root / "invoice" / "images" / "clean" / "1.jpg")


def _st_vqa(root: Path) -> None:
    row = {
        "question_id": 1,
        "question": "Which street?",
        "answers": ["Main St"],
        "file_path": "coco/1.png",
        "dataset": "coco-text",
    }
    write_json(root / "train_task_3.json", {"data": [row], "task_name": "3"})
    write_image(root / "coco" / "1.png")


def _docs_mini(root: Path) -> None:
    """Shipped with the project: nothing to make."""


_CORD = json.dumps(
    {"gt_parse": {"menu": [{"nm": "TEH", "price": "5.000"}], "total": {"total_price": "5.000"}}}
)
_OMNI = json.dumps(
    {
        "layout_dets": [
            {
                "category_type": "text_block",
                "order": 1,
                "anno_id": 0,
                "ignore": False,
                "text": "One line of text",
                "poly": [0, 0, 9, 0, 9, 9, 0, 9],
            }
        ],
        "page_info": {
            "image_path": "images/book_1.jpg",
            "page_attribute": {"language": "english", "data_source": "book", "layout": "single_column"},
        },
        "extra": {"relation": []},
    }
)
_TESTS = json.dumps(
    [
        {
            "type": "present",
            "text": "One line of text",
            "max_diffs": 0,
            "id": "a",
            "page": 1,
            "pdf": "arxiv_math/x.pdf",
        }
    ]
)

MINIATURES: dict[str, Callable[[Path], None]] = {
    "docvqa": parquet("DocVQA/validation-00000-of-00001.parquet", [_vqa(question_types=["form"])]),
    "infographicvqa": parquet(
        "InfographicVQA/validation-00000-of-00001.parquet", [_vqa(answer_type=["multi-span"])]
    ),
    "mp_docvqa": parquet(
        "data/val-00000-of-00001.parquet",
        [
            {"questionId": "1", "question": "Which?", "answers": "['Ромашка', 'романка']", "doc_id": "d"}
            | _pages("image")
        ],
    ),
    "slidevqa": parquet(
        "data/test-00000-of-00001.parquet",
        [
            {
                "qa_id": 1,
                "question": "Which?",
                "answer": "2019",
                "reasoning_type": "Single-Hop",
                "answer_type": "Single-Span",
            }
            | _pages("page")
        ],
    ),
    "dude": tsv(
        "DUDE.tsv",
        [
            {
                "index": "0",
                "question": "Which?",
                "answer": "2019",
                "doc_id": "d",
                "image_path": "['d_1.jpg', 'd_2.jpg']",
                "image": _pdf64(pages=2),
            }
        ],
    ),
    "chartqa": parquet(
        "data/test-00000-of-00001.parquet",
        [{"type": "human_test", "question": "How many?", "answer": "14", "image": picture()}],
    ),
    "textvqa": parquet(
        "data/validation-00000-of-00001.parquet",
        [
            {
                "question_id": 1,
                "question": "What?",
                "answers": ["stop"] * 10,
                "image": picture(),
                "ocr_tokens": ["STOP"],
            }
        ],
    ),
    "st_vqa": _st_vqa,
    "ocr_vqa": tsv(
        "OCRVQA_TESTCORE.tsv",
        [{"index": "0", "question": "Who wrote it?", "answer": "N. Castellan", "image": B64}],
    ),
    "ai2d": tsv("AI2D_TEST.tsv", [_mcq("B", category="food web")]),
    "ocrbench": parquet(
        "data/test-00000-of-00001.parquet",
        [
            {
                "dataset": "IIIT5K",
                "question": "what is written?",
                "question_type": "Regular Text Recognition",
                "answer": ["CHAIN"],
                "image": picture(),
            }
        ],
    ),
    "ocrbench_v2": parquet(
        "data/test-00000-of-00001.parquet",
        [
            {
                "id": 1,
                "dataset_name": "x",
                "type": "text recognition en",
                "question": "what is written?",
                "answers": ["bread"],
                "image": picture(),
                "eval": "None",
                "bbox": None,
                "content": None,
            }
        ],
    ),
    "cc_ocr_kie": tsv(
        "kie/constrained_category/sroie2019_word_347.tsv",
        [
            {
                "index": "1",
                "image": B64,
                "question": "Extract.",
                "answer": '{"total": "9.00"}',
                "image_name": "a.jpg",
                "l2-category": "constrained_category",
                "split": "sroie2019_word",
            }
        ],
    ),
    "cc_ocr_doc_parsing": tsv(
        "doc_parsing/table/table_photo_eng_75.tsv",
        [
            {
                "index": "1",
                "image": B64,
                "question": "Parse.",
                "answer": "<table><tr><td>A</td></tr></table>",
                "image_name": "a.jpg",
                "l2-category": "table",
                "split": "table_photo_eng_75",
            }
        ],
    ),
    "cc_ocr_multi_lan_ocr": tsv(
        "multi_lan_ocr/Russian/Russian_150.tsv",
        [
            {
                "index": "1",
                "image": B64,
                "question": "Read.",
                "answer": "Привет мир",
                "image_name": "a.jpg",
                "l2-category": "Russian",
                "split": "Russian",
            }
        ],
    ),
    "cc_ocr_multi_scene_ocr": tsv(
        "multi_scene_ocr/scene_text/TotalText_300.tsv",
        [
            {
                "index": "1",
                "image": B64,
                "question": "Read.",
                "answer": "SALE today",
                "image_name": "a.jpg",
                "l2-category": "scene_text",
                "split": "TotalText",
            }
        ],
    ),
    "omnidocbench": tsv("OmniDocBench.tsv", [{"index": "0", "question": "", "answer": _OMNI, "image": B64}]),
    "olmocr_bench": tsv(
        "olmOCRBench.tsv",
        [
            {
                "index": "0",
                "question": "",
                "answer": _TESTS,
                "pdf": "arxiv_math/x.pdf",
                "image": B64,
            }
        ],
    ),
    "sroie": _sroie,
    "sroie_kie": _sroie,
    "cord": parquet("data/test-00000-of-00001.parquet", [{"image": picture(), "ground_truth": _CORD}]),
    "funsd": _funsd,
    "xfund": _xfund,
    "kleister_nda": _kleister,
    "kleister_charity": _kleister,
    "deepform": _due,
    "wildreceipt": _wildreceipt,
    "poie": _poie,
    "ephoie": _ephoie,
    "pubtabnet": _pubtabnet,
    "fintabnet": _fintabnet,
    "iam": parquet("data/test.parquet", [{"image": picture(), "text": "put down a resolution"}]),
    "mmmu": parquet(
        "data/validation-00000-of-00001.parquet",
        [
            {
                "id": "validation_Accounting_1",
                "question": "<image 1> Which?",
                "options": "['12', '15']",
                "answer": "B",
                "question_type": "multiple-choice",
                "subfield": "Managerial",
                "topic_difficulty": "Easy",
                "explanation": "",
                "image_1": picture(),
            }
            | {f"image_{n}": None for n in range(2, 8)}
        ],
    ),
    "mmbench": tsv(
        "MMBench_DEV_EN.tsv",
        [
            _mcq("C", category="ocr", split="dev", hint="Look.", index="241") | {"l2-category": "perception"},
            _mcq("B", category="ocr", split="dev", hint="Look.", index="1000241", image="241")
            | {"l2-category": "perception", "A": "two", "B": "three", "C": "four", "D": "one"},
        ],
    ),
    "mathvista": parquet(
        "data/testmini-00000-of-00001.parquet",
        [
            {
                "pid": "1",
                "question": "How many?",
                "query": "Hint: answer with an integer. How many?",
                "answer": "7",
                "choices": None,
                "unit": None,
                "precision": 1.0,
                "question_type": "free_form",
                "answer_type": "integer",
                "decoded_image": picture(),
                "metadata": {"task": "figure question answering", "language": "english"},
            }
        ],
    ),
    "pope": parquet(
        "data/test-00000-of-00001.parquet",
        [
            {
                "id": "0",
                "question": "Is there a dog?",
                "answer": "yes",
                "category": "random",
                "image": picture(),
            }
        ],
    ),
    "hallusionbench": tsv(
        "HallusionBench.tsv",
        [
            {
                "index": "VS_chart_1_0_1_0",
                "category": "VS",
                "l2-category": "chart",
                "question": "Is it higher?",
                "answer": "Yes",
                "image": B64,
            }
        ],
    ),
    "mmlongbench_doc": tsv(
        "MMLongBench_DOC.tsv",
        [
            {
                "index": "0",
                "question": "How many?",
                "answer": "7",
                "answer_format": "Int",
                "doc_id": "d.pdf",
                "evidence_pages": "[1]",
                "evidence_sources": "['Table']",
                "image_path": "['d_1.jpg', 'd_2.jpg']",
                "image": _pdf64(pages=2),
            }
        ],
    ),
    "demo_mini": _annotation,
    "snils": _annotation,
    "rpo_classification": _rpo,
    "rpo_sorting": _rpo,
    "kie_fields": _kie_folder,
    "doc_classification": _kie_folder,
    "invoices": _invoices,
    "docs_mini": _docs_mini,
    "docs_mini_kie": _docs_mini,
    "docs_mini_vqa": _docs_mini,
}
