"""The base image of a build: the official Python image, or one made from Debian packages."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from vlmhb.engines.container import ContainerEngine, last_line
from vlmhb.errors import BuildFailed
from vlmhb.images.steps import run_step
from vlmhb.images.wheels import Target

OFFICIAL = "docker.io/library/python:3.11-slim-bookworm"
OWN = "vlmhb/base:bookworm"
REACH_S = 10.0
FACTS = (
    "import platform, sys; "
    "print('%d.%d' % sys.version_info[:2], platform.machine(), platform.libc_ver()[1] or 'none')"
)


@dataclass(frozen=True, kw_only=True)
class Base:
    ref: str
    digest: str
    target: Target


def choose_base(wanted: str | None, *, engine: ContainerEngine, maker: Path, log: Path) -> Base:
    """`wanted`: a reference, or None or `auto` for the first that can be had without trouble.

    Local images come first, so that a second build asks no network. `maker`: the script for our own."""
    if wanted and wanted != "auto":
        if engine.image_id(wanted) is None and not _pull(wanted, engine=engine, log=log):
            raise BuildFailed(f"base image {wanted} is neither here nor reachable", where=str(log))
        return _described(wanted, engine=engine)
    for ref in (OFFICIAL, OWN):
        if engine.image_id(ref) is not None:
            return _described(ref, engine=engine)
    if _reachable(OFFICIAL, engine=engine) and _pull(OFFICIAL, engine=engine, log=log):
        return _described(OFFICIAL, engine=engine)
    make_base(engine=engine, maker=maker, log=log)
    return _described(OWN, engine=engine)


def make_base(*, engine: ContainerEngine, maker: Path, log: Path) -> None:
    run_step(
        [sys.executable, str(maker), "--engine", engine.dialect.program, "--tag", OWN],
        what="making the base image",
        log=log,
        hint=f"give --base an image that has Python, or make {OWN} by hand: see docs/engines.md",
    )


def _reachable(ref: str, *, engine: ContainerEngine) -> bool:
    """Asked apart from the pull, which can take minutes when it works and when it does not."""
    return engine.cli("manifest", "inspect", ref, timeout_s=REACH_S).ok


def _pull(ref: str, *, engine: ContainerEngine, log: Path) -> bool:
    try:
        run_step([engine.dialect.program, "pull", ref], what=f"pulling {ref}", log=log)
    except BuildFailed:
        return False
    return True


def _described(ref: str, *, engine: ContainerEngine) -> Base:
    digest = engine.image_id(ref)
    ulimits = [word for ulimit in engine.ulimits for word in ("--ulimit", ulimit)]
    words = ("run", "--rm", "--network", "none", "--pull", "never", *ulimits, "--entrypoint", "python3", ref)
    result = engine.cli(*words, "-c", FACTS)
    facts = result.stdout.split()
    if not result.ok or len(facts) != 3 or digest is None:
        raise BuildFailed(f"base image {ref} has no usable python3: {last_line(result.stderr)}")
    python, machine, glibc = facts
    if glibc == "none":
        raise BuildFailed(
            f"base image {ref} is not built on glibc", hint="Alpine cannot take manylinux wheels"
        )
    return Base(ref=ref, digest=digest, target=Target(python=python, machine=machine, glibc=glibc))
