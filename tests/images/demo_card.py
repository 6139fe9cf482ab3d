"""A tiny image card with a wheel made on the spot: builds need no network and no index."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

from vlmhb.contracts import ImageCard

DOCKERFILE = """\
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
COPY requirements.lock /tmp/requirements.lock
COPY wheels/ /tmp/wheels/
RUN python3 -m venv /opt/venv \\
 && /opt/venv/bin/python3 -m pip install --no-index --find-links /tmp/wheels -r /tmp/requirements.lock
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin
USER 65534:65534
"""


def make_wheel(folder: Path, *, version: str = "1.0") -> Path:
    """`vlmhb-demo`: one module that knows its version."""
    info = f"vlmhb_demo-{version}.dist-info"
    files = {
        "vlmhb_demo.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: vlmhb-demo\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{name},sha256={_digest(text)},{len(text)}\n" for name, text in files.items()]
    files[f"{info}/RECORD"] = "".join(rows) + f"{info}/RECORD,,\n"
    folder.mkdir(exist_ok=True)
    path = folder / f"vlmhb_demo-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def make_card(folder: Path, *, tag: str = "vlmhb-test/demo:1", version: str = "1.0") -> ImageCard:
    """Files of `<folder>/demo/`, pinned to `version` of the wheel."""
    home = folder / "demo"
    home.mkdir(parents=True, exist_ok=True)
    (home / "Dockerfile").write_text(DOCKERFILE)
    (home / "requirements.lock").write_text(f"vlmhb-demo=={version}\n")
    (home / "image.yaml").write_text(f"name: demo\ntag: {tag}\n")
    return ImageCard(name="demo", tag=tag, origin=str(home / "image.yaml"))


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
