"""Memory of the driver from 1,000 to 20,000 pages: JPEG files of 100 kB, all different, sent to a server process."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from PIL import Image
from vlmhb_stages.contracts import ImageRef, Message, Sample
from vlmhb_stages.specs import HttpBackend, InferSpec

from benches.resume import SERVER, free_port, watch_driver
from benches.timing import Row

PAGES = (1_000, 5_000, 20_000)
PAGE_BYTES = 100_000
CONCURRENCY = 64


def measure(folder: Path) -> list[Row]:
    port = free_port()
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(port)], stdout=subprocess.DEVNULL)
    try:
        time.sleep(2)
        page = jpeg()
        return [run(folder / str(pages), pages=pages, page=page, port=port) for pages in PAGES]
    finally:
        server.terminate()
        server.wait()


def run(root: Path, *, pages: int, page: bytes, port: int) -> Row:
    write_world(root, pages=pages, page=page, port=port)
    started = time.perf_counter()
    watched = watch_driver(root)
    wall = time.perf_counter() - started
    counts = json.loads((root / "out" / "summary.json").read_text())["counts"]
    if watched.code != 0 or counts["ok"] != pages:
        raise SystemExit(f"the driver ended with {watched.code}: {counts}")
    note = f"peak RSS {watched.peak_mib:.0f} MiB, at the end {watched.last_mib:.0f} MiB"
    name = f"driver, {pages:,} JPEG pages of {len(page) // 1000} kB, {CONCURRENCY} in flight"
    return Row(name=name, minimum=wall, median=wall, maximum=wall, runs=1, note=note)


def jpeg() -> bytes:
    """A real image of about `PAGE_BYTES`: noise compresses badly."""
    dice = random.Random(1)
    image = Image.frombytes("L", (480, 640), dice.randbytes(480 * 640))
    for quality in range(95, 5, -3):
        out = BytesIO()
        image.save(out, "JPEG", quality=quality)
        if len(out.getvalue()) <= PAGE_BYTES:
            break
    return out.getvalue()


def write_world(root: Path, *, pages: int, page: bytes, port: int) -> None:
    """What follows the end of a JPEG is ignored by every reader, and makes each file another one."""
    media, inputs = root / "in" / "media", root / "in" / "inputs"
    for path in (media, inputs, root / "out"):
        path.mkdir(parents=True)
    with (inputs / "samples.jsonl").open("w") as file:
        for number in range(pages):
            data = page + f"{number:08d}".encode()
            (media / f"{number}.jpg").write_bytes(data)
            image = ImageRef(path=f"{number}.jpg", sha256=sha256(data).hexdigest(), width=480, height=640)
            ask = Message(role="user", content="Read the page.")
            file.write(
                Sample(sample_id=f"{number}", messages=(ask,), images=(image,)).model_dump_json() + "\n"
            )
    spec = InferSpec(
        backend=HttpBackend(base_url=f"http://127.0.0.1:{port}"),
        model="m",
        model_identity="0" * 64,
        concurrency=CONCURRENCY,
    )
    (root / "spec.json").write_text(spec.model_dump_json())
