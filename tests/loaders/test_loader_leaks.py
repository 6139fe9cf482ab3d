"""No reference ever reaches what the inference side sees: a canary in every answer of every layout."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from vlmhb_benchmarks.loaders import LOADERS, load

CANARY = "канарейка-7f3a"
BOX = "0,0,9,0,9,9,0,9"
ENTITY = {
    "id": 0,
    "label": "question",
    "text": CANARY,
    "box": [0, 0, 9, 9],
    "words": [{"text": CANARY, "box": [0, 0, 9, 9]}],
    "linking": [[0, 0]],
}
QUAD = {f"{axis}{n}": 0 for axis in "xy" for n in range(1, 5)}


def text(path: Path, value: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value, encoding="utf-8")


def as_json(path: Path, value: Any) -> None:
    text(path, json.dumps(value, ensure_ascii=False))


def annotation(root: Path) -> None:
    header = "data_index;split;image_path;question;answer;doc_class;question_type;answer_bbox"
    text(root / "annotation.csv", f"{header}\n1;s;i.jpg;q;{CANARY};c;t;{CANARY}\n")


def jsonl(root: Path) -> None:
    row = {"id": 1, "question": "q", "answer": CANARY, "gold": CANARY, "metadata": {"Label": CANARY}}
    as_json(root / "samples.jsonl", row)


def tsv(root: Path) -> None:
    text(root / "t.tsv", f"index\tquestion\tanswer\trationale\thint\n1\tq\t{CANARY}\t{CANARY}\t{CANARY}\n")


def parquet(root: Path) -> None:
    nested = [{"text": CANARY, "box": [1, 2]}]
    row = {"id": 1, "question": "q", "answers": [CANARY], "answer_type": CANARY, "ocr": nested}
    pq.write_table(pa.Table.from_pylist([row]), root / "t.parquet")


def sroie(root: Path) -> None:
    text(root / "img/0.jpg", "")
    text(root / "box/0.csv", f"{BOX},{CANARY}\n")
    as_json(root / "key/0.json", {"total": CANARY})


def funsd(root: Path) -> None:
    text(root / "images/0.png", "")
    as_json(root / "annotations/0.json", {"form": [ENTITY]})


def xfund(root: Path) -> None:
    documents = [{"id": "a", "document": [ENTITY], "img": {"fname": "a.jpg"}}]
    as_json(root / "de.val.json", {"lang": "de", "documents": documents})


def cord(root: Path) -> None:
    text(root / "image/0.png", "")
    line = {"category": "menu.nm", "group_id": 0, "words": [{"text": CANARY, "quad": QUAD}]}
    as_json(root / "json/0.json", {"gt_parse": {"menu": {"nm": CANARY}}, "valid_line": [line]})


def coco_text(root: Path) -> None:
    word = {"bbox": [0, 0, 9, 9], "utf8_string": CANARY, "legibility": "legible"}
    image = {"file_name": "a.jpg", "set": "val"}
    as_json(root / "cocotext.json", {"imgs": {"1": image}, "anns": {"5": word}, "imgToAnns": {"1": [5]}})


def kie_folder(root: Path) -> None:
    text(root / "act/images/clean/1.jpg", "")
    as_json(root / "act/jsons/1.json", {"fields": {"a": {"value": CANARY, "bboxes": [[1, 2, 3, 4]]}}})


def kie_class(root: Path) -> None:
    text(root / f"{CANARY}/images/clean/1.jpg", "")
    as_json(root / f"{CANARY}/jsons/1.json", {"a": "b"})


def rpo(root: Path) -> None:
    for page in (1, 2, 3):
        text(root / f"images/1/{page}.jpg", "")
    as_json(root / "jsons/1.json", {"fields": {CANARY: [2, 0, 1]}})
    as_json(root / "classes.json", [CANARY])


CASES: dict[str, tuple[Callable[[Path], None], str, dict[str, Any]]] = {
    "annotation": (annotation, "annotation", {}),
    "jsonl": (jsonl, "jsonl", {}),
    "tsv": (tsv, "tsv", {}),
    "parquet": (parquet, "parquet", {}),
    "sroie text": (sroie, "sroie", {}),
    "sroie key": (sroie, "sroie", {"target": "key"}),
    "funsd text": (funsd, "funsd", {}),
    "funsd entities": (funsd, "funsd", {"target": "entities"}),
    "funsd kie": (funsd, "funsd", {"target": "kie"}),
    "xfund": (xfund, "funsd", {}),
    "cord kie": (cord, "cord", {}),
    "cord text": (cord, "cord", {"target": "text"}),
    "coco_text": (coco_text, "coco_text", {}),
    "kie_folder": (kie_folder, "kie_folder", {"prompt": "{fields}"}),
    "kie_folder class": (kie_class, "kie_folder", {"target": "class"}),
    "rpo": (rpo, "rpo", {}),
}


@pytest.mark.parametrize("case", sorted(CASES))
def test_the_canary_stays_with_the_labels(tmp_path: Path, case: str) -> None:
    write, loader, params = CASES[case]
    write(tmp_path)
    (sample,) = load(loader, tmp_path, params)
    assert sample.problem is None
    seen = (sample.question, dict(sample.metadata), sample.response_schema)
    assert CANARY not in str(seen)
    if loader != "rpo":
        assert CANARY in str(sample.references)


def test_orders_of_pages_stay_with_the_labels(tmp_path: Path) -> None:
    rpo(tmp_path)
    (sample,) = load("rpo", tmp_path, {"target": "order"})
    assert sample.references == ("[3, 1, 2]",)
    assert "3, 1, 2" not in sample.question + str(sample.metadata)


def test_every_layout_of_this_file_is_a_loader() -> None:
    assert {loader for _, loader, _ in CASES.values()} <= set(LOADERS)
