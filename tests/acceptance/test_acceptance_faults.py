"""B1, B2, B9, U1, U2, V1-V4: failures are typed, counted and told; none is scored as an answer."""

import itertools
import json
import socket
from pathlib import Path
from typing import Any

from e2e_api import Api
from e2e_world import World
from test_acceptance_reuse import api_card

OPENAI = {"interface": "openai", "image": None, "class_path": None, "path": None, "network": "egress"}
RETRY = {"attempts": 4, "base_s": 0.05, "max_s": 0.4}


def report(summary: dict[str, Any]) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((Path(summary["run_dir"]) / "report" / "report.json").read_text())
    return value


def test_b1_one_sample_that_always_fails_costs_exactly_its_attempts(process_world: World, api: Api) -> None:
    world = process_world
    world.make(pages=20, questions={7: "the bad one"})
    api_card(world, api, retry=RETRY)
    api.behave = lambda question: (500, {"error": {"message": "boom"}}, {}) if "bad one" in question else None
    summary = world.run(expect=4)
    assert sum("bad one" in question for question in api.questions()) == 4
    assert len(api.requests) == 19 + 4
    record = world.predictions(summary)[7]
    assert (record["status"], record["error"]["kind"], record["attempts"]) == ("error", "server_error", 4)
    assert record["text"] is None
    evaluation = report(summary)["evaluations"][0]
    assert evaluation["counts"] == {"planned": 20, "ok": 19, "error": 1, "skipped": 0}
    assert evaluation["coverage"] == 0.95


def test_b1_retry_after_is_honoured(process_world: World, api: Api) -> None:
    world = process_world
    world.make(pages=1)
    api_card(world, api, retry=RETRY)
    busy = itertools.chain(
        [(429, {"error": {"message": "slow down"}}, {"Retry-After": "1"})], itertools.repeat(None)
    )
    api.behave = lambda question: next(busy)
    summary = world.run()
    assert summary["evaluations"][0]["counts"]["ok"] == 1
    assert api.times[1] - api.times[0] >= 1.0


def test_b2_context_overflow_is_a_state_and_never_text(process_world: World, api: Api) -> None:
    world = process_world
    world.make(pages=2)
    api_card(world, api, retry=RETRY)
    message = "This model's maximum context length is 4096 tokens, however you requested 9000 tokens"
    api.behave = lambda question: (
        400,
        {"error": {"message": message, "code": "context_length_exceeded"}},
        {},
    )
    summary = world.run(expect=4)
    assert {item["status"] for item in world.predictions(summary)} == {"context_overflow"}
    assert [item["text"] for item in world.predictions(summary)] == [None, None]
    assert len(api.requests) == 2
    assert b"maximum context" not in world.scores(summary)


def test_b9_the_prompt_of_the_config_is_the_prompt_that_is_sent(process_world: World, api: Api) -> None:
    world = process_world
    world.make(pages=2)
    api_card(world, api)
    world.config({"dataset": "pages", "model_name": "page-model", "prompt": "Прочти страницу."})
    world.run()
    assert api.questions() == ["Прочти страницу."] * 2


def test_u1_v1_a_stage_that_dies_fails_its_evaluation_only(world: World) -> None:
    world.make(pages=2)
    world.make_cards({"page-model": {}, "broken": {"die_at_load": True}})
    world.config(*({"dataset": "pages", "model_name": name} for name in ("broken", "page-model")))
    summary = world.run(expect=4)
    failed, done = summary["evaluations"]
    assert (failed["status"], failed["failure"]["stage"]) == ("failed", "infer")
    assert failed["failure"]["code"].startswith("VHB5")
    assert done["status"] == "done"
    assert [item["status"] for item in report(summary)["evaluations"]] == ["failed", "done"]


def test_u2_failures_never_raise_the_score(process_world: World) -> None:
    world = process_world
    world.make(pages=4, questions={0: "RAISE"})
    summary = world.run(expect=4)
    exact = next(item for item in world.metrics(summary)["metrics"] if item["name"] == "exact_match")
    assert (exact["value"], exact["value_answered"]) == (0.75, 1.0)
    assert world.metrics(summary)["coverage"] == 0.75


def test_v3_v4_truncated_and_unreadable_are_states(process_world: World, api: Api) -> None:
    world = process_world
    world.make(pages=3, questions={1: "long"})
    (world.data / "images" / "002.png").write_bytes(b"")
    api_card(world, api)
    cut = {
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "half"}, "finish_reason": "length"}
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1},
    }
    api.behave = lambda question: (200, cut, {}) if question == "long" else None
    summary = world.run(expect=4)
    assert [item["status"] for item in world.predictions(summary)] == ["ok", "truncated", "error"]
    assert len(api.requests) == 2


def test_a_failed_inference_is_not_said_to_have_had_no_network(process_world: World) -> None:
    world = process_world
    world.make(pages=1)
    nobody = socket.socket()  # bound, not listening: every connection is refused
    nobody.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1"
    world.make_cards(
        {"page-model": {}},
        **{**OPENAI, "base_url": url, "retry": {"attempts": 1}},
    )
    world.config({"dataset": "pages", "model_name": "page-model", "error_policy": "stop"})
    summary = world.run(expect=4)
    nobody.close()
    evaluation = report(summary)["evaluations"][0]
    assert evaluation["network"] == "egress"
    assert "unverified" in evaluation["not_enforced"]
    assert "Cannot connect" in summary["evaluations"][0]["failure"]["message"]
