"""The interface `transformers` on real models: the trained tiny VLM over HTTP, and other architectures in its process.

`VLMHB_TEST_TRANSFORMERS_PYTHON` names the interpreter of an environment made from images/transformers. Without it
these tests skip; `VLMHB_REQUIRE=transformers` makes that a failure.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from serving import SOURCES, Reply, Served, data_url, start, streamed, with_images

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = ROOT / "user_configs" / "models" / "tiny_vlm"
RECEIPTS = ROOT / "user_configs" / "data" / "tiny_receipts"
IN_ENV = Path(__file__).parent / "transformers_env"
ARCHITECTURES = (
    "llava", "llava_plain", "qwen2_vl", "donut", "nougat", "trocr", "got_ocr2", "florence2", "text",
)  # fmt: skip
WHOLE_ONLY = ("donut", "nougat")  # their text is known at its end only


@pytest.fixture(scope="module")
def python() -> str:
    found = os.environ.get("VLMHB_TEST_TRANSFORMERS_PYTHON", "")
    if found and Path(found).exists():
        return found
    if "transformers" in os.environ.get("VLMHB_REQUIRE", "").split(","):
        pytest.fail("transformers is required and VLMHB_TEST_TRANSFORMERS_PYTHON names no interpreter")
    pytest.skip(
        "VLMHB_TEST_TRANSFORMERS_PYTHON names no interpreter with the packages of images/transformers"
    )


@pytest.fixture(scope="module")
def tiny(python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The strong checkpoint behind the real server."""
    served = serve(tmp_path_factory.mktemp("tiny"), python=python)
    served.wait_for("model ready")
    yield served
    served.process.kill()
    served.ended()


def serve(root: Path, *, python: str, **config: Any) -> Served:
    params = {"threads": 1, "max_batch": 4, **config.pop("params", {})}
    own = {"interface": "transformers", "weights": str(WEIGHTS / "strong"), "params": params}
    return start(root, python=python, batch_window_s=0.2, **{**own, **config})


def samples() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (RECEIPTS / "samples.jsonl").read_text().splitlines()]


def body(sample: dict[str, Any], **more: Any) -> dict[str, Any]:
    url = data_url((RECEIPTS / sample["image"]).read_bytes())
    return with_images(sample["question"], url, **{"max_tokens": 20, **more})


def text(reply: Reply) -> str:
    assert reply.status == 200, reply.body
    return str(reply.body["choices"][0]["message"]["content"])


def events(served: Served, request: dict[str, Any]) -> list[dict[str, Any]]:
    *chunks, done = streamed(
        served, {**request, "stream_options": {"include_usage": True, "continuous_usage_stats": True}}
    )
    assert done == "[DONE]"
    return [json.loads(chunk) for chunk in chunks]


def said(chunks: list[dict[str, Any]]) -> str:
    return "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks if chunk["choices"])


def test_it_reads_receipts_and_a_batch_answers_as_each_alone(tiny: Served) -> None:
    asked = samples()[:32]
    alone = [text(tiny.post(body(sample))) for sample in asked[:8]]
    with ThreadPoolExecutor(8) as pool:
        together = [text(reply) for reply in pool.map(tiny.post, map(body, asked))]
    assert together[:8] == alone
    right = [answer == sample["answer"] for answer, sample in zip(together, asked, strict=True)]
    assert sum(right) >= 0.85 * len(asked)


def test_streamed_answers_share_a_batch_and_are_the_whole_ones(tiny: Served) -> None:
    asked = samples()[:4]
    with ThreadPoolExecutor(4) as pool:
        chunks = list(pool.map(lambda sample: events(tiny, body(sample)), asked))
    assert [said(item) for item in chunks] == [text(tiny.post(body(sample))) for sample in asked]


def test_a_stream_counts_each_token_as_it_comes(tiny: Served) -> None:
    sample = next(sample for sample in samples() if sample["question_type"] == "date")
    chunks = events(tiny, body(sample))
    running = [
        chunk["usage"]["completion_tokens"]
        for chunk in chunks
        if chunk["choices"] and chunk["choices"][0]["delta"].get("content") and "usage" in chunk
    ]
    assert running == list(range(1, 9))  # dd.mm.yy, a character each
    assert chunks[-1]["usage"] == {
        "prompt_tokens": 30,
        "completion_tokens": 9,  # with the one that ends it
        "total_tokens": 39,
        "prompt_tokens_details": {"image_tokens": 16},
    }


