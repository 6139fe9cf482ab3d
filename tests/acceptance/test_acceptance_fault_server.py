"""1,000 image requests at concurrency 64 against a server with every fault there is: nothing lost, nothing doubled,
nothing wrong, attempts exactly as configured; and the same with 50 kills of the driver and of the server."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fault_plan import ATTEMPTS, SAMPLES, SCRIPTS, expected
from vlmhb_stages.contracts import ImageRef, Message, Sample
from vlmhb_stages.specs import BreakerPolicy, HttpBackend, InferSpec, RetryPolicy

CONCURRENCY = 64
IMAGES = 16
IMAGE_BYTES = 60_000
KILLS = 50
FINAL = ("ok", "truncated", "refused", "context_overflow")
RETRY = RetryPolicy(
    attempts=ATTEMPTS,
    base_s=0.05,
    max_s=1.0,
    timeout_connect_s=5,
    timeout_first_token_s=3,
    timeout_token_s=3,
    timeout_total_s=30,
    server_wait_s=60,
)
HASTY = RETRY.model_copy(update={"max_s": 0.2, "timeout_first_token_s": 1.5, "timeout_token_s": 1.5})
BREAKER = BreakerPolicy(cooldown_s=0.1, max_cooldown_s=0.5, probes=4)


@dataclass
class World:
    """A `/vlmhb` folder, the fault server's process, and the driver's."""

    root: Path
    port: int
    server: subprocess.Popen[bytes] | None = None
    digests: list[str] = field(default_factory=list)  # of the images as they are sent

    def write_inputs(self) -> None:
        media, inputs = self.root / "in/media", self.root / "in/inputs"
        for folder in (media, inputs, self.root / "out"):
            folder.mkdir(parents=True)
        dice, images = random.Random(1), []
        for number in range(IMAGES):
            content = b"\x89PNG\r\n\x1a\n" + dice.randbytes(IMAGE_BYTES)
            (media / f"{number}.png").write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            images.append(ImageRef(path=f"{number}.png", sha256=digest, width=1000, height=1400))
            self.digests.append(hashlib.sha256(base64.b64encode(content)).hexdigest()[:12])
        with (inputs / "samples.jsonl").open("w") as file:
            for number in range(SAMPLES):
                ask = (Message(role="user", content=f"ask {number}"),)
                image = (images[number % IMAGES],)
                file.write(
                    Sample(sample_id=f"s{number}", messages=ask, images=image).model_dump_json() + "\n"
                )

    def write_spec(self, *, retry: RetryPolicy) -> None:
        spec = InferSpec(
            backend=HttpBackend(base_url=f"http://127.0.0.1:{self.port}"),
            model="m",
            model_identity="fault",
            concurrency=CONCURRENCY,
            retry=retry,
            breaker=BREAKER,
        )
        (self.root / "spec.json").write_text(spec.model_dump_json())

    def start_server(self) -> None:
        script = Path(__file__).with_name("fault_process.py")
        argv = [sys.executable, str(script), str(self.port), str(self.log)]
        self.server = subprocess.Popen(argv)

    def kill_server(self) -> None:
        assert self.server is not None
        self.server.kill()
        self.server.wait()

    def start_driver(self) -> subprocess.Popen[bytes]:
        env = {**os.environ, "VLMHB_ROOT": str(self.root), "OMP_NUM_THREADS": "1"}
        return subprocess.Popen([sys.executable, "-m", "vlmhb_stages", "infer"], env=env)

    @property
    def log(self) -> Path:
        return self.root / "requests.jsonl"

    def requests(self) -> list[int]:
        """Sample numbers as they arrived; the last line may be half written."""
        return [json.loads(line)["number"] for line in _whole_lines(self.log)]

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in _whole_lines(self.root / "out/predictions.jsonl")]

    def text_of(self, number: int) -> str | None:
        text = expected(number).text
        return f"{text} image {self.digests[number % IMAGES]}" if text is not None else None

    def is_as_expected(self, record: dict[str, Any]) -> bool:
        number = int(record["sample_id"][1:])
        told = expected(number)
        kind = record["error"]["kind"] if record["error"] else None
        return (record["status"], kind, record["text"]) == (told.status, told.kind, self.text_of(number))


def _whole_lines(path: Path) -> list[bytes]:
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(root=tmp_path, port=free_port())
    world.write_inputs()
    world.start_server()
    yield world
    world.kill_server()


def wait_for(condition: Callable[[], bool], *, timeout_s: float = 60) -> bool:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


@pytest.mark.timeout(180)
def test_every_fault_at_once(world: World) -> None:
    world.write_spec(retry=RETRY)
    assert world.start_driver().wait(170) == 0
    records = world.records()
    assert [record["sample_id"] for record in records] == [f"s{number}" for number in range(SAMPLES)]
    wrong = [record for record in records if not world.is_as_expected(record)]
    assert wrong == []

    configured = {number: expected(number).attempts for number in range(SAMPLES)}
    assert Counter(world.requests()) == configured
    written = Counter(
        json.loads(line)["sample_id"] for line in _whole_lines(world.root / "out/attempts.jsonl")
    )
    assert written == {f"s{number}": attempts for number, attempts in configured.items()}
    assert {record["sample_id"]: record["attempts"] for record in records} == written
    assert {expected(number).kind for number in range(100)} == {
        None, "server_error", "rate_limited", "timeout", "context_overflow",
    }  # fmt: skip
    assert len(SCRIPTS) == 16


@dataclass
class Kills:
    """Which part dies at how many requests, and what was acknowledged then."""

    dice: random.Random
    parts: Counter[str] = field(default_factory=Counter)
    again: list[int] = field(default_factory=list)  # samples asked again although their answer was recorded
    most_lost: int = 0

    def next_part(self) -> str:
        return min(("driver", "server"), key=lambda part: (self.parts[part], self.dice.random()))


def acknowledged(world: World) -> set[int]:
    return {int(record["sample_id"][1:]) for record in world.records() if record["status"] in FINAL}


def kill_driver(world: World, driver: subprocess.Popen[bytes], *, before: set[int], kills: Kills) -> set[int]:
    """What is acknowledged now; notes who was asked again since the last time, and how much was in flight."""
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    recorded = {int(record["sample_id"][1:]) for record in world.records()}
    lost = set(world.requests()) - recorded
    kills.most_lost = max(kills.most_lost, len(lost))
    return before | acknowledged(world)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_same_with_fifty_kills(world: World) -> None:
    world.write_spec(retry=HASTY)  # here the outcome counts, not the number of attempts
    kills = Kills(dice=random.Random("fault server"))
    points = sorted(kills.dice.sample(range(20, SAMPLES), KILLS))
    driver, known, seen = world.start_driver(), set[int](), 0
    for point in points:
        reached = wait_for(lambda at=point, of=driver: len(world.requests()) >= at or of.poll() is not None)
        assert reached, f"{len(world.requests())} requests, {point} awaited"
        part = kills.next_part()
        if part == "server":
            world.kill_server()
            world.start_server()
        else:
            if driver.poll() is None:
                kills.again += [number for number in world.requests()[seen:] if number in known]
                known = kill_driver(world, driver, before=known, kills=kills)
                seen = len(world.requests())
            driver = world.start_driver()
        kills.parts[part] += 1
    assert driver.wait(200) == 0
    # what failed because a server was killed under it is an error, and errors are tried again by the same command
    assert world.start_driver().wait(100) == 0
    kills.again += [number for number in world.requests()[seen:] if number in known]

    assert kills.parts == {"driver": KILLS // 2, "server": KILLS // 2}
    assert kills.again == []
    assert kills.most_lost <= CONCURRENCY
    records = world.records()
    assert [record["sample_id"] for record in records] == [f"s{number}" for number in range(SAMPLES)]
    assert [record for record in records if not world.is_as_expected(record)] == []
