"""EvalScope and inspect_ai: stop reasons, provider errors and limits are states; both zip methods are read."""

from __future__ import annotations

import json
import zipfile
from typing import Any

import pytest
from import_bench import AWKWARD, Bench, zstandard_zip


def output(
    text: Any, *, stop: str = "stop", tokens: int = 4, error: str | None = None, **more: Any
) -> dict[str, Any]:
    choice = {"message": {"role": "assistant", "content": text}, "stop_reason": stop}
    usage = {"input_tokens": 9, "output_tokens": tokens}
    return {"model": "m", "choices": [choice], "usage": usage, "time": 1.5, "error": error, **more}


def prediction(number: int, out: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    asked = [
        {
            "role": "user",
            "content": [
                {"type": "image", "image": "data:..."},
                {"type": "text", "text": f"Question {number}?"},
            ],
        }
    ]
    return {"index": number, "model": "m", "model_output": out, "messages": asked, **more}


def logged(number: int, out: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": number, "epoch": 1, "input": f"Question {number}?", "target": "x", "output": out, **more}


STATES = [
    (output("whole"), "ok", "whole"),
    (output("cut", stop="max_tokens"), "truncated", "cut"),
    (output("cut by the window", stop="model_length"), "truncated", "cut by the window"),
    (output("prompt is too long", stop="model_length", tokens=0), "context_overflow", None),
    (output("I cannot", stop="content_filter"), "refused", None),
    (output("", error="moderation"), "error", None),
    (output([{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "said"}]), "ok", "said"),
    ({"model": "m", "choices": []}, "error", None),
]


def test_states_of_evalscope(bench: Bench) -> None:
    """B2: an error text that was stored as the answer is none."""
    bench.samples([str(number) for number in range(len(STATES))])
    bench.lines([prediction(number, out) for number, (out, _, _) in enumerate(STATES)])
    assert bench.run() == 0
    assert list(bench.statuses.values()) == [status for _, status, _ in STATES]
    assert bench.texts == [text for _, _, text in STATES]
    overflow = bench.answers["3"].error
    assert overflow is not None and overflow.message == "prompt is too long"
    assert (bench.answers["0"].latency_s, bench.answers["0"].output_tokens) == (1.5, 4)
    assert bench.summary.compared == len(STATES) and bench.summary.differ.count == 0


def test_every_text_of_evalscope_comes_through(bench: Bench) -> None:
    bench.samples([str(number) for number in range(len(AWKWARD))])
    bench.lines([prediction(number, output(text)) for number, text in enumerate(AWKWARD)])
    assert bench.run() == 0
    assert bench.texts == list(AWKWARD)


def test_reviews_and_latencies_of_evalscope(bench: Bench) -> None:
    bench.samples(["0", "1"])
    score = {"value": {"anls": 0.5, "why": "w"}, "prediction": "raw", "extracted_prediction": "r"}
    bench.lines([{"index": 0, "target": ["x"], "sample_score": {"score": score, "sample_id": 0}},
                 {"index": 1, "sample_score": {"score": {"value": {}}}}])  # fmt: skip
    assert bench.run() == 0
    assert bench.texts == ["raw", None]
    assert bench.summary.metrics["anls"].mean == 0.5
    assert "import the predictions" in bench.summary.warnings[0]
    bench.lines([prediction(0, output("x", perf_metrics={"latency": 2.5, "ttft": 0.25}))])
    assert bench.run() == 0
    assert (bench.answers["0"].latency_s, bench.answers["0"].ttft_s) == (2.5, 0.25)


def test_an_id_inside_the_record(bench: Bench) -> None:
    bench.samples(["q7", "q9"])
    bench.lines([prediction(0, output("nine"), metadata={"questionId": "q9"})])
    assert bench.run("evalscope", id_key="metadata.questionId") == 0
    assert bench.statuses == {"q9": "ok"}
    assert bench.summary.missing.first == ("q7",)
    assert bench.run("evalscope", id_key="metadata.nothing") == 2
    assert "no metadata.nothing" in bench.fatal["message"]
    bench.lines([{"index": 0, "something": 1}])
    assert bench.run("evalscope") == 2
    assert "neither a prediction" in bench.fatal["message"]


HEADER = {"version": 2, "status": "success", "eval": {"task": "pages", "packages": {"inspect_ai": "0.3.285"}}}


def members(samples: list[dict[str, Any]]) -> dict[str, Any]:
    named = {f"samples/{sample['id']}_epoch_{sample['epoch']}.json": sample for sample in samples}
    return {"_journal/start.json": HEADER, **named, "header.json": HEADER}


@pytest.mark.parametrize("kind", ["json", "deflate", "zstandard"])
def test_every_text_of_inspect_comes_through(bench: Bench, kind: str) -> None:
    samples = [logged(number, output(text)) for number, text in enumerate(AWKWARD, start=1)]
    bench.samples([f"s{number}" for number in range(1, len(AWKWARD) + 1)],
                  {f"s{number}": f"Question {number}?" for number in range(1, len(AWKWARD) + 1)})  # fmt: skip
    if kind == "json":
        bench.source.write_text(json.dumps({**HEADER, "samples": samples}, indent=2), encoding="utf-8")
    elif kind == "zstandard":
        zstandard_zip(bench.source, members(samples))
    else:
        with zipfile.ZipFile(bench.source, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, value in members(samples).items():
                archive.writestr(name, json.dumps(value))
    assert bench.run() == 0
    assert bench.texts == list(AWKWARD)
    assert bench.summary.tool == "inspect_ai 0.3.285" and bench.summary.matched_by == "position"


def test_errors_limits_epochs_and_scores_of_inspect(bench: Bench) -> None:
    bench.samples(["a/b", "b", "c"])
    scores = {"match": {"value": "C"}, "judge": {"value": {"tone": 0.5, "note": "n"}}}
    samples = [
        {**logged(1, output("late"), error={"message": "TimeoutError"}), "id": "a/b"},
        {**logged(1, output("so far"), limit={"type": "token", "limit": 5}, scores=scores), "id": "b"},
        {**logged(1, {"model": "m", "choices": []}, limit={"type": "time", "limit": 5}), "id": "c"},
        {**logged(1, output("again")), "id": "b", "epoch": 2},
    ]
    zstandard_zip(bench.source, members(samples))
    assert bench.run() == 0
    assert bench.statuses == {"a/b": "error", "b": "truncated", "c": "error"}
    assert bench.answers["b"].text == "so far"
    assert {name: one.mean for name, one in bench.summary.metrics.items()} == {
        "match": 1.0,
        "judge/tone": 0.5,
    }
    assert any("later epochs" in warning for warning in bench.summary.warnings)


def test_a_log_that_was_never_finished_and_a_large_sample(bench: Bench) -> None:
    bench.samples(["a"])
    sample = {**logged(1, output("x")), "id": "a", "input": "attachment://5"}
    sample["attachments"] = {"5": "Something else"}
    shell = "samples/a_epoch_1/sample.json"
    zstandard_zip(bench.source, {"_journal/start.json": {**HEADER, "status": "started"}, shell: sample,
                                 "samples/a_epoch_1/events/0.json": []})  # fmt: skip
    assert bench.run() == 0
    assert bench.texts == ["x"]
    assert any("'started'" in warning for warning in bench.summary.warnings)
    assert bench.summary.differ.first == ("a",)


def test_damaged_archives(bench: Bench) -> None:
    bench.samples(["a"])
    zstandard_zip(bench.source, members([{**logged(1, output("x")), "id": "a"}]))
    whole = bench.source.read_bytes()
    bench.source.write_bytes(whole[:100])
    assert bench.run("inspect") == 2
    assert "zip" in bench.fatal["message"]
    at = whole.rindex(b"\x28\xb5\x2f\xfd")  # the frame of the header
    bench.source.write_bytes(whole[:at] + b"\x00\x00\x00\x00" + whole[at + 4 :])
    assert bench.run("inspect") == 2
    assert "cannot be unpacked" in bench.fatal["message"]
    with zipfile.ZipFile(bench.source, "w") as archive:
        archive.writestr("something.txt", "x")
    assert bench.run("inspect") == 2
    assert "no log of inspect_ai" in bench.fatal["message"]
    bench.source.write_text(json.dumps(HEADER))
    assert bench.run("inspect") == 2
    assert "no samples" in bench.fatal["message"]
