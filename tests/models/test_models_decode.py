"""Images reach an OCR engine upright, RGB and bounded; what is no image is refused as such."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from vlmhb_models.base import BadImage
from vlmhb_models.server.decode import decode_rgb


def encoded(image: Image.Image, *, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    assert decode_rgb(encoded(Image.new(mode, (40, 20)), format="PNG"), max_side=100).mode == "RGB"


@pytest.mark.parametrize(("size", "shown"), [((4000, 1000), (1200, 300)), ((500, 800), (500, 800))])
@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_longer_side_is_bounded_and_never_enlarged(
    format: str, size: tuple[int, int], shown: tuple[int, int]
) -> None:
    assert decode_rgb(encoded(Image.new("RGB", size), format=format), max_side=1200).size == shown


def test_page_photographed_sideways_is_turned() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn by 90 degrees to see it upright
    assert decode_rgb(encoded(Image.new("RGB", (40, 20)), format="JPEG", exif=exif), max_side=100).size == (
        20,
        40,
    )


def test_transparent_page_is_black_on_white() -> None:
    page = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    page.putpixel((1, 1), (0, 0, 0, 255))
    seen = decode_rgb(encoded(page, format="PNG"), max_side=100)
    assert seen.getpixel((0, 0)) == (255, 255, 255)
    assert seen.getpixel((1, 1)) == (0, 0, 0)


def test_grey_of_16_bits_keeps_its_shades() -> None:
    page = Image.new("I;16", (2, 1))
    page.putpixel((0, 0), 65535)
    page.putpixel((1, 0), 128 * 257)
    seen = decode_rgb(encoded(page, format="PNG"), max_side=100)
    assert [seen.getpixel((x, 0)) for x in range(2)] == [(255, 255, 255), (128, 128, 128)]


@pytest.mark.parametrize("data", [b"", b"text", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"])
def test_what_cannot_be_decoded_is_a_bad_image(data: bytes) -> None:
    with pytest.raises(BadImage, match="cannot be decoded"):
        decode_rgb(data, max_side=100)


def test_torn_image_is_a_bad_image() -> None:
    whole = encoded(Image.effect_noise((200, 200), 50), format="JPEG")
    with pytest.raises(BadImage):
        decode_rgb(whole[: len(whole) // 2], max_side=1000)
