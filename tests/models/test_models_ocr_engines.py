"""The real OCR engines, each in its own environment, read a page that is drawn here.

`VLMHB_TEST_RAPIDOCR_PYTHON` and `VLMHB_TEST_TESSERACT_PYTHON` name the interpreters of environments made from
`images/<name>/requirements.lock`. Without them these tests skip; `VLMHB_REQUIRE=ocr` makes that a failure.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont
from rapidfuzz.distance import Levenshtein
from serving import Served, data_url, with_images

Start = Callable[..., Served]
LINES = ["INVOICE No. B-3493", "Date: 17/10/2023", "Ceramic tile, grey", "TOTAL DUE 5,822.40"]


def interpreter(name: str) -> str:
    variable = f"VLMHB_TEST_{name.upper()}_PYTHON"
    python = os.environ.get(variable, "")
    if python and Path(python).exists():
        return python
    if "ocr" in os.environ.get("VLMHB_REQUIRE", "").split(","):
        pytest.fail(f"ocr is required and {variable} names no interpreter")
    pytest.skip(f"{variable} names no interpreter with the packages of images/{name}")


def page(lines: list[str]) -> str:
    """The data URL of a page with `lines`, each in two columns when it has a tab."""
    image = Image.new("RGB", (1000, 80 * len(lines) + 80), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=36)
    for row, line in enumerate(lines):
        for column, text in enumerate(line.split("\t")):
            draw.text((50 + 550 * column, 80 * row + 40), text, font=font, fill="black")
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return data_url(buffer.getvalue())


def ready(start_server: Start, name: str, **config: Any) -> Served:
    served = start_server(python=interpreter(name), path=None, interface=name, **config)
    served.wait_for("model ready")
    return served


def read(served: Served, lines: list[str]) -> str:
    reply = served.post(with_images("Transcribe.", page(lines)))
    assert reply.status == 200, reply.body
    assert reply.body["usage"] is None
    return str(reply.body["choices"][0]["message"]["content"])


def cer(prediction: str, lines: list[str]) -> float:
    """Edits per reference character; tabs, line ends and runs of spaces count as one space."""
    reference = " ".join("\n".join(lines).split())
    return Levenshtein.distance(" ".join(prediction.split()), reference) / len(reference)


@pytest.mark.parametrize("name", ["rapidocr", "tesseract"])
def test_engine_reads_a_clean_page_line_by_line(start_server: Start, name: str) -> None:
    text = read(ready(start_server, name), LINES)
    assert cer(text, LINES) < 0.05
    assert len([line for line in text.splitlines() if line.strip()]) == len(LINES)


def test_rapidocr_keeps_columns_of_a_line_together(start_server: Start) -> None:
    lines = ["Item\tPrice", "Oak shelf\t620.00", "Lens kit\t175.50"]
    assert cer(read(ready(start_server, "rapidocr"), lines), lines) < 0.05


@pytest.mark.parametrize("name", ["rapidocr", "tesseract"])
def test_blank_page_has_no_text_and_torn_image_is_refused(start_server: Start, name: str) -> None:
    served = ready(start_server, name)
    assert read(served, [""]) == ""
    reply = served.post(with_images("q", data_url(b"\x89PNG\r\n\x1a\nbroken")))
    assert (reply.status, reply.body["error"]["code"]) == (400, "bad_image")
    assert served.ask("no image").status == 400


@pytest.mark.parametrize("name", ["rapidocr", "tesseract"])
def test_engine_tells_its_versions(start_server: Start, name: str) -> None:
    told = ready(start_server, name).get("/v1/models").body["data"][0]["vlmhb"]
    assert told["interface"] == name
    versions = told["packages"]["rapidocr"] if name == "rapidocr" else told["engine"]["version"]
    assert versions[0].isdigit()


@pytest.mark.parametrize("name", ["rapidocr", "tesseract"])
@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"params": {"colour": 1}}, "params: unknown ['colour']"),
        ({"weights": "/vlmhb/in/weights"}, "leave weights empty"),
    ],
)
def test_wrong_settings_stop_the_load(
    start_server: Start, name: str, config: dict[str, Any], said: str
) -> None:
    served = start_server(python=interpreter(name), path=None, interface=name, failed_linger_s=0.0, **config)
    assert served.ended() == 3
    assert said in served.lines[-1]


def test_missing_language_stops_the_load_with_its_name(start_server: Start) -> None:
    served = start_server(
        python=interpreter("tesseract"), path=None, interface="tesseract",
        params={"lang": "tlh+eng"}, failed_linger_s=0.0,
    )  # fmt: skip
    assert served.ended() == 3
    assert "Tesseract has no data for tlh (of tlh+eng); hint: apt-get install" in served.lines[-1]


def test_missing_package_stops_the_load_with_its_name(start_server: Start) -> None:
    python = interpreter("tesseract")  # an environment without rapidocr
    served = start_server(python=python, path=None, interface="rapidocr", failed_linger_s=0.0)
    assert served.ended() == 3
    assert "is not installed here" in served.lines[-1]
