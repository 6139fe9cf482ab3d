"""Building images ahead of runs: one door for container engines and for `process`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vlmhb.contracts import ImageCard
from vlmhb.engines.container import ContainerEngine
from vlmhb.engines.detect import detect_engine
from vlmhb.errors import BuildFailed
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
    card: ImageCard,
    *,
    engine_name: Literal["auto", "docker", "podman", "process"],
    base: str | None = None,
    wheelhouse: Path | None = None,
    workspace: Path,
    log: Path,
) -> BuiltImage:
    """Build what has changed of `card`. Raises `BuildFailed`, `EngineUnavailable`, `BadCard`."""
    engine = detect_engine(engine_name)
    if isinstance(engine, ContainerEngine):
        pin = build_container_image(
            card, engine=engine, base=base, wheelhouse=wheelhouse, workspace=workspace, log=log
        )
        return BuiltImage(name=card.name, ref=pin.ref, digest=pin.digest)
    path = build_env(card, wheelhouse=wheelhouse, workspace=workspace, log=log)
    spec = env_spec(card, workspace=workspace)
    if spec is None:
        raise BuildFailed(f"the environment of {card.name} does not run", where=str(path))
    return BuiltImage(name=card.name, ref=str(path), digest=spec.identity, notes=_system_notes(card))


def _system_notes(card: ImageCard) -> tuple[str, ...]:
    if not card.system_packages:
        return ()
    return (
        f"{card.name} uses Debian packages of this machine; install what is missing: {' '.join(card.system_packages)}",
    )
