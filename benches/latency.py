"""How true the driver's times are: one request at a time against a server with known delays."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benches.timing import Row

SERVER = Path(__file__).parents[1] / "tests" / "acceptance" / "timing_server.py"
REPEATS = 20
# Seconds to the first piece, between pieces, pieces, tokens in each, seconds before the end.
PLANS: dict[str, dict[str, Any]] = {
    "one token a piece": {"first_s": 0.4, "gap_s": 0.05, "pieces": 9, "tokens": 1, "tail_s": 0.0},
    "five tokens a piece": {"first_s": 0.3, "gap_s": 0.1, "pieces": 5, "tokens": 5, "tail_s": 0.0},
}


def measure(folder: Path) -> list[Row]:
    """Seconds as the driver recorded them; `× baseline` is over the truth."""
    socket = folder / "model.sock"
    server = subprocess.Popen([sys.executable, str(SERVER), str(socket)])
    rows: list[Row] = []
    try:
        while not socket.exists():
            time.sleep(0.05)
        for name, plan in PLANS.items():
            rows += compared(name, plan, asked(folder / name.replace(" ", "-"), socket, plan=plan))
    finally:
        server.terminate()
        server.wait()
    return rows


def asked(root: Path, socket: Path, *, plan: dict[str, Any]) -> list[dict[str, Any]]:
    for name in ("in/inputs", "in/media", "out"):
        (root / name).mkdir(parents=True)
    content = json.dumps({**plan, "running": True})
    samples = [
        {"sample_id": str(i), "messages": [{"role": "user", "content": content}]} for i in range(REPEATS)
    ]
    (root / "in/inputs/samples.jsonl").write_text("".join(json.dumps(sample) + "\n" for sample in samples))
    backend = {"kind": "socket", "sockets": [str(socket)]}
    spec = {"stage": "infer", "backend": backend, "model": "m", "model_identity": "x", "warmup": 1}
    (root / "spec.json").write_text(json.dumps(spec))
    argv = [sys.executable, "-m", "vlmhb_stages", "infer"]
    subprocess.run(argv, check=True, env={**os.environ, "VLMHB_ROOT": str(root)})
    return [json.loads(line) for line in (root / "out/predictions.jsonl").read_text().splitlines()]


def compared(name: str, plan: dict[str, Any], records: list[dict[str, Any]]) -> list[Row]:
    decode_s = plan["gap_s"] * (plan["pieces"] - 1) + plan["tail_s"]
    truths = {
        "ttft_s": plan["first_s"],
        "latency_s": plan["first_s"] + decode_s,
        "tpot_s": decode_s / (plan["pieces"] * plan["tokens"] - 1),
    }
    rows = []
    for key, truth in truths.items():
        seen = [record[key] for record in records]
        median = statistics.median(seen)
        rows.append(
            Row(
                name=f"{key}, {name}",
                minimum=min(seen),
                median=median,
                maximum=max(seen),
                runs=len(seen),
                ratio=median / truth,
                note=f"truth {truth:.4f} s, off by {(median - truth) * 1000:+.2f} ms",
            )
        )
    return rows
