"""What an image is made from: the files beside its card, and their hash, which tells a stale image."""

from __future__ import annotations

import hashlib
from pathlib import Path

from vlmhb.contracts import ImageCard
from vlmhb.errors import BadCard
from vlmhb.store.hashing import sha256_json

CARD = "image.yaml"  # descriptions may change without making an image stale
FINISH = "finish.py"  # beside the lock: run by the environment's own Python when its packages are in
LABEL = "org.vlmhb.inputs"  # on every image that we build: hash of its build files
BASE_LABEL = "org.vlmhb.base"  # and the digest of its base


def card_folder(card: ImageCard) -> Path:
    return Path(card.origin).absolute().parent


def lock_file(card: ImageCard) -> Path:
    path = card_folder(card) / card.lock
    if not path.is_file():
        raise BadCard(f"image {card.name} has no {card.lock}", where=card.origin)
    return path


def finish_file(card: ImageCard) -> Path | None:
    path = card_folder(card) / FINISH
    return path if path.is_file() else None


def lock_sha256(card: ImageCard) -> str:
    """Of all that an environment is made from: the lock, and what is done after it is installed."""
    digest = hashlib.sha256(lock_file(card).read_bytes())
    if (finish := finish_file(card)) is not None:
        digest.update(finish.read_bytes())
    return digest.hexdigest()


def build_files(card: ImageCard) -> dict[str, Path]:
    """Files of the build context by their name in it."""
    folder = card_folder(card)
    files = {
        path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()
    }
    return {name: path for name, path in files.items() if name != CARD and "__pycache__" not in name}


def inputs_sha256(card: ImageCard) -> str:
    """Hash over the names and bytes of all build files."""
    files = build_files(card)
    return sha256_json({name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()})
