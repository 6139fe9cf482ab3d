"""What the driver measures of our own servers: a model that does not stream has no time to its first token."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from serving import Served


def asked(root: Path, socket: Path, *, samples: int = 3) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The records and the summary of a real driver process."""
    for name in ("in/inputs", "in/media", "out"):
        (root / name).mkdir(parents=True)
    lines = [
        {"sample_id": f"s{i}", "messages": [{"role": "user", "content": "one two three four"}]}
        for i in range(samples)
    ]
    (root / "in/inputs/samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    backend = {"kind": "socket", "sockets": [str(socket)]}
    spec = {"stage": "infer", "backend": backend, "model": "toy", "model_identity": "x", "warmup": 1}
    (root / "spec.json").write_text(json.dumps(spec))
    argv = [sys.executable, "-m", "vlmhb_stages", "infer"]
    subprocess.run(argv, check=True, env={**os.environ, "VLMHB_ROOT": str(root)}, timeout=60)
    records = [json.loads(line) for line in (root / "out/predictions.jsonl").read_text().splitlines()]
    return records, json.loads((root / "out/summary.json").read_text())


def test_a_model_that_does_not_stream_has_no_first_token(
    ready_server: Callable[..., Served], tmp_path: Path
) -> None:
    """Streams that are ones: tests/acceptance/test_acceptance_timing.py."""
    records, summary = asked(tmp_path / "run", ready_server("Echo").socket)
    assert {record["status"] for record in records} == {"ok"}
    assert {(record["ttft_s"], record["tpot_s"], record["itl"]) for record in records} == {(None, None, None)}
    assert all(record["latency_s"] > 0 and record["queue_s"] >= 0 for record in records)
    assert {record["tokens_from"] for record in records} <= {None, "tokenizer"}
    assert (summary["warmup"], summary["engine"]) == (1, {})
