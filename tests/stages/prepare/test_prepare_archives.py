"""Datasets in archives: unpacked beside nothing that stays, and nothing hostile gets out or grows."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

if TYPE_CHECKING:
    from conftest import Bench, Prepared

Files = dict[str, bytes]


def picture(shade: int = 200) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (40, 30), shade).save(buffer, format="PNG")
    return buffer.getvalue()


def dataset(*, top: str = "", image: str = "images/a.png") -> Files:
    line = json.dumps({"id": "a", "image": image, "question": "q", "answer": "canary"}, ensure_ascii=False)
    return {f"{top}samples.jsonl": line.encode() + b"\n", f"{top}{image}": picture()}


def write_zip(path: Path, files: Files) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def write_tar(
    path: Path, files: Files, *, entries: tuple[tarfile.TarInfo, ...] = (), mode: str = "w"
) -> None:
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for entry in entries:
            archive.addfile(entry)


def entry(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def prepare(bench: Bench, path: Path, **spec: Any) -> Prepared:
    done = bench.prepare(dataset=path.parent, archive=path.name, **{"loader": "auto", **spec})
    assert not (done.out / ".unpacked").exists()
    return done


def refused(bench: Bench, path: Path, **spec: Any) -> str:
    done = prepare(bench, path, **spec)
    assert (done.code, done.fatal["code"]) == (2, "VHB205")
    assert not (done.out / "inputs").exists()
    message: str = done.fatal["message"]
    return message


@pytest.mark.parametrize("end", ["zip", "tar", "tar.gz", "tgz", "tar.bz2", "tar.xz"])
@pytest.mark.parametrize("top", ["", "my data/"])
def test_every_kind_with_and_without_a_folder_around_it(bench: Bench, end: str, top: str) -> None:
    path = bench.root / f"Data.{end}"
    files = dataset(top=top) | {f"__MACOSX/{top}._a.png": b"junk", f"{top}.DS_Store": b"junk"}
    if end == "zip":
        write_zip(path, files)
    else:
        write_tar(path, files, mode={"tar": "w", "tgz": "w:gz"}.get(end, f"w:{end[4:]}"))
    done = prepare(bench, path)
    assert done.code == 0
    (image,) = done.samples[0].images
    assert done.media == {"mode": "copy"}
    assert (done.out / "inputs/media" / image.path).read_bytes() == picture()
    assert image.sha256 == hashlib.sha256(picture()).hexdigest()
    assert done.labels[0].references == ("canary",)
    stored = [file for file in done.out.rglob("*") if file.is_file() and b"canary" in file.read_bytes()]
    assert [file.name for file in stored] == ["labels.jsonl"]


def test_the_loader_of_a_card_needs_no_guess(bench: Bench) -> None:
    files = dataset(top="x/")
    files["x/mine.jsonl"] = files.pop("x/samples.jsonl")
    write_zip(bench.root / "d.zip", files)
    done = prepare(bench, bench.root / "d.zip", loader="jsonl", params={"file": "mine.jsonl"})
    assert done.samples[0].error is None


def test_what_nobody_knows_is_told(bench: Bench) -> None:
    write_zip(bench.root / "d.zip", {"notes.docx": b"x", "b/c.docx": b"x"})
    done = prepare(bench, bench.root / "d.zip")
    assert done.code == 2
    assert "there is: b, notes.docx" in done.fatal["hint"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../evil.txt", "a path with .."),
        ("images/../../evil.txt", "a path with .."),
        ("..\\evil.txt", "a path with .."),
        ("/etc/evil.txt", "an absolute path"),
        ("C:\\evil.txt", "an absolute path"),
        ("\\\\host\\evil.txt", "an absolute path"),
    ],
)
@pytest.mark.parametrize("end", ["zip", "tar"])
def test_paths_that_lead_out_are_refused(bench: Bench, end: str, name: str, why: str) -> None:
    path = bench.root / f"d.{end}"
    write = write_zip if end == "zip" else write_tar
    write(path, dataset() | {name: b"evil"})
    assert refused(bench, path) == f"{name}: {why}, in d.{end}"
    assert not list(bench.root.parent.rglob("evil.txt"))


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ((entry("x", tarfile.SYMTYPE, "/etc"),), "x: a link that leads out of the archive"),
        ((entry("images/x", tarfile.SYMTYPE, "../../.."),), "images/x: a link that leads out of the archive"),
        ((entry("x", tarfile.LNKTYPE, "/etc/passwd"),), "/etc/passwd: an absolute path"),
        ((entry("x", tarfile.LNKTYPE, "../../samples"),), "../../samples: a path with .."),
        (
            (entry("x", tarfile.SYMTYPE, "images"), entry("x/y", tarfile.SYMTYPE, "a.png")),
            "x/y: lies below a link",
        ),
        (
            (entry("b", tarfile.SYMTYPE, "."), entry("a", tarfile.SYMTYPE, "b/..")),
            "a: a link that leads out of the archive",
        ),
        ((entry("x", tarfile.CHRTYPE),), "x: a device or a pipe"),
        ((entry("x", tarfile.BLKTYPE),), "x: a device or a pipe"),
        ((entry("x", tarfile.FIFOTYPE),), "x: a device or a pipe"),
        ((entry("samples.jsonl/x", tarfile.DIRTYPE),), "samples.jsonl/x: one of its folders is also a file"),
        ((entry("samples.jsonl", tarfile.REGTYPE),), "samples.jsonl: stands twice"),
        ((entry("x", tarfile.LNKTYPE, "absent"),), "x: No such file or directory"),
    ],
)
def test_links_and_devices(bench: Bench, entries: tuple[tarfile.TarInfo, ...], why: str) -> None:
    path = bench.root / "d.tar"
    write_tar(path, dataset(), entries=entries)
    assert refused(bench, path) == f"{why}, in d.tar"


def test_links_inside_are_followed(bench: Bench) -> None:
    lines = [{"id": name, "image": f"images/{name}", "question": "q", "answer": "x"} for name in "bcd"]
    files = {"samples.jsonl": "\n".join(map(json.dumps, lines)).encode(), "images/a.png": picture()}
    links = (
        entry("images/b", tarfile.SYMTYPE, "a.png"),
        entry("images/c", tarfile.LNKTYPE, "images/a.png"),
        entry("images/d", tarfile.SYMTYPE, "d"),
    )
    write_tar(bench.root / "d.tar", files, entries=links)
    done = prepare(bench, bench.root / "d.tar")
    assert [sample.error and sample.error.kind for sample in done.samples] == [None, None, "bad_image"]


def zip_with_link(path: Path, target: str) -> None:
    write_zip(path, dataset())
    info = zipfile.ZipInfo("images/link.png")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, target)


def test_links_in_a_zip(bench: Bench) -> None:
    zip_with_link(bench.root / "good.zip", "a.png")
    assert prepare(bench, bench.root / "good.zip").code == 0
    zip_with_link(bench.root / "bad.zip", "/etc/passwd")
    assert "images/link.png: a link that leads out" in refused(bench, bench.root / "bad.zip")


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        ({"max_files": 1}, "images/a.png: more than 1 files"),
        ({"max_gib": 50 / 2**30}, "samples.jsonl: more than"),
    ],
)
def test_limits_name_the_member(bench: Bench, limits: dict[str, Any], why: str) -> None:
    write_zip(bench.root / "d.zip", dataset())
    done = prepare(bench, bench.root / "d.zip", unpack=limits)
    assert why in done.fatal["message"]
    assert done.fatal["hint"].startswith("if you trust it, raise unpack.max_")


def test_a_bomb_is_stopped_long_before_its_end(bench: Bench) -> None:
    path = bench.root / "d.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("bomb", "w") as member:
        for _ in range(300):
            member.write(bytes(1 << 20))
    assert refused(bench, path) == ("bomb: unpacks to more than 200 times the size of the archive, in d.zip")


def cut(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


def flip(data: bytes) -> bytes:
    place = data.index(picture()[-30:]) + 5
    return data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :]


@pytest.mark.parametrize("end", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
@pytest.mark.parametrize("harm", [cut, lambda _: b"not an archive", lambda _: b""])
def test_a_torn_archive_is_never_a_shorter_dataset(
    bench: Bench, end: str, harm: Callable[[bytes], bytes]
) -> None:
    path = bench.root / f"d.{end}"
    noise = {f"images/{n}.bin": hashlib.sha256(bytes([n])).digest() * 400 for n in range(9)}
    if end == "zip":
        write_zip(path, dataset() | noise)
    else:
        write_tar(path, dataset() | noise, mode="w" if end == "tar" else f"w:{end[4:]}")
    path.write_bytes(harm(path.read_bytes()))
    assert "the archive is damaged or cut off" in refused(bench, path)


def test_a_tar_cut_between_two_members_is_seen(bench: Bench) -> None:
    path = bench.root / "d.tar"
    write_tar(path, dataset() | {"images/b.png": picture(1)})
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"images/b.png")])
    assert "it has no end mark" in refused(bench, path)


def test_a_wrong_checksum_names_the_member(bench: Bench) -> None:
    path = bench.root / "d.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in dataset().items():
            archive.writestr(name, data)
    path.write_bytes(flip(path.read_bytes()))
    assert "images/a.png" in refused(bench, path)


def test_a_forged_header_is_not_read_into_memory(bench: Bench) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 1 << 40
    with (bench.root / "d.tar").open("wb") as file:
        file.write(header.tobuf(tarfile.GNU_FORMAT) + bytes(10_240))
    assert "a header of 1099511627776 bytes" in refused(bench, bench.root / "d.tar")


def test_a_zip_whose_directory_lies_is_damaged(bench: Bench) -> None:
    path = bench.root / "d.zip"
    write_zip(path, dataset())
    data = path.read_bytes()
    path.write_bytes(data.replace(b"samples.jsonl", b"samples.jsonX", 1))
    assert "the archive is damaged or cut off" in refused(bench, path)


def test_an_encrypted_zip(bench: Bench) -> None:
    path = bench.root / "d.zip"
    write_zip(path, dataset())
    data = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + offset] |= 1
    path.write_bytes(bytes(data))
    assert "samples.jsonl: encrypted" in refused(bench, path)


def raw_zip(path: Path, files: dict[bytes, bytes]) -> None:
    """Names are written as they are, without the flag of Unicode: what Windows does."""
    body, directory = b"", b""
    for name, data in files.items():
        common = struct.pack(
            "<HHHHHIIIHH", 20, 0, 0, 0, 33, zlib.crc32(data), len(data), len(data), len(name), 0
        )
        directory += (
            b"PK\x01\x02" + struct.pack("<H", 20) + common + struct.pack("<HHHII", 0, 0, 0, 0, len(body))
        )
        directory += name
        body += b"PK\x03\x04" + common + name + data
    end = struct.pack("<HHHHIIH", 0, 0, len(files), len(files), len(directory), len(body), 0)
    path.write_bytes(body + directory + b"PK\x05\x06" + end)


@pytest.mark.parametrize(
    ("image", "encoding"),
    [
        ("картинки/Счёт 1.png", "cp866"),
        ("картинки/Счёт 1.png", "utf-8"),
        ("Ноябрь/Scan-Акт.png", "cp866"),
        ("images/café.png", "cp437"),
        ("images/Übung.png", "cp437"),
    ],
)
def test_names_of_old_zips(bench: Bench, image: str, encoding: str) -> None:
    path = bench.root / "d.zip"
    raw_zip(path, {name.encode(encoding): data for name, data in dataset(image=image).items()})
    done = prepare(bench, path)
    assert done.samples[0].error is None


def test_names_of_a_modern_zip_and_of_an_old_tar(bench: Bench) -> None:
    files = dataset(image="картинки/Счёт 1.png")
    write_zip(bench.root / "d.zip", files)
    assert prepare(bench, bench.root / "d.zip").samples[0].error is None
    with tarfile.open(bench.root / "d.tar", "w", format=tarfile.GNU_FORMAT, encoding="cp866") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    assert prepare(bench, bench.root / "d.tar").samples[0].error is None


def test_the_leftovers_of_a_killed_attempt_go(bench: Bench, tmp_path: Path) -> None:
    write_zip(bench.root / "d.zip", dataset())
    out = tmp_path / "again"
    (out / ".unpacked/images").mkdir(parents=True)
    (out / ".unpacked/samples.jsonl").write_text("torn", encoding="utf-8")
    done = prepare(bench, bench.root / "d.zip", out=out)
    assert (done.code, len(done.samples)) == (0, 1)


def test_compression_is_told_by_the_first_bytes(bench: Bench) -> None:
    write_tar(bench.root / "plain.tar", dataset())
    data = (bench.root / "plain.tar").read_bytes()
    for packed in (gzip.compress(data), bz2.compress(data), lzma.compress(data), data):
        (bench.root / "d.tar.gz").write_bytes(packed)
        assert prepare(bench, bench.root / "d.tar.gz").code == 0
