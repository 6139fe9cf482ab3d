"""COCO-Text: legible words only, by image, and the words as grounding questions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from vlmhb_benchmarks.loaders import ImageFile, LoaderError, RawSample, load


def annotation(
    number: int, text: str | None, box: list[float], *, legibility: str = "legible"
) -> dict[str, Any]:
    data = {"id": number, "image_id": 7, "bbox": box, "legibility": legibility, "language": "english"}
    return {**data, "class": "machine printed", **({} if text is None else {"utf8_string": text})}


def dataset(folder: Path, **parts: Any) -> Path:
    annotations = [
        annotation(12, "ВЫХОД", [50, 10, 40, 12.5]),
        annotation(11, "EXIT", [0, 11, 40, 12]),
        annotation(13, "?", [0, 80, 9, 9], legibility="illegible"),
        annotation(14, "0044", [0, 40, 30, 10]),
        annotation(15, None, [0, 60, 30, 10]),
    ]
    image = {"width": 640, "height": 480}
    data = {
        "cats": {},
        "anns": {str(item["id"]): item for item in annotations},
        "imgs": {
            "7": {**image, "id": 7, "set": "val", "file_name": "COCO_train2014_000000000007.jpg"},
            "9": {**image, "id": 9, "set": "val", "file_name": "COCO_train2014_000000000009.jpg"},
            "8": {**image, "id": 8, "set": "train", "file_name": "COCO_train2014_000000000008.jpg"},
        },
        "imgToAnns": {"7": [12, 11, 13, 14, 15], "9": [], "8": [99]},
        "info": {},
        **parts,
    }
    (folder / "train2014").mkdir(exist_ok=True)
    (folder / "cocotext.v2.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    return folder


def read(path: Path, **params: Any) -> list[RawSample]:
    return list(load("coco_text", path, params))


def test_the_legible_words_of_an_image_in_reading_order(tmp_path: Path) -> None:
    first, second = read(dataset(tmp_path), split="val")
    assert (first.sample_id, first.references) == ("7", ("EXIT ВЫХОД\n0044",))
    assert first.images == (ImageFile(path="train2014/COCO_train2014_000000000007.jpg"),)
    assert first.metadata == {"split": "val"}
    boxes = json.loads(first.label_metadata["boxes"])
    assert boxes[0] == {"text": "ВЫХОД", "bbox": [50.0, 10.0, 90.0, 22.5]}
    assert (second.sample_id, second.references) == ("9", ("",))


def test_images_without_text_are_left_out_on_request(tmp_path: Path) -> None:
    assert [s.sample_id for s in read(dataset(tmp_path), split="val", with_text=True)] == ["7"]


def test_grounding(tmp_path: Path) -> None:
    first, second, third = read(dataset(tmp_path), split="val", target="grounding")
    assert (first.sample_id, first.question, first.references) == (
        "7-12",
        "ВЫХОД",
        ("[50.0, 10.0, 90.0, 22.5]",),
    )
    assert [second.question, third.question] == ["EXIT", "0044"]
    assert first.metadata == {"split": "val", "language": "english", "type": "machine printed"}


def test_an_annotation_that_is_not_there_costs_one_image(tmp_path: Path) -> None:
    (sample,) = read(dataset(tmp_path), split="train")
    assert sample.problem == "annotation 99 of image 8 is not there"


def test_a_box_that_is_none_costs_one_image(tmp_path: Path) -> None:
    anns = {"1": annotation(1, "a", [1, 2])}
    (sample,) = read(dataset(tmp_path, anns=anns, imgToAnns={"8": [1]}), split="train")
    assert sample.problem == "annotation 1 has no bbox of left, top, width, height"


def test_the_dataset_as_a_whole(tmp_path: Path) -> None:
    dataset(tmp_path)
    with pytest.raises(LoaderError, match="no image of split dev") as caught:
        read(tmp_path, split="dev")
    assert caught.value.hint == "there are: train, val"
    path = tmp_path / "cocotext.v2.json"
    assert read(path, split="val") == read(tmp_path, split="val")
    path.write_text(path.read_text(encoding="utf-8")[:200], encoding="utf-8")
    with pytest.raises(LoaderError, match=r"cut off or damaged, not JSON .*, in cocotext\.v2\.json"):
        read(tmp_path)
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(LoaderError, match="no objects imgs, anns, imgToAnns"):
        read(tmp_path)
    path.unlink()
    with pytest.raises(LoaderError, match=r"no files cocotext\*\.json"):
        read(tmp_path)
