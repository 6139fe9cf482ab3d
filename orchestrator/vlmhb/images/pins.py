"""`<workspace>/images/images.lock.json`: which image each name meant when it was built here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from vlmhb.store.files import read_json, write_json

VERSION = 1


class Pin(BaseModel):
    """`digest`: image config digest, which is the image's identity. `inputs`: hash of its build files."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    ref: str
    digest: str
    inputs: str
    base: str
    base_digest: str


def pin_file(workspace: Path) -> Path:
    return workspace / "images" / "images.lock.json"


def read_pin(workspace: Path, *, engine: str, name: str) -> Pin | None:
    found = _load(workspace)["images"].get(f"{engine}/{name}")
    return Pin.model_validate(found) if found else None


def write_pin(workspace: Path, *, engine: str, name: str, pin: Pin) -> None:
    """Keys are `<engine>/<name>`: the same files built by two engines are two images."""
    content = _load(workspace)
    content["images"][f"{engine}/{name}"] = pin.model_dump()
    path = pin_file(workspace)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, content)


def _load(workspace: Path) -> dict[str, Any]:
    found = read_json(pin_file(workspace))
    usable = isinstance(found, dict) and found.get("version") == VERSION
    return found if usable else {"version": VERSION, "images": {}}
