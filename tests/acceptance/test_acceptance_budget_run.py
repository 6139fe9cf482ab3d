"""Money, end to end: a budget stops a run at its limit, and raised it ends as if there had been none."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from e2e_api import Api
from e2e_world import World
from test_acceptance_reuse import api_card

EACH = 0.01 + (7 * 0.01 + 3 * 0.02) / 1e6  # what a request costs; its ceiling is little more
PRICES = """currency: USD
date: 2026-01-02
source: invented for a test
models:
  page-model: {input: 0.01, output: 0.02, per_request: 0.01}
"""
PAGES = 12


@pytest.fixture
def paid_world(process_world: World, api: Api) -> World:
    world = process_world
    world.make(pages=PAGES)
    api_card(world, api)
    (world.root / "prices.yaml").write_text(PRICES)
    configure(world)
    return world


def configure(world: World, **top: Any) -> None:
    value = {
        "prices": "prices.yaml",
        **top,
        "evaluations": [{"dataset": "pages", "model_name": "page-model"}],
    }
    (world.root / "test.json").write_text(json.dumps(value))


def report(summary: dict[str, Any]) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((Path(summary["run_dir"]) / "report" / "report.json").read_text())
    return value


def spent(summary: dict[str, Any], world: World) -> float:
    return sum(record["cost"] or 0.0 for record in world.predictions(summary))


def ledger(world: World) -> float:
    files = (world.workspace / "costs").glob("*.json")
    return sum(entry["spent"] for path in files for entry in json.loads(path.read_text())["entries"].values())


def essence(records: list[dict[str, Any]]) -> list[tuple[str, str, float]]:
    return [(one["sample_id"], one["text"], one["cost"]) for one in records]


def test_a_budget_stops_the_run_and_raised_it_ends_as_without_one(
    paid_world: World, api: Api, tmp_path: Path
) -> None:
    world = paid_world
    configure(world, budget={"run": "0.055 USD"})
    done = world.call("--json")
    assert done.returncode == 5, done.stderr
    stopped = json.loads(done.stdout.splitlines()[-1])
    assert stopped["status"] == "stopped by budget"
    counts = stopped["evaluations"][0]["counts"]
    assert counts == {"planned": PAGES, "ok": 5, "error": 0, "skipped": PAGES - 5}
    assert len(api.requests) == 5
    (line,) = [text for text in done.stderr.splitlines() if "VHB506" in text and "  VHB" in text]
    assert "the budget of the run pays no further request: 0.05" in line and "of 0.055 USD" in line
    told = report(stopped)
    item = told["evaluations"][0]
    assert item["coverage"] == pytest.approx(5 / PAGES, abs=1e-3) and item["status"] == "partial"
    assert item["cost"]["total"] == pytest.approx(5 * EACH) == pytest.approx(item["cost"]["paid"])
    assert told["budgets"] == [{"scope": "run", "limit": 0.055, "spent": pytest.approx(5 * EACH)}]
    assert ledger(world) == pytest.approx(5 * EACH)

    again = world.run(expect=5)  # nothing left: nothing is asked
    assert len(api.requests) == 5 and again["run_id"] == stopped["run_id"]

    configure(world, budget=1)
    ended = world.run()
    assert ended["run_id"] == stopped["run_id"]
    assert len(api.requests) == PAGES
    assert spent(ended, world) == pytest.approx(PAGES * EACH) == pytest.approx(ledger(world))

    free = World(root=tmp_path / "free", engine="process", envs=world.envs)
    free.root.mkdir()
    free.make(pages=PAGES)
    api_card(free, api)
    (free.root / "prices.yaml").write_text(PRICES)
    configure(free)
    undisturbed = free.run()
    assert essence(free.predictions(undisturbed)) == essence(world.predictions(ended))
    first, second = (report(found)["evaluations"][0] for found in (undisturbed, ended))
    assert first["metrics"] == second["metrics"] and first["cost"]["total"] == second["cost"]["total"]


def test_many_requests_in_flight_never_pass_the_limit(paid_world: World, api: Api) -> None:
    world = paid_world
    world.make(pages=40)
    api_card(world, api, concurrency=16)
    configure(world, budget={"day": 0.205})
    stopped = world.run(expect=5)
    assert 18 <= stopped["evaluations"][0]["counts"]["ok"] <= 20
    assert ledger(world) <= 0.205 and len(api.requests) * EACH <= 0.205
    world.env["VLMHB_BUDGET_DAY"] = "10"
    assert world.run()["evaluations"][0]["counts"]["ok"] == 40
    assert len(api.requests) == 40


def test_two_evaluations_in_parallel_share_the_budget_of_the_run(paid_world: World, api: Api) -> None:
    world = paid_world
    rows = [{"dataset": "pages", "model_name": "page-model", "max_tokens": count} for count in (10, 11)]
    (world.root / "test.json").write_text(
        json.dumps({"prices": "prices.yaml", "budget": {"run": 0.155}, "evaluations": rows})
    )
    stopped = world.run("--jobs", "2", expect=5)
    assert sum(item["counts"]["ok"] for item in stopped["evaluations"]) in (14, 15)
    assert ledger(world) <= 0.155 and len(api.requests) * EACH <= 0.155


def test_alerts_are_given_once_each(paid_world: World) -> None:
    world = paid_world
    got = world.root / "alerts.jsonl"
    code = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read() + chr(10))"
    alerts = {"command": [sys.executable, "-c", code, str(got)]}
    configure(world, budget={"run": 0.055}, alerts=alerts)
    world.run(expect=5)
    told = [json.loads(line) for line in got.read_text().splitlines()]
    assert told[-1]["percent"] == 100
    assert [one["percent"] for one in told] == sorted({one["percent"] for one in told})
    assert {one["run_id"] for one in told} == {report(world.run(expect=5))["run_id"]}
    assert len(got.read_text().splitlines()) == len(told)


def test_the_plan_foretells_what_the_run_then_costs(paid_world: World) -> None:
    world = paid_world
    configure(world, budget={"run": 0.055})

    def foretold(*args: str) -> dict[str, Any]:
        done = world.call("--json", *args, command="plan")
        assert done.returncode == 0, done.stderr
        cost: dict[str, Any] = json.loads(done.stdout)["cost"]
        return cost

    assert foretold()["unknown"] == ["pages-page-model"]
    assert foretold()["budgets"][0]["enough"] == "unknown"
    world.run("--limit", "4", "--budget", "1")
    unprepared = foretold()["evaluations"][0]
    assert unprepared["low"] is None and unprepared["each"] == pytest.approx(EACH)
    world.run("--budget", "1")
    assert foretold()["evaluations"][0]["basis"] == "nothing to ask"
    before = ledger(world)
    row = {"dataset": "pages", "model_name": "page-model", "max_tokens": 7}
    value = {"prices": "prices.yaml", "budget": 0.055, "evaluations": [row]}
    (world.root / "test.json").write_text(json.dumps(value))
    known = foretold()
    item = known["evaluations"][0]
    assert (item["samples"], item["basis"]) == (PAGES, f"from the tokens of {PAGES} answers of the last run")
    assert known["budgets"][0]["enough"] == "no"
    done = world.call(command="plan")
    assert f"for {PAGES} samples" in done.stdout and "not enough" in done.stdout
    world.run("--budget", "1")
    assert item["low"] == pytest.approx(ledger(world) - before) == pytest.approx(item["high"])


def test_kill_9_of_everything_costs_no_money_twice(paid_world: World, api: Api) -> None:
    world = paid_world
    world.make(pages=30)
    api_card(world, api, concurrency=1)

    def slowly(question: str) -> None:
        time.sleep(0.15)

    api.behave = slowly
    configure(world, budget={"run": 5})
    process = world.popen("--json")
    deadline = time.monotonic() + 60
    while len(api.requests) < 8 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    api.behave = lambda question: None
    ended = world.run()
    assert ended["evaluations"][0]["counts"]["ok"] == 30
    repeated = len(api.requests) - 30
    assert repeated <= 1
    assert 30 * EACH - 1e-9 <= ledger(world) <= (30 + repeated) * EACH + 0.02


def test_a_budget_without_a_price_starts_nothing(paid_world: World, api: Api) -> None:
    world = paid_world
    (world.root / "prices.yaml").write_text(PRICES.replace("page-model", "another"))
    configure(world, budget=1)
    done = world.call()
    assert done.returncode == 2 and api.requests == []
    assert done.stderr.strip().startswith("VHB121: a budget needs a price of model 'page-model'")
