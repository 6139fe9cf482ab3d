"""What cards must know of real files beyond column names: lists in texts, groups of rows, ids over several files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from miniatures import B64, MINIATURES, parquet, picture, tsv
from vlmhb.cards import load_registry
from vlmhb_benchmarks.loaders import RawSample, load
from vlmhb_benchmarks.loaders.base import PdfBytes

CARDS = {card.name: card for card in load_registry().benchmarks}


def samples(name: str, root: Path, **params: Any) -> list[RawSample]:
    card = CARDS[name]
    return list(load(card.loader, root, {**card.params, **params}))


def labels(sample: RawSample) -> dict[str, str]:
    return {**sample.metadata, **sample.label_metadata}


def test_mp_docvqa_has_its_answers_as_the_text_of_a_list(tmp_path: Path) -> None:
    MINIATURES["mp_docvqa"](tmp_path)
    (sample,) = samples("mp_docvqa", tmp_path)
    assert sample.references == ("Ромашка", "романка")
    assert len(sample.images) == 2


def test_mmmu_open_questions_may_have_several_answers(tmp_path: Path) -> None:
    row = {"id": "validation_Math_2", "question": "<image 1>", "options": "[]", "answer": "['24/7', '3.429']",
           "question_type": "open", "subfield": "x", "topic_difficulty": "Easy", "image_1": picture()}  # fmt: skip
    empty = {f"image_{number}": None for number in range(2, 8)}
    parquet("data/validation-00000-of-00001.parquet", [row | empty])(tmp_path)
    (sample,) = samples("mmmu", tmp_path)
    assert sample.references == ("24/7", "3.429")
    assert sample.choices is None
    assert labels(sample)["subject"] == "Math"


def test_mmbench_turns_of_one_question_are_one_circle(tmp_path: Path) -> None:
    MINIATURES["mmbench"](tmp_path)
    first, turned = samples("mmbench", tmp_path)
    assert labels(first)["circle"] == labels(turned)["circle"] == "241"
    assert first.choices == ("one", "two", "three", "four")
    assert turned.choices == ("two", "three", "four", "one")
    assert first.images == turned.images
    assert CARDS["mmbench"].headline == "all:circle"


@pytest.mark.parametrize("name", ["dude", "mmlongbench_doc"])
def test_long_documents_are_pdf_files_inside_the_table(tmp_path: Path, name: str) -> None:
    MINIATURES[name](tmp_path)
    (sample,) = samples(name, tmp_path)
    assert len(sample.images) == 2
    assert all(isinstance(image, PdfBytes) for image in sample.images)


def test_dude_an_empty_answer_is_not_answerable(tmp_path: Path) -> None:
    row = {"index": "0", "question": "Which?", "answer": "", "doc_id": "d", "image": B64}
    tsv("DUDE.tsv", [row])(tmp_path)
    (sample,) = samples("dude", tmp_path)
    assert sample.references == ("Not answerable",)


def test_cc_ocr_reads_every_subset_of_a_track(tmp_path: Path) -> None:
    MINIATURES["cc_ocr_multi_lan_ocr"](tmp_path)
    row = {"index": "1", "image": B64, "question": "Read.", "answer": "こんにちは", "image_name": "a.jpg",
           "l2-category": "Japanese", "split": "Japanese"}  # fmt: skip
    tsv("multi_lan_ocr/Japanese/Japanese_150.tsv", [row])(tmp_path)
    found = samples("cc_ocr_multi_lan_ocr", tmp_path)
    assert [sample.sample_id for sample in found] == ["Japanese_150-1", "Russian_150-1"]
    (russian,) = samples("cc_ocr_multi_lan_ocr", tmp_path, where={"split": "Russian"})
    assert russian.references == ("Привет мир",)


def test_fintabnet_takes_the_tables_file_among_the_six(tmp_path: Path) -> None:
    MINIATURES["fintabnet"](tmp_path)
    (sample,) = samples("fintabnet", tmp_path)
    assert sample.file == "FinTabNet_1.0.0_table_val.jsonl"
    assert sample.sample_id == "1"


def test_wildreceipt_keeps_values_alone(tmp_path: Path) -> None:
    MINIATURES["wildreceipt"](tmp_path)
    (sample,) = samples("wildreceipt", tmp_path)
    assert sample.references == ('{"Store_name": "ACME"}',)


def test_xfund_reads_all_languages_of_its_split(tmp_path: Path) -> None:
    MINIATURES["xfund"](tmp_path)
    text = (tmp_path / "es.val.json").read_text(encoding="utf-8")
    (tmp_path / "de.val.json").write_text(text.replace("es", "de"), encoding="utf-8")
    (tmp_path / "de.train.json").write_text(text, encoding="utf-8")
    assert [sample.metadata["language"] for sample in samples("xfund", tmp_path)] == ["de", "es"]
