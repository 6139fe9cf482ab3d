"""Converted images of a workspace: one SIF or folder per content, with a record beside it that is written last."""

from __future__ import annotations

import re
from pathlib import Path

from vlmhb.contracts import ImageCard
from vlmhb.engines.apptainer import IDENTITY, image_identity, record_file
from vlmhb.engines.base import ImageSpec
from vlmhb.errors import ImageMissing
from vlmhb.images.inputs import inputs_sha256
from vlmhb.images.pins import read_pin
from vlmhb.store.files import write_json

ENGINE = "apptainer"
NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9._-]+")


def store_folder(workspace: Path) -> Path:
    return workspace.absolute() / "images" / ENGINE


def image_path(name: str, *, digest: str, sif: bool, workspace: Path) -> Path:
    """Named for people by the image, and by its content: another content never touches an image in use."""
    stem = f"{NOT_IN_NAMES.sub('-', name)}-{digest.rpartition(':')[2][:12]}"
    return store_folder(workspace) / (f"{stem}.sif" if sif else stem)


def write_record(image: Path, *, identity: str, source: str) -> None:
    write_json(record_file(image), {IDENTITY: identity, "source": source})


def resolve_apptainer(name_or_ref: str, *, card: ImageCard | None, workspace: Path) -> tuple[ImageSpec, str]:
    """The image of a card or of a foreign reference, and a doubt about it or "". Raises `ImageMissing`."""
    name = card.name if card else name_or_ref
    pin = read_pin(workspace, engine=ENGINE, name=name)
    path = store_folder(workspace) / pin.ref if pin else None
    if pin is None or path is None or image_identity(path) != pin.digest:
        raise ImageMissing(
            f"image {name} has not been converted for Apptainer yet",
            hint=f"vlmhb images build {name} --engine apptainer",
        )
    spec = ImageSpec(name=name, ref=str(path), identity=pin.digest)
    stale = card is not None and pin.inputs != inputs_sha256(card)
    return spec, "was built from other files than its card has now" if stale else ""
