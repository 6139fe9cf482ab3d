"""What evaluation costs: a million predictions through the real stage, and the bootstrap of a large set."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from vlmhb_benchmarks.metrics.bootstrap import resampled_totals

from benches.timing import Row

SAMPLES = 1_000_000
SCORES = 100_000
DRAWS = 10_000
LIMIT_MIB = 1024


def measure(folder: Path) -> list[Row]:
    return [_stage(folder), *_bootstraps()]


def _stage(folder: Path) -> Row:
    root = folder / "root"
    (root / "out").mkdir(parents=True)
    write_inputs(root, samples=SAMPLES)
    started = time.perf_counter()
    stage = subprocess.Popen(
        [sys.executable, "-m", "vlmhb_stages", "evaluate"], env={**os.environ, "VLMHB_ROOT": str(root)}
    )
    _, status, usage = os.wait4(stage.pid, 0)
    wall = time.perf_counter() - started
    if status != 0:
        raise SystemExit(f"evaluate ended with status {status}")
    cpu = usage.ru_utime + usage.ru_stime
    note = (
        f"peak RSS {usage.ru_maxrss / 1024:.0f} MiB of {LIMIT_MIB}, {cpu / SAMPLES * 1e6:.0f} CPU us a sample"
    )
    return _once(f"evaluate, {SAMPLES:,} predictions, cer + anls, 1,000 draws", wall, note=note)


def write_inputs(root: Path, *, samples: int) -> None:
    """Field-length answers in the order of a journal with 64 requests in flight; one in 50 has failed."""
    rng = random.Random(0)
    for name in ("inputs", "labels", "predictions"):
        (root / "in" / name).mkdir(parents=True)
    lines: list[str] = []
    with (
        (root / "in/inputs/samples.jsonl").open("w") as inputs,
        (root / "in/labels/labels.jsonl").open("w") as labels,
        (root / "in/predictions/predictions.jsonl").open("w") as predictions,
    ):
        for number in range(samples):
            inputs.write(json.dumps(_sample(number)) + "\n")
            gold = f"{rng.randrange(10**9):09d} OOO {number % 977}"
            labels.write(json.dumps({"sample_id": f"page-{number:07d}", "references": [gold]}) + "\n")
            lines.append(json.dumps(_prediction(number, gold, rng=rng)) + "\n")
            if len(lines) == 64:
                rng.shuffle(lines)
                predictions.writelines(lines)
                lines.clear()
        predictions.writelines(lines)
    spec = {"stage": "evaluate", "metrics": ["cer", "anls"], "primary": "anls"}
    (root / "spec.json").write_text(json.dumps(spec))


def _sample(number: int) -> dict[str, object]:
    image = {"path": f"images/{number}.png", "sha256": f"{number:064x}", "width": 1240, "height": 1754}
    return {
        "sample_id": f"page-{number:07d}",
        "messages": [{"role": "user", "content": "What is the number of this document?"}],
        "images": [image],
        "metadata": {"doc_class": f"class {number % 12}", "question_type": f"question {number % 40}"},
    }


def _prediction(number: int, gold: str, *, rng: random.Random) -> dict[str, object]:
    record: dict[str, object] = {"sample_id": f"page-{number:07d}", "request_hash": f"{number:064x}"}
    if number % 50 == 0:
        return {**record, "status": "error", "error": {"kind": "timeout", "message": "no answer"}}
    text = gold if rng.random() < 0.7 else gold[: rng.randrange(len(gold))] + "x"
    return {**record, "status": "ok", "text": text, "latency_s": 1.5, "output_tokens": 12}


def _bootstraps() -> list[Row]:
    """Real-valued scores are the slow case; edit counts repeat, so their draws are by distinct value."""
    rng = np.random.default_rng(0)
    ones = np.ones(SCORES)
    lengths = rng.integers(1, 60, SCORES)
    cases = {
        "real values, all different": np.column_stack([rng.random(SCORES), ones]),
        "right or wrong": np.column_stack([(rng.random(SCORES) < 0.7).astype(float), ones]),
        "edits and lengths": np.column_stack([rng.integers(0, lengths + 1), lengths]).astype(float),
    }
    rows = [_bare(cases["real values, all different"][:, 0].copy())]
    for name, parts in cases.items():
        work = partial(resampled_totals, parts, draws=DRAWS, seed=(1,))
        rows.append(
            _timed(f"bootstrap, {DRAWS:,} draws of {SCORES:,} scores: {name}", work, base=rows[0].median)
        )
    return rows


def _bare(scores: Any) -> Row:
    """What everybody writes: as many picks as scores, their mean, again and again. A tenth of it, times ten."""
    rng = np.random.default_rng(1)

    def loop() -> None:
        for _ in range(DRAWS // 10):
            scores[rng.integers(0, len(scores), len(scores))].mean()

    return _timed(f"{DRAWS:,} draws of {SCORES:,} scores, bare numpy loop", loop, times=10)


def _timed(name: str, work: Callable[[], object], *, times: int = 1, base: float | None = None) -> Row:
    """`times`: how often `work` would have to run. CPU seconds tell more where the machine is shared."""
    started, used = time.perf_counter(), time.process_time()
    work()
    wall, cpu = (time.perf_counter() - started) * times, (time.process_time() - used) * times
    return _once(name, wall, base=base, note=f"{cpu:.2f} CPU s")


def _once(name: str, wall: float, *, base: float | None = None, note: str = "") -> Row:
    ratio = None if base is None else wall / base
    return Row(name=name, minimum=wall, median=wall, maximum=wall, runs=1, ratio=ratio, note=note)
