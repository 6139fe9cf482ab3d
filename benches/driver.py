"""What the driver costs per request: 1,000 pages against a server that answers after 50 ms."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

from benches.timing import Row

PAGES = 1000
CONCURRENCY = 64
DELAY_S = 0.05
PAGE_BYTES = 100_000

SERVER = """
import asyncio, json, sys
from aiohttp import web
async def chat(request):
    await request.read()
    await asyncio.sleep(float(sys.argv[2]))
    return web.json_response({"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}],
                              "usage": {"prompt_tokens": 1, "completion_tokens": 1}})
async def models(request):
    return web.json_response({"data": [{"id": "m"}]})
async def health(request):
    return web.Response()
app = web.Application(client_max_size=1 << 30)
app.router.add_post("/v1/chat/completions", chat)
app.router.add_get("/v1/models", models)
app.router.add_get("/health", health)
web.run_app(app, path=sys.argv[1], print=None)
"""


def measure(folder: Path) -> list[Row]:
    """Wall seconds; the baseline is what the server's answers alone take at this concurrency."""
    root = folder / "root"
    (root / "out").mkdir(parents=True)
    write_inputs(root)
    socket = root / "sock" / "model.sock"
    socket.parent.mkdir()
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(socket), str(DELAY_S)])
    try:
        while not socket.exists():
            time.sleep(0.05)
        started = time.perf_counter()
        driver = subprocess.Popen(
            [sys.executable, "-m", "vlmhb_stages", "infer"], env={**os.environ, "VLMHB_ROOT": str(root)}
        )
        _, status, usage = os.wait4(driver.pid, 0)
        wall = time.perf_counter() - started
    finally:
        server.terminate()
        server.wait()
    if status != 0:
        raise SystemExit(f"the driver ended with status {status}")
    ideal = PAGES / CONCURRENCY * DELAY_S
    cpu = (usage.ru_utime + usage.ru_stime) / PAGES * 1000
    note = f"{PAGES / wall:.0f} requests/s, {cpu:.1f} CPU ms per request, peak RSS {usage.ru_maxrss / 1024:.0f} MiB"
    return [
        Row(
            name=f"server's own limit, {CONCURRENCY} in flight",
            minimum=ideal,
            median=ideal,
            maximum=ideal,
            runs=1,
        ),
        Row(
            name=f"driver, {PAGES} pages of 100 kB",
            minimum=wall,
            median=wall,
            maximum=wall,
            runs=1,
            ratio=wall / ideal,
            note=note,
        ),
    ]


def write_inputs(root: Path) -> None:
    """Every page differs, so that no cache of encoded images helps."""
    (root / "in" / "media").mkdir(parents=True)
    (root / "in" / "inputs").mkdir()
    header = base64.b64decode("iVBORw0KGgo=")  # the PNG signature is enough: the server does not look inside
    with (root / "in" / "inputs" / "samples.jsonl").open("w") as file:
        for number in range(PAGES):
            data = header + os.urandom(PAGE_BYTES)
            name = f"{number}.png"
            (root / "in" / "media" / name).write_bytes(data)
            image = {"path": name, "sha256": sha256(data).hexdigest(), "width": 1, "height": 1}
            sample = {
                "sample_id": str(number),
                "messages": [{"role": "user", "content": "Read."}],
                "images": [image],
            }
            file.write(json.dumps(sample) + "\n")
    spec = {
        "stage": "infer",
        "backend": {"kind": "socket"},
        "model": "m",
        "model_identity": "x",
        "concurrency": CONCURRENCY,
    }
    (root / "spec.json").write_text(json.dumps(spec))
