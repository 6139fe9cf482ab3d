"""Which files of the host belong to a dataset: what `prepare` gets to see, and what its identity is made of."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

from vlmhb.contracts import ResolvedEvaluation

MAX_HEADER = 65536  # bytes; a TSV without line ends is not read whole


def is_archive(path: Path) -> bool:
    """A file that `prepare` unpacks; nothing on the host ever opens it."""
    from vlmhb_benchmarks.loaders.archives import is_archive as has_archive_name

    return has_archive_name(path) and path.is_file()


def dataset_mount(evaluation: ResolvedEvaluation) -> Path:
    """What `prepare` gets to see: an archive, parquet or TSV file with images in it alone, else the folder around."""
    path = evaluation.dataset_path
    if not path.is_file() or is_archive(path):
        return path
    loader = evaluation.benchmark.loader
    alone = loader == "parquet" or (loader == "tsv" and holds_images(path))  # it holds its images
    return path if alone else path.parent


def holds_images(tsv: Path) -> bool:
    """VLMEvalKit's files hold them as base64; a file with `image_path` only refers to images beside it."""
    with tsv.open("rb") as file:
        header = file.readline(MAX_HEADER).decode("utf-8-sig", errors="replace")
    columns = header.rstrip("\r\n").split("\t")
    return "image" in columns or "image_path" not in columns


def referenced_files(evaluation: ResolvedEvaluation) -> tuple[str, ...] | None:
    """A dataset given as one file is that file and the images it names, not all that lies beside it.

    Relative to the mounted folder; None where everything in the mount belongs to the dataset. A file that
    cannot be read stands alone: `prepare` says what is wrong with it."""
    from vlmhb_benchmarks.loaders import ImageFile, LoaderError, load
    from vlmhb_benchmarks.loaders.base import PdfPage
    from vlmhb_benchmarks.loaders.pages import files_of

    path, mounted = evaluation.dataset_path, dataset_mount(evaluation)
    if mounted == path:
        return None
    if evaluation.benchmark.loader == "pages":
        return tuple(files_of(path))
    names = {path.name}
    try:
        for sample in load(
            evaluation.benchmark.loader, mounted, {**evaluation.benchmark.params, "file": path.name}
        ):
            names |= {image.path for image in sample.images if isinstance(image, ImageFile | PdfPage)}
    except LoaderError:
        return (path.name,)
    return tuple(sorted(name for name in names if _is_inside(name)))


def example_files(path: Path) -> tuple[str, ...]:
    """A file of worked examples and the images that it names; `prepare` says what is wrong in it."""
    names = {path.name}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            data = json.loads(line)
        except ValueError:
            continue
        images = (data.get("images"), data.get("image")) if isinstance(data, dict) else ()
        for value in images:
            names |= {
                item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)
            }
    return tuple(sorted(name for name in names if name and _is_inside(name)))


def _is_inside(name: str) -> bool:
    """Paths that lead out of the folder are refused by `prepare`, and never opened here."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts
