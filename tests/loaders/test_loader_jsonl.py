"""Our own JSON lines: fields, numbers kept as written, damaged lines, gold that may not leak."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from vlmhb_benchmarks.loaders import ImageAbsent, ImageFile, LoaderError, RawSample, load


def read(folder: Path, *lines: str) -> list[RawSample]:
    (folder / "samples.jsonl").write_text("\n".join(lines), encoding="utf-8", newline="")
    return list(load("jsonl", folder, {}))


def one(folder: Path, **data: object) -> RawSample:
    (sample,) = read(folder, json.dumps(data, ensure_ascii=False))
    return sample


def test_all_fields(tmp_path: Path) -> None:
    sample = one(
        tmp_path,
        id="п1",
        images=["a.png", "b.png"],
        question="Что?",
        answers=["да", "нет"],
        choices=["да", "нет"],
        response_schema={"type": "object", "maxProperties": 2},
        doc_class="passport",
        metadata={"language": "ru", "pages": 2},
    )
    assert sample.sample_id == "п1"
    assert sample.images == (ImageFile(path="a.png"), ImageFile(path="b.png"))
    assert (sample.question, sample.references, sample.choices) == ("Что?", ("да", "нет"), ("да", "нет"))
    assert sample.response_schema == {"type": "object", "maxProperties": 2}
    assert sample.metadata == {"doc_class": "passport", "language": "ru", "pages": "2"}


def test_numbers_are_kept_as_written(tmp_path: Path) -> None:
    (sample,) = read(tmp_path, '{"id": 7, "image": "a.png", "answer": 12.50, "page": 1e3}')
    assert (sample.sample_id, sample.references, sample.metadata) == ("7", ("12.50",), {"page": "1e3"})


@pytest.mark.parametrize("text", ["0044", "N/A", "", "а\r\nб", "\u2028", "\x01", "True"])
def test_texts_are_kept_to_the_byte(tmp_path: Path, text: str) -> None:
    assert one(tmp_path, image="a.png", answer=text).references == (text,)


def test_a_json_object_as_answer_becomes_its_text(tmp_path: Path) -> None:
    sample = one(tmp_path, image="a.png", answer={"total": 5, "имя": "Ян"})
    assert sample.references == ('{"total": 5, "имя": "Ян"}',)


def test_without_id_the_position_counts(tmp_path: Path) -> None:
    line = '{"image": "a.png", "answer": "x"}'
    assert [(s.sample_id, s.row) for s in read(tmp_path, line, "", line)] == [("0", 1), ("1", 3)]


def test_a_damaged_line_takes_no_id_of_another_sample(tmp_path: Path) -> None:
    """Ids 1, 2, 3, 4: position 2 of the damaged line is the id of the second sample."""
    good = [f'{{"id": {n}, "image": "a.png", "answer": "x"}}' for n in (1, 2, 4)]
    found = read(tmp_path, *good[:2], '{"id": 3, "answer": "tor', '{"id": "3b"}', good[2])
    assert [sample.sample_id for sample in found] == ["1", "2", "line-3", "3b", "4"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"id": "x", "answer": "tor', "not JSON"),
        ("[1]", "not a JSON object"),
        ('{"id": "x", "image": "a.png"}', "no answer"),
        ('{"id": "x", "answer": null}', "no answer"),
        ('{"id": "x", "answers": []}', "no answer"),
        ('{"id": "x", "answer": "a", "images": "a.png"}', "images must be a list"),
        ('{"id": "x", "answer": "a", "metadata": 3}', "metadata must be a JSON object"),
        ('{"id": "x", "answer": "\\ud800"}', "surrogate"),
        (json.dumps({"id": "x", "answer": "a", "choices": list(range(27))}), "27 choices"),
    ],
)
def test_a_damaged_line_costs_one_sample(tmp_path: Path, line: str, problem: str) -> None:
    good = '{"id": "good", "image": "a.png", "answer": "x"}'
    damaged, after = read(tmp_path, line, good)
    assert problem in (damaged.problem or "")
    assert (after.sample_id, after.problem) == ("good", None)


def test_gold_under_other_names_is_for_the_labels_only(tmp_path: Path) -> None:
    sample = one(tmp_path, image="a.png", answer="x", ground_truth="canary", metadata={"label": "canary"})
    assert "canary" not in str(sample.metadata)
    assert sample.label_metadata == {"ground_truth": "canary", "label": "canary"}


@pytest.mark.parametrize("key", ["answer", "answers", "Answer", "Ground_Truth"])
def test_gold_inside_metadata_or_capitalised_is_gold(tmp_path: Path, key: str) -> None:
    sample = one(tmp_path, image="a.png", answer="x", metadata={key: "canary", "language": "ru"})
    assert (sample.metadata, sample.label_metadata) == ({"language": "ru"}, {key: "canary"})


def test_no_image_key_is_a_text_sample_and_an_empty_one_is_absent(tmp_path: Path) -> None:
    assert one(tmp_path, question="q", answer="a").images == ()
    assert isinstance(one(tmp_path, image="", answer="a").images[0], ImageAbsent)


def test_file_param_and_single_file(tmp_path: Path) -> None:
    path = tmp_path / "kie.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"id": "a", "answer": "x"}\r\n')
    (by_name,) = load("jsonl", tmp_path, {"file": "kie.jsonl"})
    assert by_name == next(iter(load("jsonl", path, {})))
    with pytest.raises(LoaderError, match=r"no other\.jsonl"):
        list(load("jsonl", tmp_path, {"file": "other.jsonl"}))
