"""Parquet tables through the whole stage: images become media, ids are unique over all shards, labels stay apart."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from vlmhb_benchmarks.loaders import load

if TYPE_CHECKING:
    import pytest
    from conftest import Bench


def row(number: int, **cells: Any) -> dict[str, Any]:
    stream = BytesIO()
    Image.new("L", (20 + number, 10), 200).save(stream, "PNG")
    image = {"bytes": stream.getvalue(), "path": None}
    return {"id": f"q{number}", "question": "Что?", "answers": [f"canary{number}"], "image": image, **cells}


def write(path: Path, *rows: dict[str, Any]) -> None:
    pq.write_table(pa.Table.from_pylist(list(rows)), path)


def test_images_become_media_and_labels_stay_apart(bench: Bench) -> None:
    write(bench.root / "test-00000-of-00002.parquet", row(1, rationale="canary"), row(2, rationale="canary"))
    write(bench.root / "test-00001-of-00002.parquet", row(3, rationale="canary"))
    done = bench.prepare(loader="parquet")
    assert done.code == 0
    assert [sample.images[0].width for sample in done.samples] == [21, 22, 23]
    assert [label.references for label in done.labels] == [("canary1",), ("canary2",), ("canary3",)]
    assert b"canary" not in b"".join(path.read_bytes() for path in (done.out / "inputs").rglob("*.json*"))


def test_an_id_in_the_same_row_of_two_shards(bench: Bench) -> None:
    write(bench.root / "test-00000-of-00002.parquet", row(1))
    write(bench.root / "test-00001-of-00002.parquet", row(1))
    done = bench.prepare(loader="parquet")
    assert done.code == 2
    assert done.fatal["message"].startswith("sample id q1 stands twice, in test-00001-of-00002.parquet")


def test_a_choice_list_in_the_question_is_not_repeated_below_it(bench: Bench) -> None:
    write(bench.root / "t.parquet", row(1, choices=["да", "нет"]))
    (listed,) = bench.prepare(loader="parquet").samples
    (plain,) = bench.prepare(loader="parquet", params={"list_choices": False}).samples
    assert listed.messages[0].content == "Что?\nA. да\nB. нет"
    assert plain.messages[0].content == "Что?"
    assert plain.choices == ("да", "нет")


def test_a_host_without_a_pdf_library_still_knows_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pypdfium2", None)
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.4")
    (tmp_path / "samples.jsonl").write_text('{"answer": "a", "doc": "a.pdf"}\n', encoding="utf-8")
    (sample,) = load("jsonl", tmp_path, {"columns": {"pdf": "doc"}})
    assert sample.problem is None
    assert "path='a.pdf'" in str(sample.images[0])
    assert "pypdfium2 is missing" in str(sample.images[1])
