"""Fetches the bytes behind an image URL: `data:` URLs and files of the sample media, nothing else."""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from vlmhb_stages.paths import resolve

from vlmhb_models.base import BadImage

MEDIA = "/vlmhb/in/media"


@dataclass(frozen=True)
class FetchedImage:
    """An encoded image; `path` is set when it is a file that the model may read itself."""

    data: bytes
    path: str | None = None


def fetch_image(url: str) -> FetchedImage:
    """Raises `BadImage` for a missing file, a path outside the media and a URL that needs a network."""
    if url.startswith("data:"):
        return FetchedImage(data=_from_data_url(url))
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return _from_media(unquote(parts.path))
    raise BadImage(
        f"image URL {url[:60]!r} is neither a data: URL nor file://{MEDIA}/...: nothing else is fetched"
    )


def _from_data_url(url: str) -> bytes:
    head, comma, payload = url[len("data:") :].partition(",")
    if not comma:
        raise BadImage("data: URL without a comma")
    try:
        data = (
            base64.b64decode(unquote_to_bytes(payload), validate=True)
            if head.rpartition(";")[2] == "base64"
            else unquote_to_bytes(payload)
        )
    except binascii.Error as error:
        raise BadImage(f"data: URL with wrong base64: {error}") from error
    if not data:
        raise BadImage("data: URL with no bytes")
    return data


def _from_media(path: str) -> FetchedImage:
    """Links are followed first, so that neither `..` nor a link leads out of the media folder."""
    root = os.path.realpath(resolve(MEDIA))
    real = os.path.realpath(resolve(path)) if path.startswith(MEDIA + "/") else ""
    if not real.startswith(root + os.sep):
        raise BadImage(f"{path} is not inside {MEDIA}")
    try:
        data = Path(real).read_bytes()
    except OSError as error:
        raise BadImage(f"{path}: {error.strerror or error}") from error
    if not data:
        raise BadImage(f"{path} is empty")
    return FetchedImage(data=data, path=real)
