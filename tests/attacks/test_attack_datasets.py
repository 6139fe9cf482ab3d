"""Datasets that somebody else made: images that lie about their size, paths that lead out, archives without end.

Zip and tar files with `..`, links, devices and bombs: tests/stages/prepare/test_prepare_archives.py. Paths and links
of images: test_prepare_images.py. Templates: test_prepare_templates.py."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from prepare_bench import Bench, Prepared

AT_ONCE_S = 10.0
TIFF = [(256, 4, 1, 1), (257, 4, 1, 1), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 0), (278, 4, 1, 1),
        (279, 4, 1, 1)]  # fmt: skip
GIF = b"GIF89a" + struct.pack("<HH", 1, 1) + b"\x80\0\0\0\0\0\xff\xff\xff"
GIF_FRAME = b"\x21\xf9\x04\0\x01\0\0\0\x2c\0\0\0\0\1\0\1\0\0\x02\x02\x44\x01\0"
SIZE = 50_000  # pixels of each side


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((90, 80), 60).save(buffer, kind)
    return buffer.getvalue()


def png(width: int, height: int, *, chunks: bytes = b"", pixels: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + chunks
        + _chunk(b"IDAT", zlib.compress(pixels))
        + _chunk(b"IEND")
    )


def _chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def tiff(*, width: int = 1, height: int = 1, pages: int = 1, loops: bool = False) -> bytes:
    tags = [(256, 4, 1, width), (257, 4, 1, height), *TIFF[2:]]
    length = 2 + 12 * len(tags) + 4
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    following = [8] if loops else [*(8 + length * page for page in range(1, pages)), 0]
    return b"II*\0" + struct.pack("<I", 8) + b"".join(directory + struct.pack("<I", at) for at in following)


def bmp() -> bytes:
    sizes = struct.pack("<IiiHHIIiiII", 40, SIZE, SIZE, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + sizes


BOMB = zlib.compress(bytes(200 << 20))
TOO_LARGE, UNREADABLE, DAMAGED = "pixels, more than", "not a readable image", "damaged"
IMAGES: dict[str, tuple[bytes, str]] = {
    "a declared size.png": (png(SIZE, SIZE), TOO_LARGE),
    "the largest size.png": (png(2**31 - 1, 2**31 - 1), TOO_LARGE),
    "no size.png": (png(0, 0), UNREADABLE),
    "a text that unpacks.png": (png(1, 1, chunks=_chunk(b"zTXt", b"a\0\0" + BOMB), pixels=bytes(4)), ""),
    "a profile that unpacks.png": (png(1, 1, chunks=_chunk(b"iCCP", b"a\0\0" + BOMB), pixels=bytes(4)), ""),
    "cut.png": (encoded("PNG")[:60], DAMAGED),
    "a wrong sum.png": (encoded("PNG")[:-20] + b"x" * 20, DAMAGED),
    "a declared size.gif": (b"GIF89a" + struct.pack("<HH", SIZE, SIZE) + GIF[10:] + GIF_FRAME + b";", TOO_LARGE),
    "a frame larger than all.gif": (
        GIF + b"\x2c\0\0\0\0" + struct.pack("<HH", SIZE, SIZE) + b"\0\x02\x02\x44\x01\0;", TOO_LARGE,
    ),
    "cut.gif": (encoded("GIF")[:900], ""),
    "a declared size.bmp": (bmp(), TOO_LARGE),
    "a declared size.tif": (tiff(width=SIZE, height=SIZE), TOO_LARGE),
    "cut.tif": (encoded("TIFF")[:200], ""),
    "a declared size.ppm": (f"P6 {SIZE} {SIZE} 255\n".encode(), TOO_LARGE),
    "a size of many digits.ppm": (b"P6 " + b"9" * 9999 + b" 1 255\n", UNREADABLE),
    "cut.jpg": (encoded("JPEG")[:700], DAMAGED),
    "only its start.jpg": (encoded("JPEG")[:50], UNREADABLE),
    "a program.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) (r) file\n", UNREADABLE),
    "markup.png": (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", UNREADABLE),
    "a pickle.png": (b"\x80\x04cos\nsystem\n(S'touch pwned'\ntR.", UNREADABLE),
}  # fmt: skip


def rows(bench: Bench, *images: str) -> None:
    bench.rows(*({"id": name, "image": name, "question": "q", "answer": "x"} for name in images))


def prepared(bench: Bench, **spec: Any) -> Prepared:
    started = time.monotonic()
    done = bench.prepare(**spec)
    assert time.monotonic() - started < AT_ONCE_S
    return done


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_that_lies_costs_one_sample(bench: Bench, name: str) -> None:
    data, words = IMAGES[name]
    bench.image("good.png")
    (bench.root / name).write_bytes(data)
    rows(bench, "good.png", name)
    good, bad = prepared(bench).samples
    assert good.error is None
    assert bad.error is not None
    assert bad.error.kind == "bad_image"
    assert words in bad.error.message


@pytest.mark.parametrize(
    ("name", "data", "odd"),
    [
        ("a.gif", GIF + GIF_FRAME * 100_000 + b";", True),
        ("a.tif", tiff(pages=100_000), True),
        ("a.tif", tiff(loops=True), False),
        ("a.png", png(1, 1, pixels=bytes(200 << 20)), False),
    ],
)
def test_frames_without_end_cost_no_time(bench: Bench, name: str, data: bytes, odd: bool) -> None:
    (bench.root / name).write_bytes(data)
    rows(bench, name)
    (sample,) = prepared(bench).samples
    assert sample.error is None
    assert (sample.images[0].made == "first frame") is odd


PDF = b"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
PAGE = b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 %d %d]>>endobj\ntrailer<</Root 1 0 R>>\n"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (PDF + PAGE % (14_400_000, 14_400_000), ""),
        (PDF.replace(b"Kids[3 0 R]", b"Kids[2 0 R]") + PAGE % (10, 10), ""),
        (PDF.replace(b"Count 1", b"Count -1") + PAGE % (0, 0), ""),
        (PDF.replace(b"Count 1", b"Count 999999999") + PAGE % (10, 10), ""),
        (PDF[:60], "not a readable PDF"),
        (b"%PDF-1.7\n" + bytes(range(256)) * 99, "not a readable PDF"),
    ],
)
def test_a_pdf_that_lies(bench: Bench, data: bytes, words: str) -> None:
    (bench.root / "a.pdf").write_bytes(data)
    (bench.root / "a.txt").write_text("truth", encoding="utf-8")
    done = prepared(bench, loader="pages", params={"max_pages": 3}, max_image_pixels=10_000_000)
    told = json.dumps(done.events)
    assert done.code in (0, 2)
    assert words in told
    for sample in done.samples if done.code == 0 else ():
        assert sample.error is not None or all(
            image.width * image.height < 10_000_000 for image in sample.images
        )


@pytest.mark.parametrize(
    ("loader", "params"),
    [
        ("jsonl", {"file": "../outside.jsonl"}),
        ("jsonl", {"file": "a/../../outside.jsonl"}),
        ("jsonl", {"file": "..\\outside.jsonl"}),
        ("annotation", {"file": "/etc/passwd"}),
        ("tsv", {"file": "../outside.jsonl"}),
        ("parquet", {"file": ["ok.parquet", "../*.parquet"]}),
        ("parquet", {"split": "../.."}),
        ("pages", {"docs": "/etc"}),
        ("pages", {"truth": ".."}),
        ("kleister", {"split": "../../etc"}),
        ("coco_text", {"images": "/etc"}),
        ("entity_lines", {"layout": "poie", "file": "../outside.jsonl"}),
        ("pubtabnet", {"file": "/etc/passwd"}),
        ("jsonl", {"file": "a\0b"}),
    ],
)
def test_a_card_reads_nothing_beside_the_dataset(bench: Bench, loader: str, params: dict[str, Any]) -> None:
    line = {"id": "a", "question": "q", "answer": "OUTSIDE"}
    (bench.root.parent / "outside.jsonl").write_text(json.dumps(line), encoding="utf-8")
    bench.rows({"id": "b", "question": "q", "answer": "x"})
    done = prepared(bench, loader=loader, params=params)
    assert (done.code, done.fatal["code"]) == (2, "VHB205")
    assert "leads out of the dataset" in done.fatal["message"]
    assert not any(b"OUTSIDE" in path.read_bytes() for path in done.out.rglob("*") if path.is_file())


def test_a_million_members(bench: Bench) -> None:
    """Compressed they are two megabytes; the limit counts them while they come."""
    members = b"".join(tarfile.TarInfo(f"x{n}").tobuf(tarfile.GNU_FORMAT) for n in range(1000))
    path = bench.root / "d.tar.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(1000):
            file.write(members)
    done = prepared(bench, dataset=bench.root, archive="d.tar.gz", loader="auto", unpack={"max_files": 100})
    assert (done.code, done.fatal["code"]) == (2, "VHB205")
    assert "x100: more than 100 files" in done.fatal["message"]


NAMES = (
    "..",
    "a/../../b",
    "a\0b",
    "a\nb",
    "x" * 4096,
    "con",
    "nul",
    ".git",
    "-rf",
    "\u202egnp.exe",
    "\x1b[2J",
    "'; DROP",
)


def test_names_of_samples_are_only_texts(bench: Bench) -> None:
    """No file is called after them, so each keeps its own, byte for byte."""
    bench.rows(*({"id": name, "question": "q", "answer": f"x {name}"} for name in NAMES))
    done = prepared(bench)
    assert tuple(sample.sample_id for sample in done.samples) == NAMES
    assert [label.references for label in done.labels] == [(f"x {name}",) for name in NAMES]
    assert {path.name for path in done.out.rglob("*")} <= {
        "inputs", "labels", "media", "samples.jsonl", "labels.jsonl", "prompts.jsonl", "media.json", "events.jsonl",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"id": "b", "question": "q", "answer": "\\ud800"}', "half of a surrogate pair"),
        ('{"id": "b", "question": ' + "[" * 90_000 + "}", "JSON"),
        ('{"id": "b", "question": "q", "answer": ' + "9" * 5000 + "}", "JSON"),
        ('{"id": "b", "question": "q", "answer": {"a": 1e9999}}', ""),
        ('{"id": "b", "question": "q", "answer": NaN}', ""),
        ("\x1b[2J not JSON", "JSON"),
    ],
)
def test_a_line_that_is_none_costs_itself_or_is_told(bench: Bench, line: str, words: str) -> None:
    bench.rows({"id": "a", "question": "q", "answer": "x"})
    with (bench.root / "samples.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    done = prepared(bench)
    assert done.code in (0, 2)
    assert words in (done.fatal["message"] if done.code else (done.out / "inputs/samples.jsonl").read_text())
    if done.code == 0:
        assert done.samples[0].sample_id == "a"
        assert len(done.samples) == len(done.labels) == 2
