"""Pages of PDFs are rendered, identical images are kept once, and a PDF that cannot be read costs its samples only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pdf_file import pdf
from PIL import Image
from vlmhb_benchmarks.loaders import LOADERS
from vlmhb_benchmarks.loaders.base import ImageBytes, ImageFile, PdfBytes, PdfPage, RawImage, RawSample

if TYPE_CHECKING:
    from conftest import Bench, Prepared


@pytest.fixture
def given(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A loader that yields what a test wants."""
    bench.images: list[RawImage] = []

    def load(root: Path, params: Mapping[str, Any]) -> Iterator[RawSample]:
        for number, image in enumerate(bench.images, start=1):
            yield RawSample(
                sample_id=str(number), question="q", references=("x",), file="d", row=number, images=(image,)
            )

    monkeypatch.setitem(LOADERS, "given", load)
    return bench


def prepare(bench: Bench, *images: RawImage, **spec: Any) -> Prepared:
    bench.images[:] = images
    done = bench.prepare(loader="given", **spec)
    assert done.code == 0, done.fatal
    return done


def png(shade: int = 200) -> bytes:
    buffer = BytesIO()
    Image.new("L", (40, 30), shade).save(buffer, format="PNG")
    return buffer.getvalue()


def files(done: Prepared) -> list[Path]:
    return [path for path in (done.out / "inputs/media").rglob("*") if path.is_file()]


@pytest.mark.parametrize("held", ["file", "bytes"])
def test_a_page_is_rendered_at_its_resolution(given: Bench, held: str) -> None:
    data = pdf(3)
    (given.root / "a.pdf").write_bytes(data)

    def page(number: int, *, dpi: int) -> RawImage:
        if held == "file":
            return PdfPage(path="a.pdf", page=number, dpi=dpi)
        return PdfBytes(data=data, page=number, dpi=dpi)

    done = prepare(given, page(0, dpi=144), page(2, dpi=72), page(2, dpi=72))
    assert done.media == {"mode": "copy"}
    images = [sample.images[0] for sample in done.samples]
    assert [(image.width, image.height, image.made) for image in images] == [
        (144, 72, "pdf page 1"),
        (72, 36, "pdf page 3"),
        (72, 36, "pdf page 3"),
    ]
    assert images[1] == images[2]
    assert len(files(done)) == 2
    for image, colour in zip(images, [(255, 0, 0), (0, 0, 255)], strict=False):
        content = (done.out / "inputs/media" / image.path).read_bytes()
        assert hashlib.sha256(content).hexdigest() == image.sha256
        picture = Image.open(BytesIO(content))
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (image.width, image.height))
        assert picture.getpixel((3, image.height - 4)) == colour
        assert picture.getpixel((image.width - 1, 0)) == (255, 255, 255)
    assert prepare(given, page(0, dpi=144)).samples[0].images[0] == images[0]
    assert done.warnings == []


FORM = b"""%%PDF-1.7
1 0 obj <</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[5 0 R]/DA(/Helv 12 Tf 0 g)/DR<</Font<</Helv 6 0 R>>>>
/NeedAppearances true>>>> endobj
2 0 obj <</Type/Pages/Kids[3 0 R]/Count 1>> endobj
3 0 obj <</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]/Annots[5 0 R]>> endobj
5 0 obj <</Type/Annot/Subtype/Widget/FT/Tx/T(a)/V(%s)/Rect[10 10 190 40]/DA(/Helv 18 Tf 0 g)/P 3 0 R/F 4>> endobj
6 0 obj <</Type/Font/Subtype/Type1/BaseFont/Helvetica>> endobj
trailer <</Root 1 0 R>>
"""


def test_filled_form_fields_are_seen(given: Bench) -> None:
    done = prepare(given, *(PdfBytes(data=FORM % value, page=0, dpi=72) for value in (b"", b"FILLED")))
    dark = []
    for sample in done.samples:
        picture = Image.open(done.out / "inputs/media" / sample.images[0].path).convert("L")
        dark.append(sum(value < 100 for value in picture.tobytes()))
    assert dark[0] == 0 < dark[1]


@pytest.mark.parametrize(
    ("name", "page", "why"),
    [
        ("a.pdf", 1, "a.pdf: no page 2, the document has 1"),
        ("a.pdf", -1, "a.pdf: no page 0, the document has 1"),
        ("locked.pdf", 0, "locked.pdf: the PDF is encrypted and needs a password"),
        ("torn.pdf", 0, "torn.pdf: not a readable PDF"),
        ("empty.pdf", 0, "empty.pdf: not a readable PDF"),
        ("gone.pdf", 0, "gone.pdf: no such file"),
        ("vast.pdf", 0, "vast.pdf: page 1 has 20000x20000 pixels, more than 200000000 allowed"),
    ],
)
def test_what_cannot_be_rendered_costs_one_sample(given: Bench, name: str, page: int, why: str) -> None:
    made = {
        "a.pdf": pdf(),
        "locked.pdf": pdf(locked=True),
        "torn.pdf": b"%PDF-1.4\nnothing else",
        "empty.pdf": b"",
        "vast.pdf": pdf(size=(10_000, 10_000)),
    }
    for file, data in made.items():
        (given.root / file).write_bytes(data)
    done = prepare(given, ImageBytes(data=png()), PdfPage(path=name, page=page))
    good, bad = done.samples
    assert good.error is None
    assert bad.error is not None
    assert (bad.error.kind, bad.error.message) == ("bad_image", f"d, row 2: {why}")


def test_a_pdf_out_of_the_dataset_is_fatal(given: Bench) -> None:
    (given.root.parent / "secret.pdf").write_bytes(pdf())
    given.images[:] = [PdfPage(path="../secret.pdf", page=0)]
    done = given.prepare(loader="given")
    assert done.code == 2
    assert "leads out of the dataset" in done.fatal["message"]


def test_images_as_bytes_are_written_once_beside_those_that_are_mounted(given: Bench) -> None:
    given.image("images/a.png", shade=7)
    done = prepare(
        given,
        ImageFile(path="images/a.png"),
        ImageBytes(data=png()),
        ImageBytes(data=png()),
        ImageBytes(data=b""),
    )
    file, first, second, empty = done.samples
    assert done.media == {"mode": "mount", "root": "images"}
    assert (file.images[0].root, file.images[0].path) == ("media", "a.png")
    assert first.images == second.images
    assert (first.images[0].root, first.images[0].made) == ("inputs", None)
    assert [path.read_bytes() for path in files(done)] == [png()]
    assert empty.error is not None
    assert empty.error.message == "d, row 4: the file is empty"
