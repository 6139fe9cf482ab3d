"""Images that models would see differently are made equal, told in numbers, and all others keep their bytes."""

from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from vlmhb_stages.contracts import ImageRef
from vlmhb_stages.prepare.images import read_bytes
from vlmhb_stages.prepare.oddities import oddities

if TYPE_CHECKING:
    from conftest import Bench, Prepared


def row(image: str) -> dict[str, str]:
    return {"id": image, "image": image, "question": "q", "answer": "x"}


def arrow() -> Image.Image:
    """Its corner tells which way is up."""
    image = Image.new("RGB", (40, 30), "white")
    image.paste((255, 0, 0), (0, 0, 10, 10))
    return image


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x010E] = "a comment"
    return tags


def opened(done: Prepared, image: ImageRef, *, media: Path | None = None) -> Image.Image:
    folder = done.out / "inputs/media" if image.root == "inputs" or media is None else media
    data = (folder / image.path).read_bytes()
    assert hashlib.sha256(data).hexdigest() == image.sha256
    found = Image.open(BytesIO(data))
    assert found.size == (image.width, image.height)
    return found


@pytest.mark.parametrize("end", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", [2, 3, 6, 8])
def test_an_exif_orientation_is_carried_out(bench: Bench, end: str, orientation: int) -> None:
    plain = bench.image("images/a.png")
    upright = arrow()
    turned = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        6: Image.Transpose.ROTATE_90,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(turned[orientation])
    stored.save(bench.root / f"images/b.{end}", exif=exif(orientation), quality=95)
    bench.rows(row("images/a.png"), row(f"images/b.{end}"))
    done = bench.prepare()
    kept, made = (sample.images[0] for sample in done.samples)
    assert (kept.path, kept.root, kept.made) == ("a.png", "media", None)
    assert kept.sha256 == hashlib.sha256(plain.read_bytes()).hexdigest()
    assert (made.root, made.made) == ("inputs", "upright")
    assert (made.width, made.height) == (40, 30)
    picture = opened(done, made)
    assert picture.format == ("JPEG" if end == "jpg" else "PNG")
    assert not picture.getexif()
    red, green, _ = picture.convert("RGB").getpixel((3, 3))
    assert red > 200 and green < 60
    assert done.warnings == [
        f"converted 1 image: turned upright as its EXIF orientation says; first: images/b.{end}"
    ]
    assert done.media == {"mode": "mount", "root": "images"}


def test_an_orientation_behind_the_pixels_of_a_png_counts(bench: Bench) -> None:
    buffer = BytesIO()
    arrow().save(buffer, format="PNG", exif=exif(3))
    data = buffer.getvalue()
    place = data.index(b"eXIf") - 4
    size = int.from_bytes(data[place : place + 4], "big") + 12
    late = data[:place] + data[place + size : -12] + data[place : place + size] + data[-12:]
    (bench.root / "images").mkdir()
    (bench.root / "images/a.png").write_bytes(late)
    bench.rows(row("images/a.png"))
    assert bench.prepare().samples[0].images[0].made == "upright"


def test_orientation_1_and_a_torn_exif_change_nothing(bench: Bench) -> None:
    (bench.root / "images").mkdir()
    arrow().save(bench.root / "images/a.jpg", exif=exif(1))
    arrow().save(bench.root / "images/b.jpg", exif=b"Exif\0\0MM\0*\0\0")
    bench.rows(row("images/a.jpg"), row("images/b.jpg"))
    done = bench.prepare()
    assert [sample.images[0].made for sample in done.samples] == [None, None]
    assert done.warnings == []


def test_cmyk_becomes_rgb_of_the_same_colours(bench: Bench) -> None:
    (bench.root / "images").mkdir()
    arrow().convert("CMYK").save(bench.root / "images/a.jpg", quality=95, icc_profile=b"of another space")
    arrow().convert("CMYK").save(bench.root / "images/a.tif")
    arrow().convert("YCbCr").save(bench.root / "images/b.tif")
    bench.rows(row("images/a.jpg"), row("images/a.tif"), row("images/b.tif"))
    done = bench.prepare()
    for sample, kind in zip(done.samples, ("JPEG", "PNG", "PNG"), strict=True):
        picture = opened(done, sample.images[0])
        assert (sample.images[0].made, picture.mode, picture.format) == ("rgb", "RGB", kind)
        assert "icc_profile" not in picture.info
        red, green, _ = picture.getpixel((3, 3))
        assert red > 240 and green < 20
    assert done.warnings == ["converted 3 images: colours turned into RGB; first: images/a.jpg"]


def test_sixteen_bit_grey_is_scaled_and_sixteen_bit_colour_is_agreed_on(bench: Bench) -> None:
    (bench.root / "images").mkdir()
    deep = Image.new("I;16", (4, 1))
    for x, value in enumerate((0, 257 * 100, 257 * 100 + 200, 65535)):
        deep.putpixel((x, 0), value)
    for name in ("a.png", "a.tif"):
        deep.save(bench.root / "images" / name)
    bench.rows(row("images/a.png"), row("images/a.tif"))
    done = bench.prepare()
    for sample in done.samples:
        picture = opened(done, sample.images[0])
        assert (sample.images[0].made, picture.mode) == ("8 bit", "L")
        assert [picture.getpixel((x, 0)) for x in range(4)] == [0, 100, 101, 255]


@pytest.mark.parametrize("mode", ["F", "I"])
def test_32_bits_a_pixel_are_refused(bench: Bench, mode: str) -> None:
    bench.image("images/a.png")
    Image.new(mode, (4, 4)).save(bench.root / "images/b.tif")
    bench.rows(row("images/a.png"), row("images/b.tif"))
    error = bench.prepare().samples[1].error
    assert error is not None
    assert "32 bits a pixel" in error.message


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.gif", {"duration": 40}), ("a.tif", {}), ("a.png", {}), ("a.webp", {"lossless": True})],
)
def test_the_first_of_several_frames_is_used(bench: Bench, name: str, options: dict[str, Any]) -> None:
    (bench.root / "images").mkdir()
    frames = [arrow(), Image.new("RGB", (40, 30), "blue")]
    frames[0].save(bench.root / "images" / name, save_all=True, append_images=frames[1:], **options)
    bench.rows(row(f"images/{name}"))
    done = bench.prepare()
    (image,) = done.samples[0].images
    picture = opened(done, image)
    assert (image.made, picture.format, getattr(picture, "n_frames", 1)) == ("first frame", "PNG", 1)
    assert picture.convert("RGB").getpixel((3, 3))[0] > 200
    assert done.warnings == [
        f"converted 1 image: only the first of its frames or pages is used; first: images/{name}"
    ]


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.gif", "P"),
        ("a.png", "1"),
        ("a.png", "P"),
        ("a.png", "RGBA"),
        ("a.png", "LA"),
        ("a.tif", "RGB"),
        ("a.bmp", "RGB"),
        ("a.webp", "RGB"),
        ("a.jpg", "L"),
    ],
)
def test_what_all_agree_on_keeps_its_bytes(bench: Bench, name: str, mode: str) -> None:
    (bench.root / "images").mkdir()
    arrow().convert(mode).save(bench.root / "images" / name)
    bench.rows(row(f"images/{name}"))
    done = bench.prepare()
    (image,) = done.samples[0].images
    assert (image.path, image.root, image.made) == (name, "media", None)
    assert done.warnings == []


