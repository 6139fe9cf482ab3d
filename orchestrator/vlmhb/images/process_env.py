"""A virtual environment as an image of the `process` engine: from the same lock, complete or not there."""

from __future__ import annotations

import fcntl
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vlmhb.command import run_command
from vlmhb.contracts import ImageCard
from vlmhb.engines.base import ImageSpec
from vlmhb.images.inputs import finish_file, lock_file, lock_sha256
from vlmhb.images.steps import run_step
from vlmhb.images.wheels import source_words
from vlmhb.store.files import read_json, write_json

MARKER = "vlmhb-env.json"
VERSION = "import platform; print(platform.python_implementation().lower() + '-' + platform.python_version())"


def env_path(card: ImageCard, *, workspace: Path) -> Path:
    """One folder per lock and Python, so that a changed lock never touches an environment in use."""
    python = f"py{sys.version_info.major}.{sys.version_info.minor}"
    return workspace.absolute() / "envs" / f"{card.name}-{lock_sha256(card)[:12]}-{python}"


def build_env(card: ImageCard, *, wheelhouse: Path | None, workspace: Path, log: Path) -> Path:
    """Built in place, as a venv cannot be moved; the marker comes last, and counts."""
    path = env_path(card, workspace=workspace)
    path.parent.mkdir(parents=True, exist_ok=True)
    with one_builder(path):
        if not is_complete(path, card=card):
            shutil.rmtree(path, ignore_errors=True)
            _install(card, path=path, wheelhouse=wheelhouse, log=log)
            write_json(path / MARKER, {"image": card.name, "lock_sha256": lock_sha256(card)})
    return path


def is_complete(path: Path, *, card: ImageCard) -> bool:
    found = read_json(path / MARKER)
    return isinstance(found, dict) and found.get("lock_sha256") == lock_sha256(card)


def env_spec(card: ImageCard, *, workspace: Path) -> ImageSpec | None:
    """None when it is not built, or when the Python that it was built on has gone."""
    path = env_path(card, workspace=workspace)
    if not is_complete(path, card=card):
        return None
    version = run_command([str(path / "bin/python3"), "-I", "-c", VERSION], timeout_s=30)
    if not version.ok:
        return None
    identity = f"venv:{lock_sha256(card)}:{version.stdout.strip()}"
    return ImageSpec(name=card.name, ref=path.name, identity=identity, env=path)


def _install(card: ImageCard, *, path: Path, wheelhouse: Path | None, log: Path) -> None:
    run_step(
        [sys.executable, "-m", "venv", str(path)],
        what=f"making the environment of {card.name}",
        log=log,
        hint="the modules venv and ensurepip are needed (Debian: apt-get install python3-venv)",
    )
    run_step(
        [
            *(str(path / "bin/python3"), "-m", "pip", "install"),
            *("--only-binary", ":all:", "--no-input", "--disable-pip-version-check"),
            *source_words(wheelhouse),
            *("--requirement", str(lock_file(card))),
        ],
        what=f"installing the packages of {card.name}",
        log=log,
        hint="offline, give --wheelhouse a folder that holds the wheels of the lock",
    )
    if (finish := finish_file(card)) is not None:
        run_step([str(path / "bin/python3"), str(finish)], what=f"finishing {card.name}", log=log)


@contextmanager
def one_builder(path: Path) -> Iterator[None]:
    """Two builds of one environment at a time would undo each other's work."""
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
