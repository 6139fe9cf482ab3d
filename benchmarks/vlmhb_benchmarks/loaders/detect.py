"""Recognises what kind of dataset lies at a path, by names and the first kilobytes: nothing is read in full."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path

HEAD = 1 << 14  # bytes
BY_END = {
    ".csv": "annotation",
    ".jsonl": "jsonl",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".arrow": "parquet",
    ".pdf": "pages",
}
XFUND_NAME = re.compile(r"(?P<language>[a-z]{2,3})\.(?P<split>\w+)\.json")
COCO_TEXT_NAME = re.compile(r"coco_?text.*\.json", re.IGNORECASE)
COCO_TEXT_KEYS = re.compile(rb'"(imgToAnns|utf8_string)"\s*:')
XFUND_KEYS = re.compile(rb'"documents"\s*:\s*\[')
SPLIT_FOLDERS = ("", "training_data", "testing_data", "train", "dev", "val", "test", "dataset/testing_data")
MAX_CLASSES = 1000  # folders that are looked into
LOOKED_AT = 50  # files

Fits = Callable[[Path], bool]


def detect_layout(path: Path) -> str | None:
    """The name of the loader for the file or folder; None when nothing is recognised."""
    if path.is_file():
        return _of_json(path) if path.suffix.lower() == ".json" else BY_END.get(path.suffix.lower())
    if not path.is_dir():
        return None
    return next((name for name, fits in LAYOUTS.items() if fits(path)), None)


def _of_json(path: Path) -> str | None:
    """A list of samples, unless its first keys or its name say otherwise."""
    with path.open("rb") as stream:
        head = stream.read(HEAD)
    if XFUND_KEYS.search(head):
        return "funsd"
    if COCO_TEXT_KEYS.search(head) or COCO_TEXT_NAME.fullmatch(path.name):
        return "coco_text"
    return "jsonl" if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"[", b"{") else None


def _has_file(*names: str) -> Fits:
    return lambda folder: any((folder / name).is_file() for name in names)


def _is_sroie(folder: Path) -> bool:
    return (folder / "img").is_dir() and any((folder / name).is_dir() for name in ("box", "key"))


def _is_rpo(folder: Path) -> bool:
    folders = all((folder / name).is_dir() for name in ("images", "jsons"))
    return folders and (folder / "classes.json").is_file()


def _in_splits(*names: str) -> Fits:
    """The folders lie here, or in the folder of a split, and the first of them holds JSON files."""

    def fits(folder: Path) -> bool:
        return any(
            all((folder / split / name).is_dir() for name in names)
            and any((folder / split / names[0]).glob("*.json"))
            for split in SPLIT_FOLDERS
        )

    return fits


def _is_funsd(folder: Path) -> bool:
    return _in_splits("annotations", "images")(folder) or _has_json(folder, XFUND_NAME)


def _has_json(folder: Path, name: re.Pattern[str]) -> bool:
    return any(name.fullmatch(path.name) for path in folder.glob("*.json"))


def _is_coco_text(folder: Path) -> bool:
    return _has_json(folder, COCO_TEXT_NAME)


def _is_kie_folder(folder: Path) -> bool:
    return any((path / "images").is_dir() and (path / "jsons").is_dir() for path in _folders(folder))


def _folders(folder: Path) -> Iterator[Path]:
    found = (path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    yield from (path for path, _ in zip(found, range(MAX_CLASSES), strict=False))


def _is_table(folder: Path) -> bool:
    """Parquet or arrow files, here or one level deeper."""
    if _has_file("dataset_dict.json", "state.json")(folder):
        return True
    return any(any(folder.glob(glob)) for glob in ("*.parquet", "*.arrow", "data/*.parquet", "*/*.parquet"))


def _is_tsv(folder: Path) -> bool:
    return sum(1 for _ in folder.glob("*.tsv")) == 1


def _is_pages(folder: Path) -> bool:
    """Documents with their truth beside them, or in a folder of its own: see `pages`."""
    if (folder / "truth.jsonl").is_file():
        return True
    if any(any((folder / place).glob("*.pdf")) for place in ("", "docs")):
        return True
    apart = any(any((folder / name).glob("*.txt")) for name in ("truth", "txt", "labels"))
    if apart and any((folder / name).is_dir() for name in ("docs", "images", "img")):
        return True
    return any(_has_pair(folder / place) for place in ("", "docs", "images", "img"))


def _has_pair(folder: Path) -> bool:
    """A text or JSON beside an image of the same name, among the first of them."""
    truths = chain(folder.glob("*.txt"), folder.glob("*.json"))
    texts = (path for path, _ in zip(truths, range(LOOKED_AT), strict=False))
    return any(path.with_suffix(end).is_file() for path in texts for end in (".png", ".jpg", ".jpeg", ".tif"))


# In this order: the more telling names first.
LAYOUTS: Mapping[str, Fits] = {
    "annotation": _has_file("annotation.csv", "annotations.csv"),
    "jsonl": _has_file("samples.jsonl"),
    "sroie": _is_sroie,
    "rpo": _is_rpo,
    "funsd": _is_funsd,
    "cord": _in_splits("json", "image"),
    "coco_text": _is_coco_text,
    "kie_folder": _is_kie_folder,
    "parquet": _is_table,
    "tsv": _is_tsv,
    "pages": _is_pages,
}
