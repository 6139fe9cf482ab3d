"""A TSV that refers to images is mounted with their folder; one that holds them, alone."""

from pathlib import Path

import pytest
from vlmhb.dataset_files import holds_images


@pytest.mark.parametrize(
    ("header", "alone"),
    [
        ("index\timage\tquestion\tanswer", True),
        ("index\timage\timage_path\tquestion\tanswer", True),
        ("\ufeffimage_path\tquestion\tanswer\r", False),
        ("index\tquestion\tanswer", True),
    ],
)
def test_the_header_tells_where_the_images_are(header: str, alone: bool, tmp_path: Path) -> None:
    path = tmp_path / "my.tsv"
    path.write_text(f"{header}\n1\tx\n", encoding="utf-8")
    assert holds_images(path) is alone
