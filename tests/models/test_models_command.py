"""The interface `command`: a closed program's lines, and everything that it can do wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from serving import USER_CODE, Served, chat, data_url, with_images

Start = Callable[..., Served]
EXAMPLES = Path(__file__).parents[2] / "user_configs" / "examples" / "models"
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100


@pytest.fixture
def closed(start_server: Start) -> Start:
    def starter(*words: str, **config: Any) -> Served:
        command = ["python3", "-S", "{path}/closed_model.py", *words]
        return start_server(**{"interface": "command", "command": command, **config})

    return starter


@pytest.fixture
def model(closed: Start) -> Served:
    served = closed(params={"timeout_s": 1.0})
    served.wait_for("model ready")
    return served


def test_answers_and_counts_come_back(model: Served) -> None:
    reply = model.ask("hello")
    assert reply.body["choices"][0]["message"]["content"] == "hello"
    assert reply.body["usage"] == {"prompt_tokens": None, "completion_tokens": 3, "total_tokens": None}
    assert [model.answer(f"q{number}") for number in range(20)] == [f"q{number}" for number in range(20)]


def test_one_process_answers_all(model: Served) -> None:
    before = model.get("/v1/models").body["data"][0]["vlmhb"]
    assert (before["engine"], before["interface"]) == ("closed 1.0", "command")
    model.answer("a")
    assert Path(f"/proc/{before['pid']}").exists()


def test_settings_and_roles_are_passed_on(model: Served) -> None:
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "params"}]
    body = {
        "model": "toy",
        "messages": messages,
        "max_tokens": 7,
        "temperature": 0.5,
        "seed": 3,
        "stop": ["x"],
    }
    reply = model.post(body)
    assert reply.body["choices"][0]["finish_reason"] == "length"
    params, told = json.loads(reply.body["choices"][0]["message"]["content"])
    assert params == {"max_tokens": 7, "temperature": 0.5, "seed": 3, "stop": ["x"]}
    assert [(item["role"], item["text"], item["images"]) for item in told] == [
        ("system", "be brief", 0),
        ("user", "params", 0),
    ]


def test_images_come_as_files_that_are_gone_afterwards(model: Served) -> None:
    reply = model.post(with_images("sizes", data_url(PNG), data_url(PNG + b"1")))
    assert json.loads(reply.body["choices"][0]["message"]["content"]) == [len(PNG), len(PNG) + 1]
    (path,) = json.loads(
        model.post(with_images("paths", data_url(PNG))).body["choices"][0]["message"]["content"]
    )
    assert path.endswith(".png") and not Path(path).exists()


def test_images_come_as_base64_where_the_card_says_so(closed: Start) -> None:
    served = closed(params={"images": "base64"})
    served.wait_for("model ready")
    big = PNG + bytes(3_000_000)  # more than any pipe holds
    reply = served.post(with_images("sizes", data_url(big)))
    assert json.loads(reply.body["choices"][0]["message"]["content"]) == [len(big)]


def test_long_answer_comes_whole(model: Served) -> None:
    assert len(model.answer("large:3000000")) == 3_000_000


def test_half_of_a_surrogate_pair_is_replaced_and_told(model: Served) -> None:
    reply = model.ask("half")
    assert reply.status == 200
    assert reply.body["choices"][0]["message"]["content"] == "a \ufffd b \U0001f600"
    model.wait_for("U+FFFD stands in its place")
    refused = model.ask("half error")
    assert (refused.status, "no \ufffd" in refused.body["error"]["message"]) == (400, True)


@pytest.mark.parametrize(
    ("asked", "status", "code", "said"),
    [
        ("crash", 500, "crashed", "the program ended with exit code 139"),
        ("kill", 500, "crashed", "the program was ended by signal 9"),
        ("closes", 500, "crashed", "the program closed its stdout"),
        ("partial", 500, "crashed", "the program ended with exit code 0"),
        ("silence", 504, "timeout", "the program was silent for 1 s"),
        ("no json", 502, "invalid_response", "no JSON object: 'text: hello'"),
        ("array", 502, "invalid_response", "no JSON object: '[1, 2]'"),
        ("deep", 502, "invalid_response", "no JSON object: '[[["),
        ("no id", 502, "invalid_response", "answered without an id"),
        ("wrong order", 502, "invalid_response", "answered question '999' when asked '1'"),
        ("no text", 502, "invalid_response", "answered without a text"),
        ("bad count", 502, "invalid_response", "gave output_tokens as -1"),
    ],
)
def test_breaches_cost_one_question_and_a_new_process(
    model: Served, asked: str, status: int, code: str, said: str
) -> None:
    reply = model.ask(asked)
    assert (reply.status, reply.body["error"]["code"]) == (status, code)
    assert said in reply.body["error"]["message"]
    assert model.answer("and now") == "and now"


@pytest.mark.parametrize("asked", ["noise after", "twice", "endless"])
def test_more_output_than_answers_is_never_taken_for_the_next_answer(model: Served, asked: str) -> None:
    assert model.ask(asked).status == 200
    model.wait_for("noise is out")
    after = model.ask("next")
    assert (after.status, after.body["error"]["code"]) == (502, "invalid_response")
    assert "wrote more than its answer" in after.body["error"]["message"]
    assert model.answer("next") == "next"


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("bad_image", 400, "bad_image"),
        ("bad_request", 400, "bad_request"),
        ("context_overflow", 400, "context_length_exceeded"),
        ("content_filter", 400, "content_filter"),
        ("failed", 500, "model_error"),
        ("whatever", 500, "model_error"),
    ],
)
def test_errors_of_the_programs_own_keep_its_process(
    model: Served, kind: str, status: int, code: str
) -> None:
    pid = model.get("/v1/models").body["data"][0]["vlmhb"]["pid"]
    reply = model.ask(f"error:{kind}")
    assert (reply.status, reply.body["error"]["code"]) == (status, code)
    assert "so it is" in reply.body["error"]["message"]
    assert Path(f"/proc/{pid}").exists()


def test_error_may_be_a_plain_text(model: Served) -> None:
    assert model.ask("plain error").body["error"]["message"] == "RuntimeError: out of ideas"


@pytest.mark.parametrize(
    ("words", "config", "said"),
    [
        (("banner",), {}, "the program's first line is 'Loading model ...'; hint: its first line has to be"),
        (("dies",), {}, "the program ended with exit code 4 before it was ready"),
        (
            ("slow",),
            {"params": {"load_timeout_s": 0.3}},
            "the program was silent for 0.3 s before it was ready",
        ),
        ((), {"command": []}, "the command is missing"),
        ((), {"command": ["/no/such"]}, "/no/such cannot be run: No such file or directory"),
        ((), {"params": {"imges": "paths"}}, "params: unknown ['imges']"),
        ((), {"params": {"images": "urls"}}, "params.images is 'urls'"),
    ],
)
def test_programs_that_do_not_start_are_a_failed_load(
    closed: Start, words: tuple[str, ...], config: dict[str, Any], said: str
) -> None:
    served = closed(*words, **config, failed_linger_s=0.0)
    assert served.ended() == 3
    assert served.lines[-1].startswith("VHB502: model 'toy': ") and said in served.lines[-1]


def test_stderr_of_the_program_is_in_the_log(closed: Start) -> None:
    served = closed("dies", failed_linger_s=0.0)
    assert served.ended() == 3
    assert "licence file not found\n" in served.lines


def test_it_runs_in_the_users_folder(model: Served) -> None:
    assert model.answer("cwd") == str(USER_CODE)


@pytest.mark.parametrize("words", [["{path}/closed_model.py"], ["sh", "{path}/closed_model.sh"]])
def test_examples_keep_the_contract(start_server: Start, words: list[str]) -> None:
    served = start_server(interface="command", path=str(EXAMPLES), command=words)
    served.wait_for("model ready")
    reply = served.post(with_images('What is "images": ["this" \\ "id": "7"?', data_url(PNG)))
    assert reply.body["choices"][0]["message"]["content"] == str(len(PNG))
    assert served.ask("no image").body["error"]["code"] == "bad_request"


def test_streaming_clients_get_the_whole_answer_as_one_piece(model: Served) -> None:
    from serving import streamed

    assert any('"hello"' in block for block in streamed(model, chat("hello")))
