"""Draws invented receipts: four lines of text on 128 x 128 grey pixels, and what stands in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from random import Random
from string import ascii_uppercase

import numpy
from PIL import Image, ImageDraw, ImageFont

SIDE = 128  # pixels
LINE_HEIGHT = 32
FONTS = ("DejaVuSansMono.ttf", "LiberationMono-Regular.ttf", "PTM55F.ttf")
FONT_SIZES = (24, 25, 26)
FIELDS = ("company", "date", "number", "total")
MARKS = {"company": "", "date": "", "number": "N", "total": "="}  # printed before the value
NOISE = 10  # grey levels, either way


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """One document: its picture and its values by field name."""

    image: Image.Image
    fields: dict[str, str]


def receipts(rng: Random) -> Iterator[Receipt]:
    """Ever more receipts; equal `rng` gives equal ones (pixels: with equal fonts and Pillow)."""
    while True:
        yield receipt(rng)


def receipt(rng: Random) -> Receipt:
    fields = _values(rng)
    return Receipt(image=_draw(fields, rng=rng), fields=fields)


def question(field: str) -> str:
    return f"{field}?"


def printed(field: str, value: str) -> str:
    """The line as it stands on the receipt."""
    return MARKS[field] + value


def _values(rng: Random) -> dict[str, str]:
    return {
        "company": "".join(rng.choice(ascii_uppercase) for _ in range(rng.randint(4, 8))),
        "date": f"{rng.randint(1, 28):02d}.{rng.randint(1, 12):02d}.{rng.randint(10, 29):02d}",
        "number": str(rng.randint(0, 9_999_999)),
        "total": f"{rng.randint(0, 9999)}.{rng.randint(0, 99):02d}",
    }


def _draw(fields: dict[str, str], *, rng: Random) -> Image.Image:
    image = Image.new("L", (SIDE, SIDE), rng.randint(200, 255))
    pen = ImageDraw.Draw(image)
    font, ink = _font(rng.choice(FONTS), rng.choice(FONT_SIZES)), rng.randint(0, 90)
    left, top = rng.randint(0, 4), rng.randint(0, 5)
    for row, (field, value) in enumerate(fields.items()):
        pen.text((left, LINE_HEIGHT * row + top), printed(field, value), font=font, fill=ink)
    return _grainy(image, rng=rng)


def _grainy(image: Image.Image, *, rng: Random) -> Image.Image:
    """Each pixel moves by up to `NOISE` grey levels. Python's bytes, not NumPy's: theirs may change."""
    grain = numpy.frombuffer(rng.randbytes(SIDE * SIDE), dtype=numpy.uint8).reshape(SIDE, SIDE)
    moved = numpy.asarray(image, dtype=numpy.int16) + grain.astype(numpy.int16) * (2 * NOISE) // 255 - NOISE
    return Image.fromarray(moved.clip(0, 255).astype(numpy.uint8))


@cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(name, size)
