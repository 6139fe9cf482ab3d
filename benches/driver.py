"""What the driver costs beside a bare aiohttp loop: receipts of 50-200 kB, a server that answers after 150 ms.

Both are processes of their own that ask the same server process, in turn. `VLMHB_BENCH_RECEIPTS`: a folder of real
images to use instead of generated ones (the server never looks inside).
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import cycle, islice
from pathlib import Path

from benches.timing import Row

PAGES = 1000
CONCURRENCIES = (32, 64, 128)
ROUNDS = 3
DELAY_S = 0.15
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"

SERVER = """
import asyncio, sys
from aiohttp import web
USAGE = b'"usage":{"prompt_tokens":900,"completion_tokens":2}'
WHOLE = b'{"choices":[{"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}],' + USAGE + b'}'
STREAM = [b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\\n\\n',
          b'data: {"choices":[{"delta":{"content":"x"},"finish_reason":null}]}\\n\\n',
          b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\\n\\n',
          b'data: {"choices":[],' + USAGE + b'}\\n\\n', b'data: [DONE]\\n\\n']
async def chat(request):
    body = await request.read()
    await asyncio.sleep(float(sys.argv[2]))
    if b'"stream":true' not in body[-500:]:
        return web.Response(body=WHOLE, content_type="application/json")
    return web.Response(body=b"".join(STREAM), content_type="text/event-stream")
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

BARE = """
import asyncio, base64, json, sys, time
from pathlib import Path
import aiohttp
async def main(socket, media, concurrency):
    files, gate = sorted(Path(media).iterdir()), asyncio.Semaphore(concurrency)
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(path=socket, limit=0)) as session:
        async def ask(path):
            async with gate:
                url = "data:image/jpeg;base64," + base64.b64encode(path.read_bytes()).decode()
                content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "Read."}]
                body = {"model": "m", "messages": [{"role": "user", "content": content}]}
                async with session.post("http://x/v1/chat/completions", json=body) as response:
                    assert (await response.json())["choices"][0]["message"]["content"] == "x"
        started = time.perf_counter()
        await asyncio.gather(*(ask(path) for path in files))
        print(time.perf_counter() - started)
asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of one process. `sending_s`: from the first request to the last answer."""

    sending_s: float
    cpu_s: float
    rss_mib: float


def measure(folder: Path) -> list[Row]:
    """Seconds of sending; the baseline is the bare loop at the same concurrency."""
    inputs = folder / "in"
    write_inputs(inputs)
    socket = folder / "model.sock"
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(socket), str(DELAY_S)])
    rows: list[Row] = []
    try:
        while not socket.exists():
            time.sleep(0.05)
        for concurrency in CONCURRENCIES:
            bare, ours = [], []
            for _ in range(ROUNDS):
                bare.append(bare_loop(socket, inputs / "media", concurrency=concurrency))
                ours.append(driver(socket, inputs, concurrency=concurrency))
            rows += [
                row(f"bare aiohttp loop, {concurrency} in flight", bare, baseline=None),
                row(f"driver, {concurrency} in flight", ours, baseline=bare),
            ]
    finally:
        server.terminate()
        server.wait()
    return rows


def row(name: str, costs: list[Cost], *, baseline: list[Cost] | None) -> Row:
    """`ratio` is the median of the rounds' own ratios: what disturbs a round disturbs both."""
    times = [cost.sending_s for cost in costs]
    ratios = [cost.sending_s / base.sending_s for cost, base in zip(costs, baseline or costs, strict=True)]
    cpu = statistics.median(cost.cpu_s for cost in costs) / PAGES * 1000
    rss = max(cost.rss_mib for cost in costs)
    rate = PAGES / statistics.median(times)
    note = f"{rate:.0f} requests/s, {cpu:.1f} CPU ms per request, peak RSS {rss:.0f} MiB"
    if baseline is not None:
        note += f"; {100 / statistics.median(ratios):.0f} % of the bare loop's throughput"
    return Row(
        name=name,
        minimum=min(times),
        median=statistics.median(times),
        maximum=max(times),
        runs=len(times),
        ratio=None if baseline is None else statistics.median(ratios),
        note=note,
    )


def bare_loop(socket: Path, media: Path, *, concurrency: int) -> Cost:
    argv = [sys.executable, "-c", BARE, str(socket), str(media), str(concurrency)]
    with tempfile.TemporaryFile() as out:
        cost = _run(argv, env={}, out=out.fileno())
        out.seek(0)
        return Cost(sending_s=float(out.read()), cpu_s=cost.cpu_s, rss_mib=cost.rss_mib)


def driver(socket: Path, inputs: Path, *, concurrency: int) -> Cost:
    with tempfile.TemporaryDirectory(prefix="vlmhb-driver-") as folder:
        root = Path(folder)
        (root / "out").mkdir()
        (root / "in").symlink_to(inputs)
        spec = {
            "stage": "infer",
            "backend": {"kind": "socket", "sockets": [str(socket)]},
            "model": "m",
            "model_identity": "x",
            "concurrency": concurrency,
        }
        (root / "spec.json").write_text(json.dumps(spec))
        cost = _run([sys.executable, "-m", "vlmhb_stages", "infer"], env={"VLMHB_ROOT": folder}, out=None)
        attempts = [json.loads(line) for line in (root / "out/attempts.jsonl").read_text().splitlines()]
    if len(attempts) != PAGES or any(attempt["outcome"] != "ok" for attempt in attempts):
        raise SystemExit(f"{len(attempts)} attempts for {PAGES} pages, or some of them failed")
    ends = [attempt["started"] + attempt["latency_s"] for attempt in attempts]
    sending = max(ends) - min(attempt["started"] for attempt in attempts)
    return Cost(sending_s=sending, cpu_s=cost.cpu_s, rss_mib=cost.rss_mib)


def _run(argv: list[str], *, env: dict[str, str], out: int | None) -> Cost:
    started = time.perf_counter()
    process = subprocess.Popen(argv, env={**os.environ, **env}, stdout=out)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status != 0:
        raise SystemExit(f"{argv[1:3]} ended with status {status}")
    return Cost(
        sending_s=time.perf_counter() - started,
        cpu_s=usage.ru_utime + usage.ru_stime,
        rss_mib=usage.ru_maxrss / 1024,
    )


def write_inputs(inputs: Path) -> None:
    """Every page differs, so that no cache of encoded images helps."""
    (inputs / "media").mkdir(parents=True)
    (inputs / "inputs").mkdir()
    with (inputs / "inputs" / "samples.jsonl").open("w") as file:
        for number, data in enumerate(islice(receipts(), PAGES)):
            name = f"{number:05}.jpg"
            (inputs / "media" / name).write_bytes(data)
            image = {"path": name, "sha256": sha256(data).hexdigest(), "width": 1, "height": 1}
            sample = {
                "sample_id": str(number),
                "messages": [{"role": "user", "content": "Read."}],
                "images": [image],
            }
            file.write(json.dumps(sample) + "\n")


def receipts() -> Iterator[bytes]:
    """One at a time: what this process holds would count as the peak of those that it starts."""
    folder = os.environ.get("VLMHB_BENCH_RECEIPTS")
    if folder is not None:
        paths = [path for path in sorted(Path(folder).iterdir()) if path.is_file()]
        return (path.read_bytes() for path in cycle(paths))
    rng = random.Random(1)
    return (JPEG + rng.randbytes(rng.randrange(50_000, 200_000)) for _ in range(PAGES))
