"""Decodes an image for an OCR engine: upright, RGB on white, and no larger than the engine is worth giving."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from vlmhb_models.base import BadImage

if TYPE_CHECKING:
    from PIL.Image import Image


def decode_rgb(data: bytes, *, max_side: int) -> Image:
    """The image turned by its EXIF orientation; scaled down when its longer side exceeds `max_side` pixels.

    Raises `BadImage`."""
    from PIL import Image as pillow
    from PIL import ImageOps, UnidentifiedImageError

    pillow.MAX_IMAGE_PIXELS = None  # the size was checked when the sample was prepared
    try:
        with pillow.open(io.BytesIO(data)) as opened:
            opened.draft("RGB", (max_side, max_side))
            image = _rgb(ImageOps.exif_transpose(opened))
    except UnidentifiedImageError as error:  # its own text names an address in memory
        raise BadImage("the image cannot be decoded: no format that is known here") from error
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises for files it cannot read
        raise BadImage(f"the image cannot be decoded: {error}") from error
    if max(image.size) > max_side:
        image.thumbnail((max_side, max_side), pillow.Resampling.LANCZOS)
    return image


def _rgb(image: Image) -> Image:
    """Transparent parts become white paper, 16-bit grey is scaled: Pillow's own conversion would blacken both."""
    from PIL import Image as pillow

    if image.mode.startswith("I"):
        return image.convert("I").point(lambda value: value * (1 / 257)).convert("L").convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    return pillow.alpha_composite(pillow.new("RGBA", layer.size, "white"), layer).convert("RGB")
