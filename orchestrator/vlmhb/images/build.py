"""Building images ahead of runs: one door for container engines and for `process`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vlmhb.contracts import EngineName, ImageCard
from vlmhb.engines.apptainer import ApptainerEngine
from vlmhb.engines.container import ContainerEngine
from vlmhb.engines.detect import detect_engine
from vlmhb.errors import BuildFailed
from vlmhb.images.apptainer_build import build_apptainer_image
from vlmhb.images.apptainer_job import ApptainerBuild
from vlmhb.images.container_build import build_container_image
from vlmhb.images.process_env import build_env, env_spec


@dataclass(frozen=True, kw_only=True)
class BuiltImage:
    """`ref`: tag or venv folder. `digest`: its identity in fingerprints. `notes`: what the user must do."""

    name: str
    ref: str
    digest: str
    notes: tuple[str, ...] = ()


def build_image(
    image: ImageCard | str,
    *,
    engine_name: EngineName,
    base: str | None = None,
    wheelhouse: Path | None = None,
    workspace: Path,
    log: Path,
) -> BuiltImage:
    """Build what has changed of `image`: a card or, for Apptainer, a foreign reference.

    Raises `BuildFailed`, `EngineUnavailable`, `BadCard`."""
    engine = detect_engine(engine_name)
    if isinstance(engine, ApptainerEngine):
        job = ApptainerBuild(
            image=image, engine=engine, base=base, wheelhouse=wheelhouse, workspace=workspace, log=log
        )
        pin = build_apptainer_image(job)
        return BuiltImage(name=job.name, ref=pin.ref, digest=pin.digest, notes=(f"made from {pin.base}",))
    if isinstance(image, str):
        raise BuildFailed(f"{image} is no image of ours", hint=f"{engine.name} pull {image}")
    if isinstance(engine, ContainerEngine):
        pin = build_container_image(
            image, engine=engine, base=base, wheelhouse=wheelhouse, workspace=workspace, log=log
        )
        return BuiltImage(name=image.name, ref=pin.ref, digest=pin.digest)
    path = build_env(image, wheelhouse=wheelhouse, workspace=workspace, log=log)
    spec = env_spec(image, workspace=workspace)
    if spec is None:
        raise BuildFailed(f"the environment of {image.name} does not run", where=str(path))
    return BuiltImage(name=image.name, ref=str(path), digest=spec.identity, notes=_system_notes(image))


def _system_notes(card: ImageCard) -> tuple[str, ...]:
    if not card.system_packages:
        return ()
    return (
        f"{card.name} uses Debian packages of this machine; install what is missing: {' '.join(card.system_packages)}",
    )
