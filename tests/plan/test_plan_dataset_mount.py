"""A file that holds everything is mounted alone; one that refers to images, with the folder around it."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from vlmhb.contracts import BenchmarkCard, EvaluationRow, Place, ResolvedEvaluation
from vlmhb.dataset_files import dataset_mount, holds_images, referenced_files
from vlmhb.modelcard import ModelCard, TaskType
from vlmhb.plan.specs import prepare_spec
from vlmhb_stages.specs import Decoding, RetryPolicy, UnpackLimits


@pytest.mark.parametrize(
    ("header", "alone"),
    [
        ("index\timage\tquestion\tanswer", True),
        ("index\timage\timage_path\tquestion\tanswer", True),
        ("\ufeffimage_path\tquestion\tanswer\r", False),
        ("index\tquestion\tanswer", True),
    ],
)
def test_the_header_tells_where_the_images_are(header: str, alone: bool, tmp_path: Path) -> None:
    path = tmp_path / "my.tsv"
    path.write_text(f"{header}\n1\tx\n", encoding="utf-8")
    assert holds_images(path) is alone


def evaluation(path: Path, *, loader: str, **card: Any) -> ResolvedEvaluation:
    benchmark = BenchmarkCard.model_validate({"name": "b", "loader": loader, **card})
    return ResolvedEvaluation(
        id="e",
        row=EvaluationRow(place=Place(file="u.csv"), dataset="b", model_name="m"),
        model=ModelCard(name="m", framework="f", interface="replay", tasks=get_args(TaskType)),
        benchmark=benchmark,
        dataset_path=path,
        decoding=Decoding(),
        retry=RetryPolicy(),
        concurrency=1,
        metrics=(),
        primary=None,
        aggregators=(),
        profile="default",
        error_policy="continue",
    )


@pytest.mark.parametrize("name", ["d.zip", "D.TAR.GZ", "d.tgz", "d.tar.xz"])
def test_an_archive_is_mounted_alone_and_keeps_the_cards_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"never opened here")
    asked = evaluation(path, loader="jsonl", params={"file": "mine.jsonl"}, unpack={"max_gib": 1})
    assert (dataset_mount(asked), referenced_files(asked)) == (path, None)
    spec = prepare_spec(asked)
    assert (spec.archive, spec.params, spec.unpack) == (name, {"file": "mine.jsonl"}, UnpackLimits(max_gib=1))


def test_a_folder_that_is_called_like_an_archive_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "d.zip").mkdir()
    asked = evaluation(tmp_path / "d.zip", loader="jsonl")
    assert prepare_spec(asked).archive is None
    assert dataset_mount(asked) == tmp_path / "d.zip"


def test_a_parquet_file_is_mounted_alone(tmp_path: Path) -> None:
    path = tmp_path / "d.parquet"
    path.touch()
    assert dataset_mount(evaluation(path, loader="parquet")) == path


def test_a_single_pdf_comes_with_its_texts_alone(tmp_path: Path) -> None:
    for name in ("a.pdf", "a.txt", "a_1.txt", "a_note.txt", "b.pdf", "b.txt", "truth.jsonl"):
        (tmp_path / name).touch()
    asked = evaluation(tmp_path / "a.pdf", loader="pages")
    assert dataset_mount(asked) == tmp_path
    assert referenced_files(asked) == ("a.pdf", "a.txt", "a_1.txt", "truth.jsonl")


def test_a_jsonl_file_comes_with_what_it_names(tmp_path: Path) -> None:
    rows = [{"image": "i/a.png", "question": "q", "answer": "x"}, {"image": "../b.png", "answer": "x"}]
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert referenced_files(evaluation(tmp_path / "d.jsonl", loader="jsonl")) == ("d.jsonl", "i/a.png")
