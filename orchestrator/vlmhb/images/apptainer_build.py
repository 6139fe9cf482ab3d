"""Images for Apptainer: converted from Docker's, Podman's or a registry's, or built with no other engine at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vlmhb.contracts import ImageCard
from vlmhb.engines.apptainer import ApptainerEngine, image_identity
from vlmhb.engines.apptainer_sif import sif_obstacle
from vlmhb.engines.container import ContainerEngine
from vlmhb.engines.detect import Wanted, detect
from vlmhb.errors import BuildFailed
from vlmhb.images.apptainer_job import ApptainerBuild
from vlmhb.images.apptainer_rootfs import make_rootfs, rootfs_identity
from vlmhb.images.apptainer_store import ENGINE, image_path, store_folder, write_record
from vlmhb.images.inputs import LABEL, inputs_sha256
from vlmhb.images.pins import Pin, write_pin
from vlmhb.images.process_env import one_builder
from vlmhb.images.steps import run_step

QUICK = ("--mksquashfs-args", "-comp gzip -Xcompression-level 1")  # a third of the time, a tenth more bytes
SCRATCH = ".build-"
OTHERS: tuple[Wanted, ...] = ("docker", "podman")


@dataclass(frozen=True, kw_only=True)
class Source:
    """`identity` is known before anything is converted. `fill` makes what `apptainer build` reads, and names it."""

    words: str
    identity: str
    fill: Callable[[Path], str]


def build_apptainer_image(job: ApptainerBuild) -> Pin:
    """Converts what is not there yet. With a base folder of the user's, other engines are not asked."""
    store = store_folder(job.workspace)
    store.mkdir(parents=True, exist_ok=True)
    with one_builder(store / ENGINE):
        for left in store.glob(f"{SCRATCH}*"):  # by a build that was killed
            shutil.rmtree(left, ignore_errors=True)
        source = None if job.given_base else _other_engine(job)
        if source is None:
            source = _registry(job.name) if job.card is None else _own(job, job.card)
        sif = not sif_obstacle(root=job.engine.dialect.root)
        image = image_path(job.name, digest=source.identity, sif=sif, workspace=job.workspace)
        if image_identity(image) != source.identity:
            _convert(source, image=image, sif=sif, job=job)
        pin = Pin(
            ref=image.name,
            digest=source.identity,
            inputs=inputs_sha256(job.card) if job.card else "",
            base=source.words,
            base_digest=source.identity,
        )
        write_pin(job.workspace, engine=ENGINE, name=job.name, pin=pin)
    return pin


def _other_engine(job: ApptainerBuild) -> Source | None:
    """The image of Docker or Podman, if it is there and, for one of ours, built from the card's present files."""
    ref = job.card.tag if job.card else job.name
    for name in OTHERS:
        found = detect(name).engine
        digest = found.image_id(ref) if isinstance(found, ContainerEngine) else None
        if not isinstance(found, ContainerEngine) or digest is None:
            continue
        if job.card is None or _is_current(job.card, engine=found):
            return Source(words=f"{name}:{ref}", identity=digest, fill=_saver(found, ref=ref, log=job.log))
    return None


def _is_current(card: ImageCard, *, engine: ContainerEngine) -> bool:
    return engine.image_labels(card.tag).get(LABEL) == inputs_sha256(card)


def _saver(engine: ContainerEngine, *, ref: str, log: Path) -> Callable[[Path], str]:
    def fill(scratch: Path) -> str:
        archive = scratch / "image.tar"
        form = ("--format", "docker-archive") if engine.name == "podman" else ()
        words = [engine.dialect.program, "save", *form, "--output", str(archive), ref]
        run_step(words, what=f"saving {ref}", log=log)
        return f"docker-archive:{archive}"

    return fill


def _registry(ref: str) -> Source:
    """A foreign image is only ever named with what it holds: `repository@sha256:...`."""
    name, _, digest = ref.removeprefix("docker://").partition("@")
    if not digest.startswith("sha256:"):
        raise BuildFailed(
            f"image {ref} is in neither Docker nor Podman",
            hint=f"name it by its digest, {name}@sha256:..., to get it from its registry",
        )
    address = f"docker://{name}@{digest}"
    return Source(words=address, identity=digest, fill=lambda _: address)


def _own(job: ApptainerBuild, card: ImageCard) -> Source:
    return Source(
        words=f"lock of {card.name}",
        identity=rootfs_identity(job, card),
        fill=lambda scratch: str(make_rootfs(job, card, scratch=scratch)),
    )


def _convert(source: Source, *, image: Path, sif: bool, job: ApptainerBuild) -> None:
    """Made under another name beside its place, then renamed: an image is there whole or not at all."""
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=image.parent) as folder:
        scratch = Path(folder)
        origin = source.fill(scratch)
        made = scratch / "image"
        run_step(
            _build_argv(job.engine, sif=sif, made=made, origin=origin),
            what=f"converting {source.words}",
            log=job.log,
            env={"APPTAINER_TMPDIR": folder, "SINGULARITY_TMPDIR": folder},
        )
        shutil.rmtree(image, ignore_errors=True)
        made.replace(image)
    write_record(image, identity=source.identity, source=source.words)


def _build_argv(engine: ApptainerEngine, *, sif: bool, made: Path, origin: str) -> list[str]:
    """The cache would hold every layer a second time, in the user's home."""
    quick = QUICK if engine.dialect.family == "apptainer" else ()
    form = quick if sif else ("--sandbox",)
    return [engine.dialect.program, "--silent", "build", "--disable-cache", *form, str(made), origin]