def test_the_limit_truncates_and_a_stop_string_ends(tiny: Served) -> None:
    sample = next(sample for sample in samples() if sample["question_type"] == "date")
    whole = text(tiny.post(body(sample)))
    cut, stopped = tiny.post(body(sample, max_tokens=4)), tiny.post(body(sample, stop=["."]))
    assert (text(cut), cut.body["choices"][0]["finish_reason"]) == (whole[:4], "length")
    assert cut.body["usage"]["completion_tokens"] == 4
    assert (text(stopped), stopped.body["choices"][0]["finish_reason"]) == (whole.split(".")[0], "stop")
    assert said(events(tiny, body(sample, stop=["."]))) == text(stopped)


def test_a_prompt_that_does_not_fit_is_told_and_costs_its_neighbours_nothing(tiny: Served) -> None:
    sample = samples()[0]
    long = with_images("x" * 600, data_url((RECEIPTS / sample["image"]).read_bytes()))
    with ThreadPoolExecutor(2) as pool:
        refused, answered = pool.map(tiny.post, [long, body(sample)])
    assert (refused.status, refused.body["error"]["code"]) == (400, "context_length_exceeded")
    assert "625 tokens" in refused.body["error"]["message"]
    assert text(answered) == text(tiny.post(body(sample)))


def test_an_answer_longer_than_the_context_ends_with_it(tiny: Served) -> None:
    url = data_url((RECEIPTS / samples()[0]["image"]).read_bytes())
    reply = tiny.post(with_images("x" * 485, url, max_tokens=1000))
    usage = reply.body["usage"]
    assert usage["prompt_tokens"] == 510
    assert usage["completion_tokens"] <= 2


def test_an_image_that_is_none_is_told(tiny: Served) -> None:
    reply = tiny.post(with_images("date?", data_url(b"no image")))
    assert (reply.status, reply.body["error"]["code"]) == (400, "bad_image")


def test_several_images_become_as_many_tokens(tiny: Served) -> None:
    url = data_url((RECEIPTS / samples()[0]["image"]).read_bytes())
    reply = tiny.post(with_images("date?", url, url, max_tokens=3))
    assert reply.body["usage"]["prompt_tokens_details"] == {"image_tokens": 32}


def test_a_seed_gives_the_same_sample_alone_and_in_a_batch(tiny: Served) -> None:
    asked = [body(samples()[0], temperature=5.0, seed=seed) for seed in (1, 2, 3, 4)]
    alone = [text(tiny.post(request)) for request in asked]
    with ThreadPoolExecutor(4) as pool:
        assert [text(reply) for reply in pool.map(tiny.post, asked)] == alone
    assert len(set(alone)) > 1
    narrow = [text(tiny.post({**request, "top_p": 0.01})) for request in asked]
    assert set(narrow) == {text(tiny.post(body(samples()[0])))}


def test_an_answer_follows_its_schema(tiny: Served) -> None:
    schema = {
        "type": "object",
        "properties": {"kind": {"enum": ["receipt", "letter"]}, "page": {"type": "string", "maxLength": 4}},
        "required": ["kind", "page"],
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "page", "schema": schema}}
    reply = tiny.post(body(samples()[0], response_format=wanted, max_tokens=80))
    found = json.loads(text(reply))
    assert found["kind"] in ("receipt", "letter")
    assert len(found["page"]) <= 4
    assert "vlmhb" not in reply.body


def test_a_schema_that_cannot_be_enforced_is_told(tiny: Served) -> None:
    request = body(samples()[0], response_format={"type": "json_object"})
    told = {"adjusted": ["schema not enforced: it names no properties"]}
    assert tiny.post(request).body["vlmhb"] == told
    assert [chunk["vlmhb"] for chunk in events(tiny, request) if "vlmhb" in chunk] == [told]


