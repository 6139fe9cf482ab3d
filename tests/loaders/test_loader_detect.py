"""Which loader reads what lies there: told by names, on a machine with the standard library only."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from vlmhb_benchmarks.loaders import LOADERS
from vlmhb_benchmarks.loaders.detect import BY_END, LAYOUTS, detect_layout

TREES: dict[str, tuple[str, ...]] = {
    "annotation": ("annotation.csv", "images/1.jpg"),
    "jsonl": ("samples.jsonl", "images/1.jpg"),
    "sroie": ("img/000.jpg", "box/000.csv"),
    "rpo": ("images/1/1.jpg", "jsons/1.json", "classes.json"),
    "funsd": ("annotations/1.json", "images/1.png"),
    "cord": ("test/json/1.json", "test/image/1.png"),
    "coco_text": ("cocotext.v2.json", "train2014/1.jpg"),
    "kie_folder": ("snils/images/clean/1.jpg", "snils/jsons/1.json"),
    "parquet": ("data/test-00000-of-00001.parquet",),
    "tsv": ("DocVQA_VAL.tsv",),
    "pages": ("docs/a.pdf", "docs/a.txt"),
}


def plant(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


@pytest.mark.parametrize("layout", sorted(TREES))
def test_folders(tmp_path: Path, layout: str) -> None:
    assert detect_layout(plant(tmp_path, *TREES[layout])) == layout


@pytest.mark.parametrize(
    ("paths", "layout"),
    [
        (("annotations.csv",), "annotation"),
        (("img/1.jpg", "key/1.json"), "sroie"),
        (("dataset/testing_data/annotations/1.json", "dataset/testing_data/images/1.png"), "funsd"),
        (("de.val.json", "de.val/1.jpg"), "funsd"),
        (("state.json", "data-00000-of-00001.arrow"), "parquet"),
        (("dataset_dict.json", "test/state.json"), "parquet"),
        (("default/test/0000.parquet",), None),
        (("test/0000.parquet",), "parquet"),
        (("truth.jsonl", "docs/a.pdf"), "pages"),
        (("page.png", "page.txt"), "pages"),
        (("images/page.png", "truth/page.txt"), "pages"),
        (("README.txt", "images/page.png"), None),
        (("a.tsv", "b.tsv"), None),
        (("images/1.jpg",), None),
        ((), None),
    ],
)
def test_other_forms_of_folders(tmp_path: Path, paths: tuple[str, ...], layout: str | None) -> None:
    assert detect_layout(plant(tmp_path, *paths)) == layout


@pytest.mark.parametrize("end", sorted(BY_END))
def test_files_by_their_end(tmp_path: Path, end: str) -> None:
    path = tmp_path / f"My.Data{end.upper()}"
    path.touch()
    assert detect_layout(path) == BY_END[end]


@pytest.mark.parametrize(
    ("name", "data", "layout"),
    [
        ("val.json", {"data": []}, "jsonl"),
        ("val.json", [{"answer": "a"}], "jsonl"),
        ("de.val.json", {"lang": "de", "documents": []}, "funsd"),
        ("a.json", {"cats": {}, "imgToAnns": {}}, "coco_text"),
        ("COCO_Text.json", {}, "coco_text"),
        ("a.json", "text", None),
    ],
)
def test_json_files_by_their_first_keys(tmp_path: Path, name: str, data: object, layout: str | None) -> None:
    (tmp_path / name).write_text(json.dumps(data), encoding="utf-8")
    assert detect_layout(tmp_path / name) == layout


def test_what_is_not_there(tmp_path: Path) -> None:
    assert detect_layout(tmp_path / "nothing") is None
    assert detect_layout(plant(tmp_path, "a.xlsx") / "a.xlsx") is None


def test_every_layout_has_its_loader() -> None:
    assert {*LAYOUTS, *BY_END.values()} <= set(LOADERS)


def test_the_host_needs_no_library_to_know_the_loaders() -> None:
    program = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "import vlmhb_benchmarks.loaders, vlmhb_benchmarks.loaders.detect\n"
        "tops = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(tops - set(sys.stdlib_module_names) - {'vlmhb_benchmarks'}))\n"
        "print(any(name.startswith('vlmhb_benchmarks.metrics') for name in sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "False"]
