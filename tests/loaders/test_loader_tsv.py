"""VLMEvalKit TSV: images inside, by reference and by path; texts never become numbers or NaN."""

from __future__ import annotations

import base64
import csv
from collections.abc import Mapping
from pathlib import Path

import pytest
from vlmhb_benchmarks.loaders import ImageAbsent, ImageBase64, ImageFile, LoaderError, RawSample, load
from vlmhb_benchmarks.loaders.tsv import text_list

PICTURE = base64.b64encode(b"first picture " * 20).decode()
OTHER = base64.b64encode(b"second picture " * 20).decode()


def read(folder: Path, *rows: Mapping[str, str], params: dict[str, object] | None = None) -> list[RawSample]:
    with (folder / "bench.tsv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return list(load("tsv", folder, params or {}))


def row(index: str, **cells: str) -> dict[str, str]:
    return {"index": index, "image": PICTURE, "question": "q", "answer": "a", **cells}


def test_base64_image(tmp_path: Path) -> None:
    (sample,) = read(tmp_path, row("17"))
    assert (sample.sample_id, sample.images) == ("17", (ImageBase64(text=PICTURE),))


def test_a_cell_far_larger_than_csvs_own_limit(tmp_path: Path) -> None:
    big = "A" * 5_000_000
    (sample,) = read(tmp_path, row("0", image=big))
    assert sample.images == (ImageBase64(text=big),)


def test_references_to_earlier_and_later_rows(tmp_path: Path) -> None:
    samples = read(
        tmp_path, row("0", image="2"), row("1", question="а\nб"), row("2", image=OTHER), row("3", image="1")
    )
    assert [sample.images[0] for sample in samples] == [
        ImageBase64(text=text) for text in (OTHER, PICTURE, OTHER, PICTURE)
    ]


def test_a_reference_to_nothing_costs_one_sample(tmp_path: Path) -> None:
    broken, good = read(tmp_path, row("0", image="99"), row("1"))
    assert broken.images == (ImageAbsent(reason="row with index 99 has no image to refer to"),)
    assert good.images == (ImageBase64(text=PICTURE),)


def test_lists_of_images_and_of_references(tmp_path: Path) -> None:
    samples = read(
        tmp_path,
        row("0"),
        row("1", image=repr([PICTURE, OTHER])),
        row("2", image=repr(["0"])),
        row("3", image="1"),
    )
    pair = (ImageBase64(text=PICTURE), ImageBase64(text=OTHER))
    assert [sample.images for sample in samples] == [pair[:1], pair, pair[:1], pair]


def test_image_paths(tmp_path: Path) -> None:
    one = {"index": "0", "image_path": "a/я.png", "answer": "x"}
    two = {"index": "1", "image_path": "['a.png', 'b.png']", "answer": "x"}
    first, second = read(tmp_path, one, two)
    assert first.images == (ImageFile(path="a/я.png"),)
    assert second.images == (ImageFile(path="a.png"), ImageFile(path="b.png"))


def test_an_empty_image_cell_is_absent_and_no_image_column_is_text_only(tmp_path: Path) -> None:
    assert isinstance(read(tmp_path, row("0", image=""))[0].images[0], ImageAbsent)
    assert read(tmp_path, {"index": "0", "question": "q", "answer": "a"})[0].images == ()


def test_answers_as_list(tmp_path: Path) -> None:
    assert read(tmp_path, row("0", answer="['0.28', 'ноль']"))[0].references == ("0.28", "ноль")


@pytest.mark.parametrize("text", ["NA", "None", "null", "", "007", "1.50", "[1, 2]", "[нет", "nan", "a\r\nb"])
def test_answers_are_kept_to_the_byte(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, row("0", answer=text))[0].references == (text,)


def test_choices(tmp_path: Path) -> None:
    samples = read(
        tmp_path,
        row("0", A="да", B="нет", C=""),
        row("1", A="", B="", C=""),
        row("2", A="да", B="", C="нет"),
    )
    assert [sample.choices for sample in samples[:2]] == [("да", "нет"), None]
    assert samples[2].problem == "choices A, C: one before them is empty"


def test_only_known_columns_reach_the_inference_side(tmp_path: Path) -> None:
    cells = {
        "category": "chart",
        "l2-category": "bar",
        "split": "test",
        "rationale": "canary",
        "year": "2001",
    }
    (sample,) = read(tmp_path, row("0", **cells), params={"metadata": ["year"]})
    assert sample.metadata == {"category": "chart", "l2-category": "bar", "split": "test", "year": "2001"}
    assert sample.label_metadata == {"rationale": "canary"}


def test_a_row_of_the_wrong_width_costs_one_sample(tmp_path: Path) -> None:
    (tmp_path / "b.tsv").write_text("index\tquestion\tanswer\n0\tq\n1\tq\ta\n", encoding="utf-8")
    broken, good = load("tsv", tmp_path, {})
    assert (broken.sample_id, broken.problem) == ("0", "2 cells where the header has 3")
    assert good.problem is None


def test_which_file(tmp_path: Path) -> None:
    with pytest.raises(LoaderError, match=r"no \*\.tsv"):
        list(load("tsv", tmp_path, {}))
    for name in ("a.tsv", "b.tsv"):
        (tmp_path / name).write_text("index\tanswer\n0\tx\n", encoding="utf-8")
    with pytest.raises(LoaderError, match=r"2 \*\.tsv files"):
        list(load("tsv", tmp_path, {}))
    assert len(list(load("tsv", tmp_path, {"file": "b.tsv"}))) == 1
    assert len(list(load("tsv", tmp_path / "a.tsv", {}))) == 1


def test_missing_answer_column(tmp_path: Path) -> None:
    (tmp_path / "b.tsv").write_text("index\tquestion\n", encoding="utf-8")
    with pytest.raises(LoaderError, match=r"missing column answer, in b\.tsv, row 1"):
        list(load("tsv", tmp_path, {}))


def test_text_list_takes_lists_of_texts_only() -> None:
    assert text_list("['a', \"б\"]") == ("a", "б")
    assert text_list("[]") == text_list("['a', 1]") == text_list("{'a'}") == text_list("[open(") == ()
