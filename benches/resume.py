"""What a million recorded predictions cost the next start: seconds to the first request, seconds to the end, memory."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from vlmhb_stages.contracts import Message, Prediction, Sample
from vlmhb_stages.infer.guard import Guard
from vlmhb_stages.infer.request_hash import request_hash_of
from vlmhb_stages.infer.samples import survey
from vlmhb_stages.specs import HttpBackend, InferSpec

from benches.timing import Row

RECORDS = 1_000_000
OPEN = 50  # samples without a record, at the very end
TEXT = "Invoice 42\nTotal: 12.50 EUR, due on 12 May\n" * 6
ITL = {str(number): 3 for number in range(400, 420)}

SERVER = """
import sys, time
from aiohttp import web
async def chat(request):
    await request.read()
    print(time.time(), flush=True)
    return web.json_response({"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}],
                              "usage": {"prompt_tokens": 1, "completion_tokens": 1}})
async def models(request):
    return web.json_response({"data": [{"id": "m"}]})
app = web.Application()
app.router.add_post("/v1/chat/completions", chat)
app.router.add_get("/v1/models", models)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""


@dataclass(frozen=True, kw_only=True)
class Start:
    """Seconds after the driver's process was started; memory in MiB at its peak."""

    first_request_s: float
    end_s: float
    peak_mib: float


def measure(folder: Path) -> list[Row]:
    port = free_port()
    spec = InferSpec(
        backend=HttpBackend(base_url=f"http://127.0.0.1:{port}"),
        model="m",
        model_identity="0" * 64,
        concurrency=8,
    )
    rows = []
    for name, guarded, elsewhere in (
        ("own records", True, False),
        ("own records of a version without requests.json", False, False),
        ("records of another artifact", True, True),
    ):
        root = folder / name.replace(" ", "-")
        size = write_world(root, spec, guarded=guarded, elsewhere=elsewhere)
        start = run(root, port=port)
        rows.append(
            Row(
                name=f"{RECORDS:,} {name} ({size >> 20} MiB): to the first request",
                minimum=start.first_request_s,
                median=start.first_request_s,
                maximum=start.first_request_s,
                runs=1,
                note=f"to the end {start.end_s:.1f} s, peak RSS {start.peak_mib:.0f} MiB",
            )
        )
    return rows


def write_world(root: Path, spec: InferSpec, *, guarded: bool, elsewhere: bool) -> int:
    """Samples, and a record of all but the last `OPEN`; how many bytes the records have."""
    inputs, out = root / "in" / "inputs", root / "out"
    recorded = root / "in" / "previous" / ("f" * 64) if elsewhere else out
    for path in (inputs, out, recorded):
        path.mkdir(parents=True, exist_ok=True)
    prediction = Prediction(
        sample_id="@id", request_hash="@hash", status="ok", text=TEXT, finish_reason="stop", input_tokens=812,
        output_tokens=120, tokens_from="usage", queue_s=0.000123, latency_s=1.234567, ttft_s=0.234567,
        tpot_s=0.008403, itl=ITL, server="127.0.0.1:8000", cost=0.000312,
    ).model_dump_json()  # fmt: skip
    with (
        (inputs / "samples.jsonl").open("w") as samples,
        (recorded / "predictions.jsonl").open("w") as predictions,
    ):
        for number in range(RECORDS + OPEN):
            sample = Sample(
                sample_id=f"pages/{number:07d}",
                messages=(Message(role="user", content=f"Read page {number}."),),
                metadata={"doc_class": "invoice"},
            )
            samples.write(sample.model_dump_json() + "\n")
            if number < RECORDS:
                digest = request_hash_of(sample, spec=spec)
                predictions.write(prediction.replace("@id", sample.sample_id).replace("@hash", digest) + "\n")
    if guarded and not elsewhere:
        Guard(out, spec=spec, samples=survey(inputs / "samples.jsonl")).put_up()
    previous = ("/vlmhb/in/previous/" + "f" * 64,) if elsewhere else ()
    (root / "spec.json").write_text(spec.model_copy(update={"previous": previous}).model_dump_json())
    return (recorded / "predictions.jsonl").stat().st_size


def run(root: Path, *, port: int) -> Start:
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(port)], stdout=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        time.sleep(2)
        started = time.time()
        watched = watch_driver(root)
        ended = time.time()
    finally:
        server.terminate()
        times, _ = server.communicate()
    summary = json.loads((root / "out" / "summary.json").read_text())
    if watched.code != 0 or summary["counts"]["ok"] != RECORDS + OPEN:
        raise SystemExit(f"the driver ended with {watched.code}: {summary['counts']}")
    first = float(times.split()[0])
    return Start(first_request_s=first - started, end_s=ended - started, peak_mib=watched.peak_mib)


@dataclass(frozen=True, kw_only=True)
class Watched:
    """How the driver ended; its resident memory in MiB (VmHWM: not what its parent held when it was forked)."""

    code: int
    peak_mib: float
    last_mib: float


def watch_driver(root: Path) -> Watched:
    """Runs the driver of that `/vlmhb` folder to its end."""
    driver = subprocess.Popen(
        [sys.executable, "-m", "vlmhb_stages", "infer"], env={**os.environ, "VLMHB_ROOT": str(root)}
    )
    peak = last = 0.0
    status = Path(f"/proc/{driver.pid}/status")
    while driver.poll() is None:
        values = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        if "VmHWM" in values:
            peak, last = (int(values[name].split()[0]) / 1024 for name in ("VmHWM", "VmRSS"))
        time.sleep(0.1)
    return Watched(code=driver.returncode, peak_mib=peak, last_mib=last)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
