"""JSONL with the params of tables, and JSON files that are one list: official annotation files of many benchmarks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from vlmhb_benchmarks.loaders import ImageBase64, ImageFile, LoaderError, RawSample, jsontext, load

DOCVQA = {
    "dataset_name": "docvqa",
    "dataset_split": "val",
    "data": [
        {
            "questionId": 49153,
            "question": "Где [тут]?",
            "image": "documents/a.png",
            "answers": ["0.28", "a, {b}"],
        },
        {"questionId": 24580, "question": "q", "image": "documents/b.png", "answers": ["NA"]},
    ],
}
COLUMNS = {"id": "questionId"}


def write(path: Path, value: Any, **options: Any) -> Path:
    path.write_text(json.dumps(value, ensure_ascii=False, **options), encoding="utf-8")
    return path


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def read(path: Path, **params: Any) -> list[RawSample]:
    return list(load("jsonl", path, params))


@pytest.mark.parametrize("indent", [None, 2])
def test_a_list_inside_an_object(tmp_path: Path, indent: int | None) -> None:
    first, second = read(write(tmp_path / "val.json", DOCVQA, indent=indent), columns=COLUMNS)
    assert (first.sample_id, first.references) == ("49153", ("0.28", "a, {b}"))
    assert first.images == (ImageFile(path="documents/a.png"),)
    assert (second.sample_id, second.references) == ("24580", ("NA",))
    assert (first.row, second.row) == ((1, 1) if indent is None else (5, 14))


def test_a_list_under_another_name(tmp_path: Path) -> None:
    path = write(tmp_path / "val.json", {"info": {"data": [1]}, "questions": DOCVQA["data"]}, indent=1)
    assert len(read(path, columns=COLUMNS, records="questions")) == 2
    with pytest.raises(LoaderError, match="no list data in the file") as caught:
        read(path)
    assert "params.records" in caught.value.hint


def test_a_bare_list_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"id": n, "question": "я" * n, "answer": f"{n}.50", "image": "a.png"} for n in range(60)]
    path = write(tmp_path / "all.json", rows, indent=1)
    whole = read(path)
    for size in (1, 7, 64):
        monkeypatch.setattr(jsontext, "PIECE", size)
        assert read(path) == whole
    assert [s.sample_id for s in whole] == [str(n) for n in range(60)]


def test_numbers_stay_as_written_in_lists_and_objects(tmp_path: Path) -> None:
    text = '[{"answer": 12.50, "image": "a.png"}, {"answer": {"total": 9.00, "n": 3}, "image": "a.png"}]'
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    assert [s.references for s in read(tmp_path / "a.json")] == [("12.50",), ('{"total": 9.00, "n": 3}',)]


def test_json_lines_may_be_called_json(tmp_path: Path) -> None:
    """POPE's files are called that."""
    row = {"question_id": 1, "image": "COCO_1.jpg", "text": "Is there a snowboard?", "label": "yes"}
    path = lines(tmp_path / "coco_pope_random.json", row, {**row, "question_id": 2})
    columns = {"id": "question_id", "question": "text", "answers": "label"}
    first, second = read(path, columns=columns, image_path="val2014/{}")
    assert (first.question, first.references) == ("Is there a snowboard?", ("yes",))
    assert first.images == (ImageFile(path="val2014/COCO_1.jpg"),)
    assert second.row == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        (" \n", "the file is empty"),
        ('[{"answer": "a"}, {"answer": "to', "not JSON"),
        ('[{"answer": "a"}', "the list is not closed"),
        ('[{"answer": "a"} {"answer": "b"}]', "{ where a comma should be"),
        ('[{"answer": "a"}] x', "text after the end of the list"),
        ('{\n"data": {"answer": "a"}}', "no list data in the file"),
        ('{"data" []}', "a colon is missing"),
    ],
)
def test_a_torn_file(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    with pytest.raises(LoaderError) as caught:
        read(tmp_path / "a.json")
    assert message in str(caught.value)
    assert "a.json" in str(caught.value)


def test_a_wrong_encoding(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes('[{"answer": "я"}]'.encode("cp1251"))
    with pytest.raises(LoaderError, match=r"not UTF-8, in a\.json"):
        read(tmp_path / "a.json")


def test_what_is_no_object_in_a_list_costs_one_sample(tmp_path: Path) -> None:
    broken, good = read(write(tmp_path / "a.json", [3, {"id": "x", "answer": "a"}]))
    assert (broken.sample_id, broken.problem) == ("line-1", "not a JSON object")
    assert good.problem is None


@pytest.mark.parametrize("value", [None, "", "  "])
def test_an_empty_id_costs_one_sample(tmp_path: Path, value: str | None) -> None:
    first, second = read(
        lines(tmp_path / "a.jsonl", {"id": value, "answer": "a"}, {"id": "b", "answer": "a"})
    )
    assert first.sample_id in ("line-1", "  ")
    assert first.problem == "id is empty: every sample needs an id of its own"
    assert second.problem is None


def test_columns_metadata_and_where(tmp_path: Path) -> None:
    rows = [
        {"qid": n, "q": "Что?", "gold": ["да"], "img": "1", "kind": kind, "note": "n"}
        for n, kind in enumerate(("form", "table"))
    ]
    path = lines(tmp_path / "a.jsonl", *rows)
    columns = {"id": "qid", "question": "q", "answers": "gold", "image": "img"}
    params = {"columns": columns, "metadata": {"doc_class": "kind"}, "where": {"kind": "table"}}
    (sample,) = read(path, **params, image_path="img/{}.png")
    assert (sample.sample_id, sample.question, sample.references) == ("1", "Что?", ("да",))
    assert sample.images == (ImageFile(path="img/1.png"),)
    assert sample.metadata == {"doc_class": "table"}
    assert sample.label_metadata == {"note": "n"}


def test_split(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {"answer": "a", "split": "val"}, {"answer": "b", "split": "test"})
    (sample,) = read(path, split="test")
    assert (sample.sample_id, sample.references) == ("1", ("b",))


def test_a_missing_column_costs_the_line_that_lacks_it(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", {"gold": "a"}, {"other": "b"})
    good, broken = read(path, columns={"answers": "gold"})
    assert (good.references, broken.problem) == (("a",), "no answer")


def test_images_inside_the_file(tmp_path: Path) -> None:
    picture = "iVBORw0KGgoAAAANSUhEUgAA" * 8
    path = lines(
        tmp_path / "a.jsonl", {"answer": "a", "image": picture}, {"answer": "a", "images": [picture, "b.png"]}
    )
    first, second = read(path)
    assert first.images == (ImageBase64(text=picture),)
    assert second.images == (ImageBase64(text=picture), ImageFile(path="b.png"))


def test_a_long_path_is_no_image(tmp_path: Path) -> None:
    name = "a" * 80 + "/" + "b" * 80 + ".png"
    (sample,) = read(lines(tmp_path / "a.jsonl", {"answer": "a", "image": name}))
    assert sample.images == (ImageFile(path=name),)


def test_the_whole_row_as_reference_shows_nothing_to_a_model(tmp_path: Path) -> None:
    """OmniDocBench: one JSON list, a page each, all of it is the truth."""
    text = '[{"page_info": {"image_path": "a.jpg", "page_no": 3}, "dets": [{"poly": [1.50, 2], "text": "canary"}]}]'
    (tmp_path / "OmniDocBench.json").write_text(text, encoding="utf-8")
    columns = {"id": "page_info.image_path", "image": "page_info.image_path", "answers": "*"}
    params = {"columns": columns, "metadata": {"page": "page_info.page_no"}, "image_path": "images/{}"}
    (sample,) = read(tmp_path / "OmniDocBench.json", reference="json", **params)
    assert sample.references == (text[1:-1],)
    assert sample.images == (ImageFile(path="images/a.jpg"),)
    assert sample.metadata == {"page": "3"}
    assert sample.label_metadata == {}


def test_numbers_inside_lists_and_schemas(tmp_path: Path) -> None:
    text = '{"answers": [12.50, 3], "image": "a.png", "response_schema": {"maximum": 1.50}, "note": [1.0, {"a": 2.0}]}'
    (tmp_path / "a.jsonl").write_text(text, encoding="utf-8")
    (sample,) = read(tmp_path / "a.jsonl")
    assert sample.references == ("12.50", "3")
    assert sample.response_schema == {"maximum": 1.5}
    assert sample.metadata == {"note": '[1.0, {"a": 2.0}]'}


def test_where_looks_into_our_metadata(tmp_path: Path) -> None:
    rows = [{"answer": "a", "metadata": {"language": language}} for language in ("ru", "en")]
    (sample,) = read(lines(tmp_path / "a.jsonl", *rows), where={"language": "ru"})
    assert (sample.sample_id, sample.metadata) == ("0", {"language": "ru"})


def test_half_of_a_surrogate_pair(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": "a", "answer": "\\ud800"}\n{"id": "b", "answer": "x"}\n', encoding="utf-8")
    broken, good = read(path)
    assert "half of a surrogate pair" in (broken.problem or "")
    assert good.references == ("x",)
    path.write_text('{"id": "\\ud800", "answer": "a"}\n', encoding="utf-8")
    with pytest.raises(LoaderError, match=r"an id that is not UTF-8, in a\.jsonl, row 1"):
        read(path)