def test_a_photo_with_a_preview_inside_is_one_picture(bench: Bench) -> None:
    (bench.root / "images").mkdir()
    preview = Image.new("RGB", (4, 3), "blue")
    arrow().save(bench.root / "images/a.jpg", format="MPO", save_all=True, append_images=[preview])
    bench.rows(row("images/a.jpg"))
    (image,) = bench.prepare().samples[0].images
    assert (image.path, image.made, image.width) == ("a.jpg", None, 40)


def test_transparent_parts_are_told_and_kept(bench: Bench) -> None:
    (bench.root / "images").mkdir()
    holes = Image.new("RGBA", (10, 10), (0, 0, 0, 0))
    holes.save(bench.root / "images/a.png")
    Image.new("RGBA", (10, 10), (1, 1, 1, 255)).save(bench.root / "images/b.png")
    bench.rows(row("images/a.png"), row("images/b.png"))
    done = bench.prepare()
    assert [sample.images[0].made for sample in done.samples] == [None, None]
    (warning,) = done.warnings
    assert warning.startswith("1 image with transparent parts, sent as they are")


def test_several_oddities_at_once_and_equal_bytes_each_time(bench: Bench) -> None:
    (bench.root / "images").mkdir()
    arrow().convert("CMYK").save(bench.root / "images/a.jpg", exif=exif(6))
    bench.rows(row("images/a.jpg"))
    first, again = (bench.prepare().samples[0].images[0] for _ in range(2))
    assert first.made == "upright, rgb"
    assert first == again
    assert first.sha256 != hashlib.sha256((bench.root / "images/a.jpg").read_bytes()).hexdigest()


def test_a_made_image_is_a_plain_one(bench: Bench) -> None:
    (bench.root / "images").mkdir()
    arrow().save(bench.root / "images/a.jpg", exif=exif(6))
    bench.rows(row("images/a.jpg"))
    done = bench.prepare()
    data = (done.out / "inputs/media" / done.samples[0].images[0].path).read_bytes()
    assert oddities(Image.open(BytesIO(data))) == ()
    assert read_bytes(data, max_pixels=2000).oddities == ()


def test_images_beside_labels_are_copied_and_the_made_one_lies_with_them(bench: Bench) -> None:
    bench.image("a.png")
    arrow().save(bench.root / "b.jpg", exif=exif(6))
    bench.rows(row("a.png"), row("b.jpg"))
    done = bench.prepare()
    assert done.media == {"mode": "copy"}
    for sample in done.samples:
        assert sample.images[0].root == "media"
        opened(done, sample.images[0])


def test_huge_and_long_images(bench: Bench) -> None:
    (bench.root / "images").mkdir()
    Image.new("1", (20_000, 20_000)).save(bench.root / "images/huge.png")
    Image.new("1", (20_000, 8)).save(bench.root / "images/long.png")
    bench.rows(row("images/huge.png"), row("images/long.png"))
    huge, long = bench.prepare().samples
    assert huge.error is not None and huge.error.kind == "bad_image"
    assert huge.error.message == (
        "samples.jsonl, row 1: images/huge.png: 20000x20000 pixels, more than 200000000 allowed"
    )
    assert (long.error, long.images[0].width) == (None, 20_000)
