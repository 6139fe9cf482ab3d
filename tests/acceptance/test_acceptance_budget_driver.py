"""A budget holds with 64 requests in flight: by the count of the server that is paid, not by ours.

The server is a process of its own and writes down what each answer costs before it sends it. The test is the host: it
grants money as the driver asks for it. That `vlmhb run` does so is in test_acceptance_budget_run.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from vlmhb_stages.contracts import InferSummary, Message, Prediction, Sample
from vlmhb_stages.specs import Budget, Decoding, HttpBackend, InferSpec, Price, RetryPolicy

PLANNED, IN_FLIGHT = 600, 64
PRICE = Price(
    input=1.0, output=4.0, per_request=0.0001, currency="USD"
)  # USD per million tokens, and per request
MAX_TOKENS = 200

SERVER = """
import asyncio, hashlib, json, sys
from aiohttp import web

ledger = open(sys.argv[1], "a", buffering=1)
in_flight = most = 0

async def chat(request):
    global in_flight, most
    in_flight += 1
    most = max(most, in_flight)
    if most == int(sys.argv[2]):
        full.set()
    await full.wait()  # the first answers come when as many are in flight as may be
    body = await request.json()
    text = body["messages"][0]["content"]
    digest = hashlib.sha256(text.encode()).digest()
    await asyncio.sleep(0.01 + digest[0] / 255 * 0.05)
    in_flight -= 1
    if digest[1] < 25 and text not in seen:  # a tenth of the requests is turned away once, for nothing
        seen.add(text)
        return web.json_response({"error": {"message": "slow down"}}, status=429)
    usage = {"prompt_tokens": len(text) // 3 + digest[2] % 20, "completion_tokens": 1 + digest[3] % 200}
    ledger.write(json.dumps({"text": text, "most": most, **usage}) + "\\n")
    message = {"role": "assistant", "content": f"answer to {text}"}
    return web.json_response({"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage})

async def models(request):
    return web.json_response({"data": [{"id": "m"}]})

seen = set()
app = web.Application()
app.router.add_post("/v1/chat/completions", chat)
app.router.add_get("/v1/models", models)

async def main():
    global full
    full = asyncio.Event()
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@dataclass(frozen=True)
class PaidServer:
    url: str
    ledger: Path

    @property
    def answers(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.ledger.read_text().splitlines()]

    @property
    def earned(self) -> float:
        tokens = sum(
            one["prompt_tokens"] * PRICE.input + one["completion_tokens"] * PRICE.output
            for one in self.answers
        )
        return tokens / 1e6 + len(self.answers) * PRICE.per_request


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PaidServer]:
    ledger = tmp_path / "ledger.jsonl"
    ledger.touch()
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(ledger), str(IN_FLIGHT)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    yield PaidServer(f"http://127.0.0.1:{int(process.stdout.readline())}", ledger)
    process.kill()
    process.wait()
    process.stdout.close()


@dataclass(frozen=True)
class Inference:
    """One artifact, and its host."""

    root: Path

    def make(self, server: PaidServer) -> None:
        for name in ("in/inputs", "out", "control"):
            (self.root / name).mkdir(parents=True)
        with (self.root / "in/inputs/samples.jsonl").open("w") as file:
            for number in range(PLANNED):
                message = Message(
                    role="user", content=f"question {number} " + "of many words " * (number % 9)
                )
                file.write(Sample(sample_id=f"s{number}", messages=(message,)).model_dump_json() + "\n")
        spec = InferSpec(
            backend=HttpBackend(base_url=server.url),
            model="m",
            model_identity="0" * 64,
            decoding=Decoding(max_tokens=MAX_TOKENS),
            concurrency=IN_FLIGHT,
            retry=RetryPolicy(attempts=3, base_s=0.01, max_s=0.05),
            price=PRICE,
            budget=Budget(),
        )
        (self.root / "spec.json").write_text(spec.model_dump_json())

    def run(self, *, limit: float, server: PaidServer) -> int:
        """The driver's exit code; every 20 ms: grants what is asked for, and the limit holds."""
        events, granted, read = self.root / "out/events.jsonl", 0.0, 0
        events.write_bytes(b"")
        self._grant(granted, final=False)
        env = {**os.environ, "VLMHB_ROOT": str(self.root)}
        driver = subprocess.Popen([sys.executable, "-m", "vlmhb_stages", "infer"], env=env)
        try:
            while driver.poll() is None:
                told = [
                    json.loads(line)
                    for line in events.read_bytes().splitlines(keepends=True)[read:]
                    if line.endswith(b"\n")
                ]
                read += len(told)
                needs = [event["need"] for event in told if event["type"] == "budget"]
                if needs and max(needs) > granted:
                    granted = min(limit, max(needs))
                    self._grant(granted, final=granted == limit)
                assert server.earned <= limit
                time.sleep(0.02)
        finally:
            driver.kill()
            code = driver.wait()
        return code

    def _grant(self, amount: float, *, final: bool) -> None:
        new = self.root / "control/new"
        new.write_text(json.dumps({"granted": amount, "final": final}))
        new.replace(self.root / "control/budget.json")

    @property
    def summary(self) -> InferSummary:
        return InferSummary.model_validate_json((self.root / "out/summary.json").read_bytes())

    @property
    def answers(self) -> list[tuple[str, str, str | None, float | None]]:
        lines = (self.root / "out/predictions.jsonl").read_bytes().splitlines()
        found = [Prediction.model_validate_json(line) for line in lines]
        return [(record.sample_id, record.status, record.text, record.cost) for record in found]


def test_the_limit_holds_and_raised_it_comes_to_the_same(server: PaidServer, tmp_path: Path) -> None:
    whole = Inference(tmp_path / "whole")
    whole.make(server)
    assert whole.run(limit=1000.0, server=server) == 0
    total = server.earned
    assert whole.summary.spent == pytest.approx(total) and len(server.answers) == PLANNED
    assert max(one["most"] for one in server.answers) == IN_FLIGHT

    server.ledger.write_bytes(b"")
    divided = Inference(tmp_path / "divided")
    divided.make(server)
    reached = 0
    for share in (0.2, 0.5, 0.9):
        assert divided.run(limit=total * share, server=server) == 7
        assert server.earned <= total * share
        assert divided.summary.spent == pytest.approx(server.earned)
        assert divided.summary.counts.ok == len(server.answers) > reached
        assert divided.summary.counts.skipped == PLANNED - len(server.answers)
        # what is left of the limit is less than the most that one more request could have cost
        assert (
            total * share - server.earned
            < (16 + 64 + 200 + MAX_TOKENS * PRICE.output) / 1e6 + PRICE.per_request
        )
        reached = len(server.answers)
    assert divided.run(limit=1000.0, server=server) == 0
    assert server.earned == pytest.approx(total) and divided.summary.spent == pytest.approx(total)
    assert divided.answers == whole.answers
    assert len({one["text"] for one in server.answers}) == len(server.answers) == PLANNED
