"""CORD: parsed receipts from folders, from the first release without `gt_parse`, and from parquet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from vlmhb_benchmarks.loaders import ImageAbsent, ImageBytes, ImageFile, LoaderError, RawSample, load

PARSED = (
    '{"menu": [{"nm": "Nasi Кампур", "cnt": "1 x", "price": "75,000"}], "total": {"total_price": 75000.50}}'
)


def word(text: str, *, x: float, y: float) -> dict[str, Any]:
    quad = {"x1": x, "y1": y, "x2": x + 9, "y2": y, "x3": x + 9, "y3": y + 9, "x4": x, "y4": y + 9}
    return {"text": text, "quad": quad, "is_key": 0, "row_id": 1}


def line(category: str, group: int, *words: dict[str, Any]) -> dict[str, Any]:
    return {"category": category, "group_id": group, "words": list(words)}


LINES = [
    line("menu.cnt", 3, word("2", x=0, y=0)),
    line("menu.nm", 3, word("ЧАЙ", x=20, y=0), word("0044", x=40, y=1)),
    line("menu.sub_nm", 3, word("лимон", x=20, y=20)),
    line("menu.nm", 4, word("КОФЕ", x=20, y=40)),
    line("menu.nm", 4, word("чёрный", x=40, y=41)),
    line("total.total_price", 9, word("12.50", x=20, y=60)),
]
PAGE = "2 ЧАЙ 0044\nлимон\nКОФЕ чёрный\n12.50"


def folders(root: Path, *stems: str, truth: str) -> Path:
    for name in ("json", "image"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for stem in stems:
        (root / f"image/{stem}.png").touch()
        (root / f"json/{stem}.json").write_text(truth, encoding="utf-8")
    return root


def read(path: Path, **params: Any) -> list[RawSample]:
    return list(load("cord", path, params))


def truth(**parts: Any) -> str:
    return json.dumps({"meta": {"image_id": 0}, "valid_line": LINES, **parts}, ensure_ascii=False)


def test_a_receipt_with_its_parse_keeps_its_numbers_as_written(tmp_path: Path) -> None:
    (sample,) = read(folders(tmp_path, "receipt_00000", truth=f'{{"gt_parse": {PARSED}}}'))
    assert sample.references == (PARSED,)
    assert sample.images == (ImageFile(path="image/receipt_00000.png"),)


def test_the_first_release_is_parsed_from_its_lines(tmp_path: Path) -> None:
    (sample,) = read(folders(tmp_path, "a", truth=truth()))
    assert json.loads(sample.references[0]) == {
        "menu": [{"cnt": "2", "nm": "ЧАЙ 0044", "sub": {"nm": "лимон"}}, {"nm": "КОФЕ чёрный"}],
        "total": {"total_price": "12.50"},
    }


def test_text(tmp_path: Path) -> None:
    (sample,) = read(folders(tmp_path, "a", truth=truth(gt_parse={})), target="text")
    assert sample.references == (PAGE,)


def test_splits(tmp_path: Path) -> None:
    for split in ("train", "dev", "test"):
        folders(tmp_path / split, split, truth=truth())
    (sample,) = read(tmp_path, split="test")
    assert (sample.sample_id, sample.file) == ("test", "test/json/test.json")
    with pytest.raises(LoaderError, match="several splits in the dataset"):
        read(tmp_path)


def test_half_receipts_and_damaged_truth_cost_one_sample_each(tmp_path: Path) -> None:
    folders(tmp_path, "a", "b", "c", "d", truth=truth())
    (tmp_path / "json/a.json").unlink()
    (tmp_path / "image/b.png").unlink()
    (tmp_path / "json/c.json").write_text('{"valid_line": [{"category": "menu.nm"}]}', encoding="utf-8")
    (tmp_path / "json/d.json").write_text("{}", encoding="utf-8")
    found = read(tmp_path)
    assert found[0].problem == "no file for this receipt in json/"
    assert found[1].images == (ImageAbsent(reason="no file for this receipt in image/"),)
    assert (found[2].problem or "").startswith("valid_line is not lines of words")
    assert found[3].problem == "neither gt_parse nor valid_line"


def test_parquet(tmp_path: Path) -> None:
    cells = [f'{{"gt_parse": {PARSED}, "meta": {{"image_id": 0}}}}', "{torn", truth()]
    rows = [{"image": {"bytes": b"png", "path": None}, "ground_truth": cell} for cell in cells]
    (tmp_path / "data").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "data/test-00000-of-00001-9c204eb3f4e11791.parquet")
    pq.write_table(
        pa.Table.from_pylist(rows), tmp_path / "data/train-00000-of-00001-b4aaeceff1d90ecb.parquet"
    )
    first, second, third = read(tmp_path, split="test")
    assert (first.sample_id, first.references, first.images) == ("0", (PARSED,), (ImageBytes(data=b"png"),))
    assert (second.problem or "").startswith("not JSON")
    assert read(tmp_path, split="test", target="text")[2].references == (PAGE,)
    assert (third.sample_id, third.row) == ("2", 3)


def test_parquet_without_its_column(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([{"image": b"x"}]), tmp_path / "t.parquet")
    with pytest.raises(LoaderError, match=r"missing column ground_truth, in t\.parquet"):
        read(tmp_path / "t.parquet")
