"""Secrets: references in configs, 0400 files in a private tmpfs folder for the one task that needs them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from vlmhb.errors import SecretMissing
from vlmhb.store.artifacts import own_by
from vlmhb.store.private import private_folder

PREFIX = "secret:"
FOLDER_ENV = "VLMHB_SECRETS_DIR"
TMPFS = Path("/dev/shm")
STEM = "vlmhb-secret-"


def lookup(reference: str, *, env: Mapping[str, str], home: Path) -> str:
    """The value of `secret:NAME`: the environment first, then a file NAME in the secrets folder.

    Raises `SecretMissing`, which names the places but never a value."""
    name = reference.removeprefix(PREFIX)
    if env.get(name):
        return env[name]
    folder = Path(env.get(FOLDER_ENV, str(home / ".config" / "vlmhb" / "secrets")))
    try:
        return (folder / name).read_text(encoding="utf-8").strip()
    except OSError:
        raise SecretMissing(
            f"secret {name!r} is not set", hint=f"set the variable {name} or write {folder / name}"
        ) from None


@contextmanager
def delivered(values: Mapping[str, str], *, user: str) -> Iterator[Path]:
    """A private folder with one 0400 file per secret, gone afterwards. Leftovers of dead runs go too."""
    base = TMPFS if os.access(TMPFS, os.W_OK) else Path(tempfile.gettempdir())
    with private_folder(base, stem=STEM) as folder:
        for name, value in values.items():
            descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(value)
            own_by(folder / name, user=user)
        own_by(folder, user=user)
        yield folder
