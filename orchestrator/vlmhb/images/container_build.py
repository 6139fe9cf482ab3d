"""Building one image with Docker or Podman, from a context that already holds every wheel."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from vlmhb.contracts import ImageCard
from vlmhb.engines.container import ContainerEngine
from vlmhb.errors import BuildFailed
from vlmhb.images.base import Base, choose_base
from vlmhb.images.inputs import BASE_LABEL, LABEL, build_files, card_folder, inputs_sha256, lock_file
from vlmhb.images.pins import Pin, write_pin
from vlmhb.images.steps import run_step
from vlmhb.images.wheels import fetch_wheels

PROXIES = ("http_proxy", "https_proxy", "no_proxy")


def build_container_image(
    card: ImageCard,
    *,
    engine: ContainerEngine,
    base: str | None,
    wheelhouse: Path | None,
    workspace: Path,
    log: Path,
) -> Pin:
    maker = card_folder(card).parent / "base" / "make_base.py"
    chosen = choose_base(base, engine=engine, maker=maker, log=log)
    digest = _unchanged(card, base=chosen, engine=engine)
    if digest is None:
        digest = _build(card, base=chosen, engine=engine, wheelhouse=wheelhouse, log=log)
    pin = Pin(
        ref=card.tag,
        digest=digest,
        inputs=inputs_sha256(card),
        base=chosen.ref,
        base_digest=chosen.digest,
    )
    write_pin(workspace, engine=engine.name, name=card.name, pin=pin)
    return pin


def _build(
    card: ImageCard, *, base: Base, engine: ContainerEngine, wheelhouse: Path | None, log: Path
) -> str:
    with tempfile.TemporaryDirectory(prefix="vlmhb-build-") as scratch:
        context = Path(scratch) / "context"
        _fill_context(card, context=context)
        fetch_wheels(
            lock_file(card),
            into=context / "wheels",
            target=base.target,
            wheelhouse=wheelhouse,
            scratch=Path(scratch),
            log=log,
        )
        argv = build_argv(card, engine=engine, base=base, context=context)
        run_step(argv, what=f"building {card.tag}", log=log, env=build_env(engine))
    digest = engine.image_id(card.tag)
    if digest is None:
        raise BuildFailed(f"{engine.name} built {card.tag} and does not have it", where=str(log))
    return digest


def build_argv(card: ImageCard, *, engine: ContainerEngine, base: Base, context: Path) -> list[str]:
    """No network, unless the card lists Debian packages. Proxies by name only: they can hold passwords."""
    needs_network = bool(card.system_packages)
    proxies = [name for name in PROXIES if needs_network and name in os.environ]
    return [
        *(engine.dialect.program, "build", "--file", str(context / card.dockerfile), "--tag", card.tag),
        *(() if needs_network else ("--network", "none")),
        *("--build-arg", f"BASE_IMAGE={base.ref}"),
        *(word for name in proxies for word in ("--build-arg", name)),
        *("--label", f"{LABEL}={inputs_sha256(card)}", "--label", f"{BASE_LABEL}={base.digest}"),
        *(word for ulimit in engine.ulimits for word in ("--ulimit", ulimit)),
        str(context),
    ]


def build_env(engine: ContainerEngine) -> dict[str, str]:
    """Docker: its own builder, which sees local images; the old one where the buildx plugin is missing."""
    if engine.name != "docker":
        return {}
    if engine.cli("buildx", "version").ok:
        return {"DOCKER_BUILDKIT": "1", "BUILDX_BUILDER": "default", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
    return {"DOCKER_BUILDKIT": "0"}


def _unchanged(card: ImageCard, *, base: Base, engine: ContainerEngine) -> str | None:
    """The digest of an image that is here and was built from the very same files and base."""
    labels = engine.image_labels(card.tag)
    same = (labels.get(LABEL), labels.get(BASE_LABEL)) == (inputs_sha256(card), base.digest)
    return engine.image_id(card.tag) if same else None


def _fill_context(card: ImageCard, *, context: Path) -> None:
    (context / "wheels").mkdir(parents=True)
    for name, path in build_files(card).items():
        target = context / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
