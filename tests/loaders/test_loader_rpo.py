"""The prototype's RPO datasets: page count in the question, natural page order, classes and orders of pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from vlmhb_benchmarks.loaders import ImageAbsent, ImageFile, LoaderError, RawSample, load

CLASSES = ["паспорт", "снилс", "счёт"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    document(tmp_path, "1", pages=4, fields={"счёт": [2, 0], "паспорт": [1], "снилс": [3]})
    document(tmp_path, "10", pages=2, fields={"счёт": [1, 0]})
    document(tmp_path, "2", pages=12, fields={"паспорт": list(range(11, -1, -1))})
    (tmp_path / "classes.json").write_text(json.dumps(CLASSES, ensure_ascii=False), encoding="utf-8")
    return tmp_path


def document(root: Path, name: str, *, pages: int, fields: Any) -> None:
    (root / "images" / name).mkdir(parents=True, exist_ok=True)
    for page in range(1, pages + 1):
        (root / f"images/{name}/{page}.{'png' if page % 2 else 'jpg'}").touch()
    (root / "jsons").mkdir(exist_ok=True)
    text = json.dumps({"fields": fields}, ensure_ascii=False)
    (root / f"jsons/{name}.json").write_text(text, encoding="utf-8")


def read(root: Path, **params: Any) -> list[RawSample]:
    return list(load("rpo", root, params))


def test_classes_of_the_pages(root: Path) -> None:
    first, second, third = read(root, prompt="Классы: {classes}")
    assert [first.sample_id, second.sample_id, third.sample_id] == ["1", "2", "10"]
    assert first.question == (
        "Количество поданных страниц документов - 4.\nКлассы: 0: паспорт, 1: снилс, 2: счёт"
    )
    assert first.references == ("[2, 0, 2, 1]",)
    assert first.images == tuple(
        ImageFile(path=f"images/1/{n}") for n in ("1.png", "2.jpg", "3.png", "4.jpg")
    )
    assert [image.path for image in second.images if isinstance(image, ImageFile)][8:] == [
        "images/2/9.png",
        "images/2/10.jpg",
        "images/2/11.png",
        "images/2/12.jpg",
    ]


def test_orders_show_the_pages_of_one_class(root: Path) -> None:
    first, second, third = read(root, target="order")
    assert first.images == (ImageFile(path="images/1/1.png"), ImageFile(path="images/1/3.png"))
    assert first.references == ("[2, 1]",)
    assert first.question == "Количество поданных страниц документов - 2.\n"
    assert first.metadata == {"doc_class": "счёт"}
    assert second.references == (str(list(range(12, 0, -1))),)
    assert third.references == ("[2, 1]",)


def test_several_classes_to_sort_are_several_samples(root: Path) -> None:
    document(root, "1", pages=5, fields={"счёт": [4, 0], "паспорт": [1, 3], "снилс": [2]})
    one, two, *_ = read(root, target="order")
    assert (one.sample_id, one.references) == ("1/0", ("[2, 1]",))
    assert (two.sample_id, two.references) == ("1/1", ("[1, 2]",))


@pytest.mark.parametrize(
    "classes",
    [CLASSES, {"паспорт": 0, "снилс": 1, "счёт": 2}, {"0": "паспорт", "2": "счёт", "1": "снилс"}],
)
def test_forms_of_classes_json(root: Path, classes: Any) -> None:
    (root / "classes.json").write_text(json.dumps(classes), encoding="utf-8")
    assert read(root)[0].references == ("[2, 0, 2, 1]",)


@pytest.mark.parametrize("text", ["{", "{}", "3", '{"a": 1}', "[1]"])
def test_classes_json_that_is_none(root: Path, text: str) -> None:
    (root / "classes.json").write_text(text, encoding="utf-8")
    with pytest.raises(LoaderError, match=r"in classes\.json"):
        read(root)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"счёт": [2, 0], "паспорт": [1]}, "pages 3 have no class"),
        ({"счёт": [0, 1, 2, 3, 4]}, "page 4 of счёт is not there, or has two classes"),
        ({"счёт": [0, 1, 2], "снилс": [2, 3]}, "page 2 of снилс is not there, or has two classes"),
        ({"акт": [0, 1, 2, 3]}, "акт is not in classes.json"),
        ({"счёт": ["0"]}, "счёт is no list of page numbers from 0"),
        ({"счёт": "0"}, "no list of pages in fields"),
        ([], "fields is no JSON object"),
    ],
)
def test_gold_that_does_not_fit_costs_one_document(root: Path, fields: Any, problem: str) -> None:
    document(root, "1", pages=4, fields=fields)
    first, second, _ = read(root)
    assert first.problem == problem
    assert second.problem is None


def test_half_documents(root: Path) -> None:
    (root / "jsons/1.json").unlink()
    (root / "jsons/5.json").write_text('{"fields": {"счёт": []}}', encoding="utf-8")
    found = {sample.sample_id: sample for sample in read(root)}
    assert found["1"].problem == "no jsons/1.json for this document"
    assert found["5"].images == (ImageAbsent(reason="no page in images/"),)


def test_nothing_to_sort(root: Path) -> None:
    document(root, "1", pages=2, fields={"счёт": [0], "снилс": [1]})
    assert read(root, target="order")[0].problem == "no class with several pages to sort"
