"""The SROIE layout: transcripts with commas, key fields, receipts with half of their files."""

from __future__ import annotations

from pathlib import Path

import pytest
from vlmhb_benchmarks.loaders import ImageFile, LoaderError, load

BOX = (  # the sum stands to the left of "RM", in the same line of the page, but later in the file
    "72,25,326,25,326,64,72,64,TAN WOON\r\n"
    "90,101,120,101,120,121,90,121,RM\r\n"
    "\r\n"
    "10,100,80,100,80,120,10,120,ИТОГО 0044\r\n"
    "5,70,200,70,200,90,5,90,NO.53 55,57 & 59, JALAN,\r\n"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("img", "box", "key"):
        (tmp_path / folder).mkdir()
    for stem in ("000", "007"):
        (tmp_path / f"img/{stem}.jpg").touch()
        (tmp_path / f"box/{stem}.csv").write_bytes(BOX.encode())
        (tmp_path / f"key/{stem}.json").write_text('{"company": "Ё", "total": "9.00"}\n', encoding="utf-8")
    return tmp_path


def test_text_is_the_transcripts_in_reading_order(root: Path) -> None:
    first, second = load("sroie", root, {})
    assert (first.sample_id, second.sample_id) == ("000", "007")
    assert first.references == ("TAN WOON\nNO.53 55,57 & 59, JALAN,\nИТОГО 0044 RM",)
    assert first.images == (ImageFile(path="img/000.jpg"),)
    assert first.metadata == {"doc_class": "receipt"}


def test_the_order_of_the_file_is_kept_on_demand(root: Path) -> None:
    first = next(iter(load("sroie", root, {"order": "file"})))
    assert first.references == ("TAN WOON\nRM\nИТОГО 0044\nNO.53 55,57 & 59, JALAN,",)
    with pytest.raises(LoaderError, match="order random is unknown"):
        list(load("sroie", root, {"order": "random"}))


def test_key_is_the_json_of_the_fields(root: Path) -> None:
    first = next(iter(load("sroie", root, {"target": "key"})))
    assert first.references == ('{"company": "Ё", "total": "9.00"}',)


def test_half_receipts_and_damaged_truth_cost_one_sample_each(root: Path) -> None:
    (root / "img/001.jpg").touch()
    (root / "box/002.csv").write_text(BOX, encoding="utf-8")
    (root / "box/000.csv").write_text("1,2,3\n", encoding="utf-8")
    (root / "box/007.csv").write_bytes(b"1,2,3,4,5,6,7,8,\xff\n")
    samples = {sample.sample_id: sample for sample in load("sroie", root, {})}
    assert samples["000"].problem == "line 1 is not x1,y1,...,x4,y4,text"
    assert samples["001"].problem == "no file for this receipt in box/"
    assert samples["002"].problem is None  # its image is missing: the prepare stage says so
    assert samples["007"].problem == "not UTF-8"


def test_damaged_key_files(root: Path) -> None:
    (root / "key/000.json").write_text("{", encoding="utf-8")
    (root / "key/007.json").write_text("[]", encoding="utf-8")
    problems = [sample.problem or "" for sample in load("sroie", root, {"target": "key"})]
    assert problems[0].startswith("not JSON")
    assert problems[1] == "not a JSON object"


def test_missing_folder_and_wrong_target(root: Path) -> None:
    (root / "box").rename(root / "boxes")
    with pytest.raises(LoaderError, match="no folder box/"):
        list(load("sroie", root, {}))
    with pytest.raises(LoaderError, match="target fields is unknown"):
        list(load("sroie", root, {"target": "fields"}))