def test_the_server_says_what_it_runs_on(tiny: Served) -> None:
    facts = tiny.get("/v1/models").body["data"][0]["vlmhb"]
    wanted = {
        "model_class": "Idefics3ForConditionalGeneration",
        "device": "cpu",
        "dtype": "float32",
        "attention": "sdpa",
        "prompt": "chat",
        "context": 512,
    }
    assert {key: facts[key] for key in wanted} == wanted
    assert {"torch", "transformers", "tokenizers"} <= set(facts["packages"])


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"weights": None}, "no weights are given; hint: weights in the card: a local folder"),
        ({"weights": str(RECEIPTS)}, "a folder with config.json is needed"),
        ({"params": {"colour": 1}}, "params: unknown ['colour']; hint: known: "),
        ({"params": {"dtype": "int3"}}, "params.dtype: 'int3' is not known; hint: one of auto, "),
        ({"params": {"max_batch": 0}}, "params.max_batch: 0 is not a positive number"),
        (
            {"params": {"generation": {"temperature": 1}}},
            "params.generation: temperature comes with each request",
        ),
        (
            {"params": {"device": "cuda"}},
            "a GPU was asked for and this torch is a CPU build; hint: use the image",
        ),
    ],
)
def test_what_cannot_be_loaded_is_one_line(
    python: str, tmp_path: Path, config: dict[str, Any], reason: str
) -> None:
    served = serve(tmp_path, python=python, failed_linger_s=0.01, **config)
    assert served.ended() == 3
    (line,) = [line for line in served.lines if line.startswith("VHB502")]
    assert reason in line


@pytest.fixture(scope="module")
def architectures(python: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What models with random weights answered: see transformers_env/ask.py."""
    folder = tmp_path_factory.mktemp("architectures")
    env = {"PYTHONPATH": os.pathsep.join(SOURCES), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [python, str(IN_ENV / "ask.py"), str(folder)],
        env={**os.environ, **env, "HF_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    value: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return value


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_batch_of_any_architecture_answers_as_each_alone(architectures: dict[str, Any], name: str) -> None:
    found = architectures[name]
    assert found["together"] == found["alone"]
    told = [answer["text"] for answer in found["together"]]
    assert found["streamed"] == (["", "", ""] if name in WHOLE_ONLY else told)
    for answer, limit in zip(found["together"], (5, 12, 20), strict=True):
        ended = answer["finish_reason"] == "stop"
        assert answer["output_tokens"] < limit if ended else answer["output_tokens"] == limit


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_seeds_of_any_architecture(architectures: dict[str, Any], name: str) -> None:
    first, again, other = architectures[name]["seeded"]
    assert first == again != other


@pytest.mark.parametrize(
    ("name", "prompt", "image_tokens"),
    [
        ("llava", "chat", 16),
        ("llava_plain", "text", 16),
        ("qwen2_vl", "chat", 12),  # (112 / 28) x (84 / 28): it keeps the proportions of 120 x 90
        ("donut", "decoder", 0),
        ("nougat", "none", 0),
        ("trocr", "none", 0),
        ("got_ocr2", "none", 256),  # its processor brings the prompt
        ("florence2", "text", 65),
        ("text", "chat", 0),
    ],
)
def test_each_is_asked_in_its_own_way(
    architectures: dict[str, Any], name: str, prompt: str, image_tokens: int
) -> None:
    assert architectures[name]["facts"]["prompt"] == prompt
    assert {answer["image_tokens"] for answer in architectures[name]["together"]} == {image_tokens}


def test_attention_that_is_not_to_be_had_falls_back_and_is_told(architectures: dict[str, Any]) -> None:
    facts = architectures["donut"]["facts"]
    assert facts["attention"] == "eager"
    assert facts["notes"][0].startswith("attention sdpa is not to be had: ")
    assert architectures["llava"]["facts"]["notes"] == []


def test_weights_that_are_not_numbers_fail_when_they_are_loaded(architectures: dict[str, Any]) -> None:
    assert "is not a number (NaN)" in architectures["broken"]


def test_an_answer_that_stops_being_numbers_fails_and_one_that_has_ended_does_not(
    architectures: dict[str, Any],
) -> None:
    going_on, ended = architectures["overflowing"]
    assert "is not a number (NaN)" in going_on
    assert ended == "passed"


def test_code_that_comes_with_weights_runs_with_leave_only(architectures: dict[str, Any]) -> None:
    assert architectures["code"]["False"].startswith("the weights bring Python code of their own")
    assert "trust_remote_code: true" in architectures["code"]["False"]
    assert architectures["code"]["True"] == "OwnModel"


def test_tags_of_donut_become_the_answer_or_fields(architectures: dict[str, Any]) -> None:
    assert architectures["finished"] == {
        "answer": "12.50",
        "cut": "12.5",
        "empty": "",
        "fields": '{"question": "a", "answer": "b"}',
    }
