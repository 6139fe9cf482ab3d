"""What prepare makes of odd datasets arrives at the model: converted pages, pages of a PDF, archives."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pypdfium2
from e2e_world import World, page_text
from PIL import Image


def prepared_images(world: World, summary: dict[str, Any], evaluation: str) -> list[dict[str, Any]]:
    """The first image of each sample, with the bytes that were to be sent."""
    inputs = world.stage(summary, "prepare", evaluation) / "out/inputs"
    media = json.loads((inputs / "media.json").read_text(encoding="utf-8"))
    mounted = world.data / media["root"] if media["mode"] == "mount" else inputs / "media"
    found = []
    for line in (inputs / "samples.jsonl").read_text(encoding="utf-8").splitlines():
        image = json.loads(line)["images"][0]
        folder = inputs / "media" if image["root"] == "inputs" else mounted
        found.append({**image, "data": (folder / image["path"]).read_bytes()})
    return found


def check_answers(world: World, summary: dict[str, Any], evaluation: str) -> list[dict[str, Any]]:
    images = prepared_images(world, summary, evaluation)
    answers = {record["sample_id"]: record["text"] for record in world.predictions(summary, evaluation)}
    assert sorted(answers.values()) == sorted(page_text(image["data"]) for image in images)
    return images


def test_a_converted_page_beside_mounted_ones(world: World) -> None:
    world.make(pages=2)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 30), "red").save(world.data / "images/turned.jpg", exif=exif)
    lines = world.samples()
    lines.append({**lines[0], "id": "turned", "image": "images/turned.jpg"})
    world.write_samples(lines)
    images = check_answers(world, world.run(), "pages-page-model")
    assert [(image["root"], image.get("made")) for image in images] == [
        ("media", None),
        ("media", None),
        ("inputs", "upright"),
    ]
    assert (images[2]["width"], images[2]["height"]) == (30, 40)


def test_an_archive_and_a_pdf_as_datasets(world: World) -> None:
    world.make(pages=2)
    with tarfile.open(world.root / "pages.tar.gz", "w:gz") as archive:
        archive.add(world.data, "pages")
    documents = world.root / "documents"
    (documents / "docs").mkdir(parents=True)
    pdf(documents / "docs/a.pdf", pages=2)
    for number in (1, 2):
        (documents / f"docs/a_{number}.txt").write_text(f"CANARY {number}", encoding="utf-8")
    world.config(
        {"dataset": "packed", "task": "OCR", "model_name": "page-model", "dataset_path": "pages.tar.gz"},
        {"dataset": "documents", "task": "OCR", "model_name": "page-model", "dataset_path": "documents"},
    )
    summary = world.run()
    packed = check_answers(world, summary, "packed-page-model")
    assert [image.get("made") for image in packed] == [None, None]
    assert not list(world.stage(summary, "prepare", "packed-page-model").rglob(".unpacked"))
    rendered = check_answers(world, summary, "documents-page-model")
    assert [(image["made"], image["width"]) for image in rendered] == [
        ("pdf page 1", 144),
        ("pdf page 2", 288),
    ]
    inputs = world.stage(summary, "prepare", "documents-page-model") / "out/inputs"
    assert not [path for path in inputs.rglob("*") if path.is_file() and b"CANARY" in path.read_bytes()]


def pdf(path: Path, *, pages: int) -> None:
    """Pages of 1 inch by 1, 2 by 1 ..."""
    document = pypdfium2.PdfDocument.new()
    for number in range(1, pages + 1):
        document.new_page(72 * number, 72)
    document.save(path)
