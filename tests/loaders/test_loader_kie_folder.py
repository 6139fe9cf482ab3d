"""The prototype's class folders: subsets, pages in natural order, both forms of gold, three targets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from vlmhb_benchmarks.loaders import ImageAbsent, ImageFile, LoaderError, RawSample, load

NEW = {
    "fields": {
        "Полное имя": {"value": "Карбаинов А. С.", "bboxes": [[1, 2, 3, 4], [5, 6, 7.50, 8]]},
        "Номер": {"value": "0044", "bboxes": []},
        "Сумма": {"value": 12.5, "bboxes": []},
    },
    "index": 0,
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for subset in ("clean", "blur"):
        for number in (1, 2, 10):
            touch(tmp_path / f"snils/images/{subset}/{number}.jpg")
    for page in (1, 2, 10, 3):
        touch(tmp_path / f"passport/images/clean/7/7_{page}.png")
    for number in (1, 2, 10):
        gold(tmp_path, f"snils/jsons/{number}.json", NEW)
    gold(tmp_path, "passport/jsons/7.json", {"fields": {"passport": [2, 0, 1, 3]}})
    return tmp_path


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def gold(root: Path, path: str, data: Any) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")


def read(root: Path, **params: Any) -> list[RawSample]:
    return list(load("kie_folder", root, params))


def test_ids_metadata_and_natural_order(root: Path) -> None:
    samples = read(root, classes=["snils"])
    assert [s.sample_id for s in samples] == [
        f"snils/{subset}/{number}" for subset in ("blur", "clean") for number in (1, 2, 10)
    ]
    assert samples[0].images == (ImageFile(path="snils/images/blur/1.jpg"),)
    assert samples[0].metadata == {"doc_class": "snils", "subset": "blur"}
    assert samples[0].file == "snils/jsons/1.json"


def test_gold_with_values_and_boxes(root: Path) -> None:
    first = read(root, classes="snils")[0]
    assert first.references == ('{"Полное имя": "Карбаинов А. С.", "Номер": "0044", "Сумма": 12.5}',)
    assert first.label_metadata == {"bboxes": '{"Полное имя": [[1, 2, 3, 4], [5, 6, 7.5, 8]]}'}


def test_numbers_in_gold_stay_as_written(root: Path) -> None:
    text = '{"fields": {"Сумма": {"value": 12.50, "bboxes": [[1.00, 2, 3, 4]]}}}'
    (root / "snils/jsons/1.json").write_text(text, encoding="utf-8")
    first = read(root, classes="snils")[0]
    assert first.references == ('{"Сумма": 12.50}',)
    assert first.label_metadata == {"bboxes": '{"Сумма": [[1.00, 2, 3, 4]]}'}


def test_older_flat_gold(root: Path) -> None:
    gold(root, "snils/jsons/1.json", {"ФИО": "Ян", "Дата": ""})
    assert read(root, classes="snils")[0].references == ('{"ФИО": "Ян", "Дата": ""}',)


def test_order_counts_pages_from_one(root: Path) -> None:
    (sample,) = read(root, target="order", classes="passport")
    assert sample.sample_id == "passport/clean/7"
    assert sample.images == tuple(
        ImageFile(path=f"passport/images/clean/7/7_{page}.png") for page in (1, 2, 3, 10)
    )
    assert sample.references == ("[3, 1, 2, 4]",)


@pytest.mark.parametrize("order", [[2, 0, 1], [0, 0, 1, 2], [1, 2, 3, 4], "2013", []])
def test_an_order_that_is_none(root: Path, order: Any) -> None:
    gold(root, "passport/jsons/7.json", {"fields": {"passport": order}})
    (sample,) = read(root, target="order", classes="passport")
    assert "order" in (sample.problem or "") or "no list of pages" in (sample.problem or "")


def test_the_class_as_target_stays_with_the_labels(root: Path) -> None:
    prompt = 'Classes: {classes}. Answer {"class": <number>}.'
    samples = read(root, target="class", prompt=prompt, classes={"snils": "СНИЛС", "passport": "паспорт"})
    first, last = samples[0], samples[-1]
    assert first.question == 'Classes: 0: СНИЛС, 1: паспорт. Answer {"class": <number>}.'
    assert (first.references, last.references) == (("СНИЛС",), ("паспорт",))
    assert (first.choices, first.list_choices) == (("СНИЛС", "паспорт"), False)
    assert first.metadata == {"subset": "blur"}
    assert first.label_metadata == {"doc_class": "snils", "document": "snils/blur/1"}
    assert len({sample.sample_id for sample in samples}) == len(samples)
    assert not any("snils" in sample.sample_id or "passport" in sample.sample_id for sample in samples)


def test_field_names_in_the_prompt_are_those_of_the_class(root: Path) -> None:
    gold(root, "snils/jsons/2.json", {"fields": {"Номер": {"value": "1"}, "Пол": {"value": "Ж"}}})
    samples = read(root, classes="snils", prompt="Найди: {fields}")
    assert {s.question for s in samples} == {"Найди: Полное имя, Номер, Сумма, Пол"}


def test_subsets_and_sample_size(root: Path) -> None:
    assert [s.sample_id for s in read(root, classes="snils", subsets="clean", sample_size=2)] == [
        "snils/clean/1",
        "snils/clean/2",
    ]
    with pytest.raises(LoaderError, match="no subset dark") as caught:
        read(root, classes="snils", subsets=["dark"])
    assert caught.value.hint == "there are: blur, clean"


def test_images_without_subsets(root: Path) -> None:
    touch(root / "act/images/1.jpg")
    touch(root / "act/images/2/2_1.jpg")
    touch(root / "act/images/2/2_2.jpg")
    for number in (1, 2):
        gold(root, f"act/jsons/{number}.json", {"a": "b"})
    first, second = read(root, classes="act")
    assert (first.sample_id, second.sample_id) == ("act/1", "act/2")
    assert len(second.images) == 2


def test_nothing_is_dropped(root: Path) -> None:
    touch(root / "snils/images/clean/3.jpg")
    gold(root, "snils/jsons/4.json", NEW)
    (root / "snils/jsons/1.json").write_text("{", encoding="utf-8")
    (root / "snils/jsons/2.json").write_text('{"fields": {"a": {"text": "x"}}}', encoding="utf-8")
    found = {s.sample_id: s for s in read(root, classes="snils")}
    assert found["snils/clean/3"].problem == "no jsons/3.json for this document"
    assert found["snils/4"].images == (ImageAbsent(reason="no image of this document in any subset"),)
    assert (found["snils/blur/1"].problem or "").startswith("not JSON")
    assert found["snils/blur/2"].problem == "field a has no value"


def test_a_document_that_is_a_file_and_a_folder(root: Path) -> None:
    touch(root / "snils/images/clean/1/1_1.jpg")
    with pytest.raises(LoaderError, match=r"two documents 1: snils/images/clean/1\.jpg and"):
        read(root, classes="snils")


def test_no_such_class(root: Path) -> None:
    with pytest.raises(LoaderError, match="no class invoice in the dataset") as caught:
        read(root, classes=["invoice"])
    assert "passport, snils" in caught.value.hint


def test_a_file_name_that_is_not_utf8(root: Path) -> None:
    """As unpacked on a system with another encoding."""
    name = "\udccf\udcf0"
    try:
        touch(root / f"snils/images/clean/{name}.jpg")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    with pytest.raises(LoaderError, match="an id that is not UTF-8"):
        read(root, classes="snils")
