"""FUNSD and XFUND: words to reading order, entities, linked pairs, and forms with half of their files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from vlmhb_benchmarks.loaders import ImageAbsent, ImageFile, LoaderError, RawSample, load


def entity(number: int, label: str, text: str, box: list[int], **more: Any) -> dict[str, Any]:
    words = [{"box": box, "text": text}]
    return {"id": number, "label": label, "text": text, "box": box, "words": words, "linking": [], **more}


FORM = [
    entity(0, "question", "DATE:", [10, 50, 60, 60], linking=[[0, 3]]),
    entity(1, "header", "ФОРМА №1", [40, 10, 200, 22]),
    entity(2, "question", "TO:", [10, 80, 30, 90], linking=[[2, 4], [2, 5]]),
    entity(3, "answer", "0044", [80, 51, 120, 61], linking=[[0, 3]]),
    entity(4, "answer", "K. A.", [80, 80, 120, 90], linking=[[2, 4]]),
    entity(5, "answer", "Sparrow", [80, 95, 140, 105], linking=[[2, 5]]),
    entity(6, "other", "", [0, 0, 0, 0], words=[]),
    entity(7, "question", "FAX:", [10, 110, 30, 120]),
]


def funsd(folder: Path, *stems: str, form: Any = None) -> Path:
    for name in ("annotations", "images"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for stem in stems:
        (folder / f"images/{stem}.png").touch()
        text = json.dumps({"form": FORM if form is None else form}, ensure_ascii=False)
        (folder / f"annotations/{stem}.json").write_text(text, encoding="utf-8")
    return folder


def read(folder: Path, **params: Any) -> list[RawSample]:
    return list(load("funsd", folder, params))


def test_text_is_the_words_in_reading_order(tmp_path: Path) -> None:
    (sample,) = read(funsd(tmp_path, "0001"))
    assert sample.references == ("ФОРМА №1\nDATE: 0044\nTO: K. A.\nSparrow\nFAX:",)
    assert (sample.sample_id, sample.images) == ("0001", (ImageFile(path="images/0001.png"),))
    assert sample.metadata == {"doc_class": "form"}


def test_entities(tmp_path: Path) -> None:
    (sample,) = read(funsd(tmp_path, "0001"), target="entities")
    found = json.loads(sample.references[0])
    assert found[:2] == [{"label": "question", "text": "DATE:"}, {"label": "header", "text": "ФОРМА №1"}]
    assert len(found) == 7
    (sample,) = read(tmp_path, target="entities", labels="header")
    assert json.loads(sample.references[0]) == [{"label": "header", "text": "ФОРМА №1"}]


def test_linked_pairs(tmp_path: Path) -> None:
    (sample,) = read(funsd(tmp_path, "0001"), target="kie")
    assert json.loads(sample.references[0]) == {"DATE:": "0044", "TO:": "K. A. Sparrow", "FAX:": ""}


def test_a_question_that_stands_twice_has_the_list_of_its_answers(tmp_path: Path) -> None:
    form = [
        entity(0, "question", "Qty", [0, 0, 9, 9], linking=[[0, 1]]),
        entity(1, "answer", "2", [20, 0, 29, 9], linking=[[0, 1]]),
        entity(2, "question", "Qty", [0, 20, 9, 29], linking=[[2, 3]]),
        entity(3, "answer", "5", [20, 20, 29, 29], linking=[[2, 3]]),
    ]
    (sample,) = read(funsd(tmp_path, "a", form=form), target="kie")
    assert json.loads(sample.references[0]) == {"Qty": ["2", "5"]}


def test_the_archives_own_folders(tmp_path: Path) -> None:
    funsd(tmp_path / "dataset/training_data", "a")
    funsd(tmp_path / "dataset/testing_data", "b")
    (sample,) = read(tmp_path, split="test")
    assert sample.images == (ImageFile(path="dataset/testing_data/images/b.png"),)
    assert sample.file == "dataset/testing_data/annotations/b.json"
    with pytest.raises(LoaderError, match="several splits in the dataset"):
        read(tmp_path)
    with pytest.raises(LoaderError, match="no split dev"):
        read(tmp_path, split="dev")


def test_half_forms_and_damaged_annotations_cost_one_sample_each(tmp_path: Path) -> None:
    funsd(tmp_path, "a", "b", "c", "d", "e")
    (tmp_path / "annotations/a.json").unlink()
    (tmp_path / "images/b.png").unlink()
    (tmp_path / "annotations/c.json").write_text('{"form": [{"id": 0}]}', encoding="utf-8")
    (tmp_path / "annotations/d.json").write_bytes(b'{"form": [\xff]}')
    (tmp_path / "annotations/e.json").write_text('{"form": [', encoding="utf-8")
    found = read(tmp_path)
    assert found[0].problem == "no file for this form in annotations/"
    assert found[1].images == (ImageAbsent(reason="no file for this form in images/"),)
    assert (found[2].problem or "").startswith("entity 0 is not id, label, text")
    assert found[3].problem == "not UTF-8"
    assert (found[4].problem or "").startswith("not JSON")


def test_two_files_with_one_stem(tmp_path: Path) -> None:
    funsd(tmp_path, "a")
    (tmp_path / "images/a.jpg").touch()
    with pytest.raises(LoaderError, match=r"two files for a: images/a\.jpg and images/a\.png"):
        read(tmp_path)


# --- XFUND --------------------------------------------------------------------------------------


def xfund(folder: Path, *, language: str = "de", split: str = "val", images: str = "") -> Path:
    stem = f"{language}_{split}_0"
    documents = [
        {
            "id": stem,
            "uid": "0ac",
            "document": FORM,
            "img": {"fname": f"{stem}.jpg", "width": 9, "height": 9},
        },
        {"id": f"{language}_{split}_1", "document": [{"text": 3}], "img": {"fname": "x.jpg"}},
        {"id": f"{language}_{split}_2", "document": FORM},
    ]
    data = {"lang": language, "version": "0.1", "split": split, "documents": documents}
    path = folder / f"{language}.{split}.json"
    path.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    if images:
        (folder / images).mkdir()
    return path


@pytest.mark.parametrize("folder", ["", "de.val", "de_val", "images"])
def test_xfund(tmp_path: Path, folder: str) -> None:
    path = xfund(tmp_path, images=folder)
    first, second, third = read(tmp_path, target="kie")
    prefix = f"{folder}/" if folder else ""
    assert first.images == (ImageFile(path=f"{prefix}de_val_0.jpg"),)
    assert json.loads(first.references[0])["DATE:"] == "0044"
    assert first.metadata == {"doc_class": "form", "language": "de"}
    assert (second.problem or "").startswith("entity 0 is not")
    assert third.images == (ImageAbsent(reason="the document names no image"),)
    assert read(path, target="kie") == read(tmp_path, target="kie")


def test_which_xfund_file(tmp_path: Path) -> None:
    xfund(tmp_path)
    xfund(tmp_path, language="zh")
    languages = [sample.metadata["language"] for sample in read(tmp_path)]
    assert languages == ["de"] * 3 + ["zh"] * 3
    xfund(tmp_path, split="train")
    with pytest.raises(LoaderError, match="several splits") as caught:
        read(tmp_path)
    assert "de.train.json, de.val.json, zh.val.json" in caught.value.hint
    assert len(read(tmp_path, split="val")) == 6
    with pytest.raises(LoaderError, match="no annotation file fits"):
        read(tmp_path, split="test")
    assert read(tmp_path, language="zh")[0].sample_id == "zh_val_0"
    assert read(tmp_path, file="zh.val.json")[0].sample_id == "zh_val_0"


def test_a_torn_xfund_file(tmp_path: Path) -> None:
    path = xfund(tmp_path)
    path.write_text(path.read_text(encoding="utf-8")[:300], encoding="utf-8")
    with pytest.raises(LoaderError, match=r"cut off or damaged, not JSON .*, in de\.val\.json"):
        read(tmp_path)
