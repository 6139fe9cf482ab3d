"""From an image's name to the image that is here, by content."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vlmhb.contracts import ImageCard
from vlmhb.engines.apptainer import ApptainerEngine
from vlmhb.engines.base import Engine, ImageSpec
from vlmhb.engines.container import ContainerEngine
from vlmhb.errors import ImageMissing
from vlmhb.images.apptainer_store import resolve_apptainer
from vlmhb.images.inputs import LABEL, inputs_sha256
from vlmhb.images.pins import read_pin
from vlmhb.images.process_env import env_path, env_spec
from vlmhb.reading.names import shown

_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,511}")


def silent(_: str) -> None:
    return None


def resolve_image(
    name_or_ref: str,
    *,
    engine: Engine,
    workspace: Path,
    cards: Mapping[str, ImageCard],
    warn: Callable[[str], None] = silent,
) -> ImageSpec:
    """A card's name or tag, or any local reference. Nothing is pulled or built here.

    `identity` is the image config digest; for `process` the lock's hash with the Python version.
    Raises `ImageMissing` with the command that gets it."""
    card = cards.get(name_or_ref) or next((card for card in cards.values() if card.tag == name_or_ref), None)
    if isinstance(engine, ApptainerEngine):
        spec, doubt = resolve_apptainer(name_or_ref, card=card, workspace=workspace)
        if doubt and card:
            warn(f"image {card.name} {doubt}; `vlmhb images build {card.name}` makes it anew")
        return spec
    if not isinstance(engine, ContainerEngine):
        return _resolve_env(name_or_ref, card=card, workspace=workspace)
    ref = card.tag if card else name_or_ref
    if not _REFERENCE.fullmatch(ref):  # `--privileged` would be an option of the engine's command
        raise ImageMissing(
            f"{shown(ref)} is no name of an image", hint="write name, registry/name:tag or name@sha256:..."
        )
    digest = engine.image_id(ref)
    if digest is None:
        hint = (
            f"vlmhb images build {card.name} --engine {engine.name}" if card else f"{engine.name} pull {ref}"
        )
        raise ImageMissing(f"image {ref} is not in {engine.name}", hint=hint)
    if card is not None and (reason := _doubt(card, engine=engine, digest=digest, workspace=workspace)):
        warn(f"image {ref} {reason}; `vlmhb images build {card.name}` makes it anew")
    return ImageSpec(name=card.name if card else ref, ref=ref, identity=digest)


@dataclass(frozen=True, kw_only=True)
class ImageRow:
    """One line of `vlmhb images ls`."""

    name: str
    ref: str
    state: Literal["built", "stale", "missing"]
    digest: str = ""
    description: str = ""


def list_images(cards: Mapping[str, ImageCard], *, engine: Engine, workspace: Path) -> tuple[ImageRow, ...]:
    return tuple(_row(card, engine=engine, workspace=workspace) for _, card in sorted(cards.items()))


def _row(card: ImageCard, *, engine: Engine, workspace: Path) -> ImageRow:
    ref = (
        card.tag
        if isinstance(engine, ContainerEngine | ApptainerEngine)
        else env_path(card, workspace=workspace).name
    )
    doubts: list[str] = []
    try:
        spec = resolve_image(
            card.name, engine=engine, workspace=workspace, cards={card.name: card}, warn=doubts.append
        )
    except ImageMissing:
        return ImageRow(name=card.name, ref=ref, state="missing", description=card.description)
    return ImageRow(
        name=card.name,
        ref=Path(spec.ref).name if isinstance(engine, ApptainerEngine) else ref,
        state="stale" if doubts else "built",
        digest=spec.identity,
        description=card.description,
    )


def _resolve_env(name: str, *, card: ImageCard | None, workspace: Path) -> ImageSpec:
    if card is None:
        raise ImageMissing(
            f"image {name} cannot run on the engine `process`",
            hint="foreign images need --engine docker, podman or apptainer",
        )
    spec = env_spec(card, workspace=workspace)
    if spec is None:
        raise ImageMissing(
            f"image {card.name} has no virtual environment yet",
            hint=f"vlmhb images build {card.name} --engine process",
        )
    return spec


def _doubt(card: ImageCard, *, engine: ContainerEngine, digest: str, workspace: Path) -> str:
    """Why the image may not be the one that the card describes, or nothing."""
    if engine.image_labels(digest).get(LABEL) != inputs_sha256(card):
        return "was built from other files than its card has now"
    pin = read_pin(workspace, engine=engine.name, name=card.name)
    return "is not the one that was built last in this workspace" if pin and pin.digest != digest else ""
