"""Images as they are sent: untouched where nothing has to change, smaller where that was asked for."""

from __future__ import annotations

import base64
import hashlib
import io
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from infer_bench import Bench
from PIL import Image
from vlmhb_stages.contracts import ImageRef
from vlmhb_stages.infer.images import BadImage, ImageStore, Size, mime_type, target_size


def put(folder: Path, name: str, image: Image.Image, **options: Any) -> ImageRef:
    image.save(folder / name, **options)
    content = (folder / name).read_bytes()
    return ImageRef(
        path=name, sha256=hashlib.sha256(content).hexdigest(), width=image.width, height=image.height
    )


def store(folder: Path, **options: Any) -> ImageStore:
    return ImageStore(folder, made=folder, **options)


def opened(data_url: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(base64.b64decode(data_url.partition(b",")[2])))
    image.load()
    return image


def stripes(mode: str = "RGB", *, width: int = 400, height: int = 200) -> Image.Image:
    image = Image.new("RGB", (width, height), "white")
    image.paste("black", (0, 0, width // 2, height))
    return image.convert(mode)


@given(
    width=st.integers(1, 20_000),
    height=st.integers(1, 20_000),
    side=st.none() | st.integers(1, 4096),
    scale=st.floats(0.05, 1.0),
)
def test_sizes_keep_the_shape_and_never_grow(width: int, height: int, side: int | None, scale: float) -> None:
    found = target_size(Size(width=width, height=height), max_side=side, scale=scale)
    assert 1 <= found.width <= width and 1 <= found.height <= height
    limit = min(side or max(width, height), max(width, height)) * scale
    assert max(found.width, found.height) <= max(1, limit + 0.5)
    exact = width * min(1.0, (side or 10**9) / max(width, height)) * scale
    assert abs(found.width - max(1.0, exact)) <= 0.5 + 1e-6


@pytest.mark.parametrize("side", [None, 400, 5000])
def test_an_image_that_fits_is_sent_byte_by_byte(tmp_path: Path, side: int | None) -> None:
    image = put(tmp_path, "a.jpg", stripes(), quality=61)
    url = store(tmp_path, max_side=side).data_url(image)
    assert base64.b64decode(url.partition(b",")[2]) == (tmp_path / "a.jpg").read_bytes()


@pytest.mark.parametrize(
    ("name", "mode", "mime", "options"),
    [
        ("a.jpg", "RGB", "image/jpeg", {}),
        ("a.jpg", "L", "image/jpeg", {}),
        ("a.jpg", "CMYK", "image/jpeg", {}),
        ("a.png", "RGB", "image/png", {}),
        ("a.png", "RGBA", "image/png", {}),
        ("a.png", "P", "image/png", {}),
        ("a.png", "1", "image/png", {}),
        ("a.webp", "RGB", "image/png", {"lossless": True}),
        ("a.tiff", "L", "image/png", {}),
        ("a.bmp", "RGB", "image/png", {}),
    ],
)
def test_a_smaller_image_keeps_its_format_and_its_content(
    tmp_path: Path, name: str, mode: str, mime: str, options: dict[str, Any]
) -> None:
    image = put(tmp_path, name, stripes(mode), **options)
    url = store(tmp_path, max_side=100).data_url(image)
    assert url.startswith(f"data:{mime};base64,".encode())
    smaller = opened(url)
    assert smaller.size == (100, 50)
    grey = smaller.convert("RGB").convert("L")
    assert grey.getpixel((10, 25)) < 16 and grey.getpixel((90, 25)) > 239  # type: ignore[operator]


def test_a_photo_with_a_preview_inside_stays_a_jpeg(tmp_path: Path) -> None:
    preview = stripes(width=80, height=40)
    photo = put(tmp_path, "a.jpg", stripes(), format="MPO", save_all=True, append_images=[preview])
    found = opened(store(tmp_path, max_side=200).data_url(photo))
    assert (found.format, found.size) == ("JPEG", (200, 100))


def test_scale_is_of_the_side_and_comes_after_the_limit(tmp_path: Path) -> None:
    image = put(tmp_path, "a.png", stripes())
    assert opened(store(tmp_path).data_url(image, scale=0.5)).size == (200, 100)
    assert opened(store(tmp_path, max_side=100).data_url(image, scale=0.5)).size == (50, 25)


def test_the_same_image_gives_the_same_bytes(tmp_path: Path) -> None:
    image = put(tmp_path, "a.jpg", stripes())
    assert store(tmp_path, max_side=90).data_url(image) == store(tmp_path, max_side=90).data_url(image)


def test_an_image_that_lies_on_its_side_is_sent_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to the right
    image = put(tmp_path, "a.jpg", stripes(), exif=exif)
    smaller = opened(store(tmp_path, max_side=100).data_url(image))
    assert smaller.size == (50, 100)
    assert smaller.getexif().get(0x0112, 1) == 1
    assert smaller.convert("L").getpixel((25, 10)) < 16  # type: ignore[operator]


def test_transparent_palettes_stay_transparent(tmp_path: Path) -> None:
    picture = Image.new("P", (40, 40), 0)
    image = put(tmp_path, "a.png", picture, transparency=0)
    smaller = opened(store(tmp_path, max_side=10).data_url(image))
    assert smaller.mode == "RGBA" and smaller.getpixel((5, 5))[3] == 0  # type: ignore[index]


def test_what_cannot_be_decoded_costs_its_sample_only(bench: Bench) -> None:
    """It can be sent as it is, but not made smaller."""
    image = bench.image("broken.png")
    folder = bench.root / "in/media"
    assert store(folder).data_url(image)
    with pytest.raises(BadImage, match=r"broken\.png: it cannot be made smaller"):
        store(folder, max_side=10).data_url(image)


def test_a_picture_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    picture = Image.new("1", (30_000, 10_000))
    image = put(tmp_path, "bomb.png", picture)
    with pytest.raises(BadImage, match="30000 x 10000 pixels"):
        store(tmp_path, max_side=100).data_url(image)


def test_repeated_images_are_encoded_once_and_few_bytes_are_remembered(tmp_path: Path) -> None:
    images = [put(tmp_path, f"{i}.png", stripes(width=400 + i)) for i in range(4)]
    sizes = [len(store(tmp_path).data_url(image)) for image in images]
    remembering = store(tmp_path, remembered=sum(sizes[1:3]) + 10)
    first = remembering.data_url(images[0])
    (tmp_path / "0.png").unlink()
    assert remembering.data_url(images[0]) is first
    for image in images[1:3]:
        remembering.data_url(image)
    with pytest.raises(BadImage, match=r"0\.png: No such file"):
        remembering.data_url(images[0])
    assert remembering.data_url(images[1]) is remembering.data_url(images[1])


def test_an_image_larger_than_the_memory_for_images_is_sent_all_the_same(tmp_path: Path) -> None:
    image = put(tmp_path, "a.png", stripes())
    small = store(tmp_path, remembered=10)
    assert small.data_url(image) == small.data_url(image)


def test_sizes_of_one_image_are_different_images(tmp_path: Path) -> None:
    image = put(tmp_path, "a.png", stripes())
    remembering = store(tmp_path)
    assert len({remembering.data_url(image, scale=scale) for scale in (1.0, 0.7, 0.5)}) == 3


def test_many_threads_share_one_store(tmp_path: Path) -> None:
    images = [put(tmp_path, f"{i}.png", stripes(width=50 + i, height=40)) for i in range(8)]
    shared, alone = store(tmp_path, max_side=30, remembered=2000), store(tmp_path, max_side=30)
    wrong: list[str] = []

    def work() -> None:
        for _ in range(5):
            wrong.extend(i.path for i in images if shared.data_url(i) != alone.data_url(i))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    ("start", "mime"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBP", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVE", "application/octet-stream"),
        (b"BM", "image/bmp"),
        (b"II*\x00", "image/tiff"),
        (b"MM\x00*", "image/tiff"),
        (b"", "application/octet-stream"),
    ],
)
def test_mime_types(start: bytes, mime: str) -> None:
    assert mime_type(start) == mime


def test_an_image_that_prepare_made_is_read_beside_the_samples(tmp_path: Path) -> None:
    for folder in ("media", "made"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.png").write_bytes(folder.encode())
    found = ImageStore(tmp_path / "media", made=tmp_path / "made")
    for root, content in (("media", b"media"), ("inputs", b"made")):
        sha256 = hashlib.sha256(content).hexdigest()
        image = ImageRef.model_validate(
            {"path": "x.png", "sha256": sha256, "width": 1, "height": 1, "root": root}
        )
        assert base64.b64decode(found.data_url(image).partition(b",")[2]) == content


def test_an_absolute_path_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    with pytest.raises(BadImage, match="outside the media folder"):
        store(tmp_path).data_url(ImageRef(path=str(tmp_path / "x"), sha256="", width=1, height=1))
