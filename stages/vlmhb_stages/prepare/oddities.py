"""Images that models would see differently: finds them, and makes of each the one picture that all agree on.

| oddity | why readers differ | becomes |
|---|---|---|
| `upright` | some apply the EXIF orientation, some do not | turned |
| `rgb` | CMYK, YCbCr, LAB ...: colours are inverted, shifted or refused | RGB, without a colour profile |
| `8 bit` | 16-bit grey is clipped to white by some, scaled by others | scaled to 8 bits |
| `first frame` | an animation or a file of several pages: one frame, all, or refused | its first frame |

What comes from a JPEG stays JPEG (quality 95, full colour resolution); all else becomes PNG, without loss.
"""

from __future__ import annotations

import struct
from io import BytesIO
from typing import BinaryIO

from PIL import Image, ImageOps

# What Pillow's format readers raise on damaged data.
DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    struct.error,
    EOFError,
    OverflowError,
    IndexError,
    KeyError,
    TypeError,
)
UPRIGHT, RGB, EIGHT_BIT, FIRST_FRAME = "upright", "rgb", "8 bit", "first frame"
WHY = {
    UPRIGHT: "turned upright as its EXIF orientation says",
    RGB: "colours turned into RGB",
    EIGHT_BIT: "16-bit grey scaled to 8 bits",
    FIRST_FRAME: "only the first of its frames or pages is used",
}
JPEG_QUALITY = 95
AGREED_MODES = frozenset(("1", "L", "LA", "P", "PA", "RGB", "RGBA"))
# A JPEG with previews inside (MPO) is one picture to everybody.
FRAMED_FORMATS = frozenset(("GIF", "PNG", "TIFF", "WEBP"))
SIXTEEN_BIT = frozenset(("I;16", "I;16B", "I;16L", "I;16N"))
# These have at most 16 bits; older Pillow reads them into 32. In a TIFF they are 32, with no fixed white.
SIXTEEN_BIT_FORMATS = frozenset(("JPEG2000", "PNG", "PPM"))
EXIF_KEYS = ("exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp")
ORIENTATION = 0x0112
TURNED = range(2, 9)
PNG_START, CHUNK_HEAD = 8, struct.Struct(">I4s")


class BadImage(Exception):
    """This image cannot be used; the message ends a sentence that begins with its name."""


def oddities(image: Image.Image) -> tuple[str, ...]:
    """What must be made equal, for an image of which the header has been read. Raises `BadImage`."""
    found = []
    if image.format in FRAMED_FORMATS and _has_frames(image):
        found.append(FIRST_FRAME)
    if _orientation(image) in TURNED:
        found.append(UPRIGHT)
    if image.mode in SIXTEEN_BIT or (image.mode == "I" and image.format in SIXTEEN_BIT_FORMATS):
        found.append(EIGHT_BIT)
    elif image.mode in ("I", "F"):
        raise BadImage("32 bits a pixel, so that nobody knows what is white; save it with 8 bits")
    elif image.mode not in AGREED_MODES:
        found.append(RGB)
    return tuple(found)


def converted(image: Image.Image, *, odd: tuple[str, ...]) -> bytes:
    """The file of the agreed picture; equal images give equal bytes. Raises `BadImage`."""
    kind = "JPEG" if image.format in ("JPEG", "MPO") else "PNG"
    try:
        image.load()
        profile = None if {RGB, EIGHT_BIT} & {*odd} else image.info.get("icc_profile")
        picture = _agreed(image, odd=odd)
        picture.info.clear()  # no orientation, comment or date goes along
        buffer = BytesIO()
        options = {"quality": JPEG_QUALITY, "subsampling": 0} if kind == "JPEG" else {}
        picture.save(buffer, format=kind, icc_profile=profile, **options)
    except DAMAGED as error:
        raise BadImage(f"cannot be turned into a usable image ({error})") from error
    return buffer.getvalue()


def may_have_holes(image: Image.Image) -> bool:
    return image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info


def has_holes(image: Image.Image) -> bool:
    """Whether any pixel is transparent: such parts are black to some models and white to others."""
    try:
        lowest = image.convert("RGBA").getchannel("A").getextrema()[0]
    except DAMAGED as error:
        raise BadImage(f"damaged ({error})") from error
    return isinstance(lowest, int | float) and lowest < 255


def _agreed(image: Image.Image, *, odd: tuple[str, ...]) -> Image.Image:
    picture = ImageOps.exif_transpose(image) if UPRIGHT in odd else image
    if EIGHT_BIT in odd:
        return picture.convert("I").point(lambda value: value * (1 / 257) + 0.5).convert("L")
    if RGB in odd:
        return picture.convert("RGB")
    if may_have_holes(picture):
        return picture.convert("RGBA")
    return picture.convert("RGB") if picture.mode == "P" else picture


def _has_frames(image: Image.Image) -> bool:
    """More than one. They are not counted: for a TIFF of many pages that takes quadratic time."""
    try:
        return bool(getattr(image, "is_animated", False))
    except DAMAGED:  # the check that it is whole says so better
        return False


def _orientation(image: Image.Image) -> int:
    """1 to 8; 1 where nothing, or nothing readable, is said."""
    if (
        image.format == "PNG"
        and not any(key in image.info for key in EXIF_KEYS)
        and not _has_late_exif(image)
    ):
        return 1  # asking Pillow would decode the whole file
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except DAMAGED:
        return 1


def _has_late_exif(image: Image.Image) -> bool:
    """Whether a PNG says its orientation behind the pixels, where reading the header does not see it."""
    stream: BinaryIO | None = getattr(image, "fp", None)
    if stream is None:
        return False
    before, place = stream.tell(), PNG_START
    try:
        while True:
            stream.seek(place)
            head = stream.read(CHUNK_HEAD.size)
            if len(head) < CHUNK_HEAD.size:
                return False
            length, kind = CHUNK_HEAD.unpack(head)
            if kind == b"eXIf":
                return True
            place += CHUNK_HEAD.size + length + 4
    finally:
        stream.seek(before)
