"""The wheels of a lock, fetched on the host for the image's Python, so that a build needs no network."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from vlmhb.images.steps import run_step

OLDEST_GLIBC = 5  # manylinux_2_5 is manylinux1
ALIASES = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}


@dataclass(frozen=True, kw_only=True)
class Target:
    """What the wheels have to fit. `python` and `glibc` as `3.11` and `2.36`."""

    python: str
    machine: str  # x86_64, aarch64
    glibc: str

    def platforms(self) -> tuple[str, ...]:
        """All tags that fit: pip adds none of the older ones by itself."""
        minor = int(self.glibc.partition(".")[2])
        newest_first = range(minor, OLDEST_GLIBC - 1, -1)
        tags = [f"manylinux_2_{number}" for number in newest_first]
        tags += [alias for number, alias in ALIASES.items() if number <= minor]
        return tuple(f"{tag}_{self.machine}" for tag in (*tags, "linux"))

    def pip_words(self) -> tuple[str, ...]:
        abi = f"cp{self.python.replace('.', '')}"
        return (
            *("--python-version", self.python, "--implementation", "cp"),
            *(word for name in (abi, "abi3", "none") for word in ("--abi", name)),
            *(word for tag in self.platforms() for word in ("--platform", tag)),
        )


def source_words(wheelhouse: Path | None) -> tuple[str, ...]:
    """pip's own configuration says where packages come from; a given wheelhouse replaces it: no network."""
    return ("--no-index", "--find-links", str(wheelhouse.absolute())) if wheelhouse else ()


def fetch_wheels(
    lock: Path, *, into: Path, target: Target, wheelhouse: Path | None, scratch: Path, log: Path
) -> None:
    """Fill `into`. `scratch` is a folder for a pip of our own, where this Python has none."""
    run_step(
        [
            *(_pip(scratch, log=log)),
            *("download", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check"),
            *source_words(wheelhouse),
            *target.pip_words(),
            *("--dest", str(into), "--requirement", str(lock)),
        ],
        what="fetching the packages",
        log=log,
        hint="offline, give --wheelhouse a folder that holds the wheels of the lock",
    )


def _pip(scratch: Path, *, log: Path) -> tuple[str, ...]:
    if find_spec("pip") is not None:
        return (sys.executable, "-m", "pip")
    run_step([sys.executable, "-m", "venv", str(scratch / "pip")], what="making a venv for pip", log=log)
    return (str(scratch / "pip/bin/python3"), "-m", "pip")
