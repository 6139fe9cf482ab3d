"""Bad images of each kind, paths out of the dataset, mount or copy, and the dataset left as it was."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

if TYPE_CHECKING:
    from conftest import Bench


def row(image: str, **more: str) -> dict[str, str]:
    return {"id": image, "image": image, "question": "q", "answer": "x", **more}


def tree(root: Path) -> dict[str, tuple[str, int]]:
    """Every file's hash and time of change; a folder's time changes with each file made or removed in it."""
    found = {}
    for path in (root, *root.rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        found[str(path)] = (hashlib.sha256(content).hexdigest(), path.stat().st_mtime_ns)
    return found


def test_a_good_image_is_described(bench: Bench) -> None:
    path = bench.image("images/a.png", size=(123, 45))
    bench.rows(row("images/a.png"))
    (image,) = bench.prepare().samples[0].images
    assert (image.width, image.height) == (123, 45)
    assert image.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def damage(path: Path, *, kind: str) -> None:
    data = path.read_bytes()
    if kind == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif kind == "text":
        path.write_text("not an image", encoding="utf-8")
    elif kind == "eps":
        Image.new("RGB", (20, 20)).save(path, format="EPS")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "bit":
        middle = len(data) - 30
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :])
    elif kind == "folder":
        path.unlink()
        path.mkdir()
    elif kind == "fifo":
        path.unlink()
        os.mkfifo(path)
    else:
        path.unlink()


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("gone", "b.png", "no such file"),
        ("empty", "b.png", "the file is empty"),
        ("text", "b.png", "not a readable image"),
        ("eps", "b.png", "not a readable image"),
        ("truncated", "b.png", "damaged"),
        ("truncated", "b.jpg", "damaged"),
        ("truncated", "b.tif", "damaged"),
        ("truncated", "b.webp", ""),
        ("bit", "b.png", "damaged"),
        ("folder", "b.png", "not a file"),
        ("fifo", "b.png", "not a file"),
    ],
)
def test_a_bad_image_costs_one_sample(bench: Bench, kind: str, name: str, words: str) -> None:
    bench.image("images/a.png")
    path = bench.root / "images" / name
    Image.effect_noise((200, 200), 60).convert("RGB").save(path)
    damage(path, kind=kind)
    bench.rows(row("images/a.png"), row(f"images/{name}"), row("./images/a.png"))
    done = bench.prepare()
    assert done.code == 0
    good, bad, last = done.samples
    assert good.error is None
    assert last.error is None
    assert bad.error is not None
    assert (bad.error.kind, bad.images) == ("bad_image", ())
    assert bad.error.message.startswith(f"samples.jsonl, row 2: images/{name}: ")
    assert words in bad.error.message
    assert len(done.labels) == 3
    (warning,) = done.warnings
    assert warning.startswith("1 of 3 samples cannot be used (bad_image)")
    assert done.events[-1]["error"] == 1


def test_too_many_pixels(bench: Bench) -> None:
    bench.image("images/a.png", size=(10, 10))
    bench.image("images/b.png", size=(11, 10))
    bench.rows(row("images/a.png"), row("images/b.png"))
    error = bench.prepare(max_image_pixels=100).samples[1].error
    assert error is not None
    assert "11x10 pixels, more than 100" in error.message


def test_when_no_image_is_usable_the_dataset_is_refused(bench: Bench) -> None:
    bench.rows(row("images/a.png"), row("images/b.png"))
    done = bench.prepare()
    assert done.code == 2
    assert "images/a.png: no such file" in done.fatal["message"]
    assert "dataset path" in done.fatal["hint"]


@pytest.mark.parametrize(
    "path", ["../secret.png", "/etc/passwd", "images/../../secret.png", "..\\secret.png"]
)
def test_a_path_out_of_the_dataset_is_fatal(bench: Bench, path: str) -> None:
    bench.image("../secret.png")
    bench.image("images/a.png")
    bench.rows(row("images/a.png"), row(path))
    done = bench.prepare()
    assert done.code == 2
    assert "leads out of the dataset, in samples.jsonl, row 2" in done.fatal["message"]


def test_a_link_out_of_the_dataset_is_fatal(bench: Bench) -> None:
    bench.image("images/a.png")
    (bench.root / "images/b.png").symlink_to(bench.image("../secret.png"))
    bench.rows(row("images/a.png"), row("images/b.png"))
    done = bench.prepare()
    assert done.code == 2
    assert "images/b.png is a link that leads out" in done.fatal["message"]


def test_unusable_paths_are_bad_images(bench: Bench) -> None:
    bench.image("images/a.png")
    (bench.root / "images/loop.png").symlink_to("loop.png")
    bench.rows(row("images/a.png"), row("images/loop.png"), row("images/\0.png"), row("images/" + "x" * 300))
    kinds = [sample.error and sample.error.kind for sample in bench.prepare().samples]
    assert kinds == [None, "bad_image", "bad_image", "bad_image"]


def test_windows_separators(bench: Bench) -> None:
    bench.image("images/a.png")
    bench.rows(row("images\\a.png"))
    assert bench.prepare().samples[0].images[0].path == "a.png"


def test_a_folder_of_images_only_is_mounted(bench: Bench) -> None:
    bench.image("data/images/one/a.png")
    bench.image("data/images/two/b.png")
    (bench.root / "data/images/.DS_Store").touch()
    bench.rows(row("data/images/one/a.png"), row("data/images/two/b.png"))
    done = bench.prepare()
    assert done.media == {"mode": "mount", "root": "data/images"}
    assert [sample.images[0].path for sample in done.samples] == ["one/a.png", "two/b.png"]
    assert sorted(path.name for path in (done.out / "inputs").iterdir()) == [
        "media.json",
        "prompts.jsonl",
        "samples.jsonl",
    ]


def test_the_whole_file_decides_about_the_folder(bench: Bench) -> None:
    bench.image("images/one/a.png")
    bench.image("images/two/b.png")
    bench.rows(row("images/one/a.png"), row("images/two/b.png"))
    assert bench.prepare(limit=1).media == bench.prepare().media == {"mode": "mount", "root": "images"}


@pytest.mark.parametrize("reason", ["a label file", "a link", "beside the annotation", "a linked folder"])
def test_otherwise_images_are_copied_by_content(bench: Bench, reason: str) -> None:
    folder = "." if reason == "beside the annotation" else "images"
    source = bench.image(f"{folder}/a.PNG")
    bench.image(f"{folder}/copy.PNG")
    if reason == "a label file":
        (bench.root / "images/labels.json").write_text("canary", encoding="utf-8")
    elif reason == "a link":
        (bench.root / "images/x.png").symlink_to("a.PNG")
    elif reason == "a linked folder":
        (bench.root / "images").rename(bench.root / "real")
        (bench.root / "images").symlink_to("real")
    bench.rows(row(f"{folder}/a.PNG"), row(f"{folder}/copy.PNG", question="canary2?"))
    done = bench.prepare()
    assert done.media == {"mode": "copy"}
    digest = hashlib.sha256((bench.root / folder / "a.PNG").read_bytes()).hexdigest()
    assert [sample.images[0].path for sample in done.samples] == [f"{digest[:2]}/{digest}.png"] * 2
    files = [path for path in (done.out / "inputs/media").rglob("*") if path.is_file()]
    assert [path.relative_to(done.out / "inputs/media").as_posix() for path in files] == [
        f"{digest[:2]}/{digest}.png"
    ]
    assert hashlib.sha256(files[0].read_bytes()).hexdigest() == digest
    assert source.name == "a.PNG"


def test_a_text_only_dataset_has_an_empty_media_folder(bench: Bench) -> None:
    bench.rows({"id": "a", "question": "q", "answer": "x"})
    done = bench.prepare()
    assert done.media == {"mode": "copy"}
    assert list((done.out / "inputs/media").iterdir()) == []


def test_images_inside_a_tsv_are_written_once(bench: Bench) -> None:
    data = bench.image("tmp.png", size=(60, 50)).read_bytes()
    text = base64.b64encode(data).decode()
    lines = ["index\timage\tquestion\tanswer", f"0\t{text}\tq\tcanary", "1\t0\tq\tcanary"]
    lines += [f"2\t{'!' * 80}\tq\tcanary", f"3\t{base64.b64encode(b'x' * 90).decode()}\tq\tcanary"]
    path = bench.root / "bench"
    path.write_text("\n".join(lines), encoding="utf-8")
    done = bench.prepare(dataset=path, loader="tsv")
    digest = hashlib.sha256(data).hexdigest()
    assert done.media == {"mode": "copy"}
    assert [sample.images[0].path for sample in done.samples[:2]] == [f"{digest[:2]}/{digest}.png"] * 2
    assert [sample.error and sample.error.message for sample in done.samples[2:]] == [
        "bench, row 4: not base64",
        "bench, row 5: not a readable image (BMP, GIF, JPEG, PNG, PPM, TIFF, WebP)",
    ]
    assert (done.out / f"inputs/media/{digest[:2]}/{digest}.png").read_bytes() == data
    assert b"canary" not in (done.out / "inputs/samples.jsonl").read_bytes()


def test_a_single_file_dataset_finds_images_beside_it_and_copies(bench: Bench) -> None:
    bench.image("images/a.png")
    bench.rows(row("images/a.png"), file="mine.jsonl")
    done = bench.prepare(dataset=bench.root / "mine.jsonl")
    assert done.media == {"mode": "copy"}
    assert done.samples[0].error is None


def test_a_read_only_dataset_is_enough_and_stays_as_it_was(bench: Bench) -> None:
    bench.image("images/a.png")
    bench.image("loose/b.png")
    (bench.root / "dataset_infos.json").write_text("{}", encoding="utf-8")
    bench.rows(row("images/a.png"), row("loose/b.png"))
    before = tree(bench.root)
    folders = [bench.root, bench.root / "images", bench.root / "loose"]
    try:
        for folder in folders:
            folder.chmod(0o555)
        assert bench.prepare().code == 0
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert tree(bench.root) == before
