"""The chat protocol over a real Unix socket: answers, streams, images, and the shape of every refusal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from serving import Served, chat, data_url, exchange, streamed, with_images

Ready = Callable[..., Served]
CHAT = "/v1/chat/completions"


def test_completion_has_the_openai_shape(ready_server: Ready) -> None:
    reply = ready_server().ask("two words", max_tokens=5)
    assert reply.status == 200
    assert reply.body["object"] == "chat.completion"
    assert reply.body["model"] == "toy"
    assert reply.body["id"].startswith("chatcmpl-")
    choice = reply.body["choices"][0]
    assert choice["message"] == {"role": "assistant", "content": "-|two words|[]|5"}
    assert choice["finish_reason"] == "stop"
    assert reply.body["usage"] == {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}


def test_text_survives_unchanged(ready_server: Ready) -> None:
    text = 'Ёлка «№ 5»\r\n\t"x" \\ 𝔘 ' + "д" * 40_000
    assert ready_server().answer(text) == f"-|{text}|[]|1024"


def test_settings_reach_the_model(ready_server: Ready) -> None:
    schema = {"type": "object", "required": ["a"]}
    response_format = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    served = ready_server("Settings")
    reply = served.ask("q", temperature=0.5, top_p=0.9, seed=3, stop="END", response_format=response_format)
    choice = reply.body["choices"][0]
    assert choice["message"]["content"] == repr((0.5, 0.9, 3, ("END",), schema))
    assert choice["finish_reason"] == "length"


def test_images_and_system_prompt_reach_the_model(ready_server: Ready) -> None:
    body = with_images("what?", data_url(b"x" * 10), data_url(b"y" * 3))
    body["messages"].insert(0, {"role": "system", "content": "be short"})
    reply = ready_server().post(body)
    assert reply.body["choices"][0]["message"]["content"] == "be short|what?|[10, 3]|1024"


def test_media_files_are_read_and_nothing_outside_them(ready_server: Ready) -> None:
    served = ready_server()
    media = served.root / "in" / "media"
    (media / "ü").mkdir(parents=True)
    (media / "ü" / "a b.png").write_bytes(b"12345")
    (served.root / "secret").write_bytes(b"key")
    (media / "link.png").symlink_to(served.root / "secret")
    (media / "empty.png").write_bytes(b"")
    good = served.post(with_images("q", "file:///vlmhb/in/media/%C3%BC/a%20b.png"))
    assert good.body["choices"][0]["message"]["content"] == "-|q|[5]|1024"
    outside = "/vlmhb/in/media/../../secret", "/vlmhb/in/media/link.png", "/etc/passwd", "/vlmhb/in/media"
    for path in (*outside, "/vlmhb/in/media/none.png", "/vlmhb/in/media/empty.png"):
        reply = served.post(with_images("q", f"file://{path}"))
        assert (reply.status, reply.body["error"]["code"]) == (400, "bad_image"), path


def test_stream_sends_pieces_usage_and_done(ready_server: Ready) -> None:
    body = chat("one two three", stream_options={"include_usage": True})
    payloads = streamed(ready_server("Streamer"), body)
    assert payloads[-1] == "[DONE]"
    chunks = [json.loads(payload) for payload in payloads[:-1]]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks[:-1]]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert [delta["content"] for delta in deltas[1:-1]] == ["one ", "two ", "three "]
    assert chunks[-2]["choices"][0]["finish_reason"] == "length"
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def test_stream_without_usage_wanted_has_none(ready_server: Ready) -> None:
    chunks = [json.loads(payload) for payload in streamed(ready_server("Streamer"), chat("one"))[:-1]]
    assert not any("usage" in chunk for chunk in chunks)


def test_model_without_streaming_sends_its_answer_as_one_piece(ready_server: Ready) -> None:
    chunks = [json.loads(payload) for payload in streamed(ready_server("Echo"), chat("q"))[:-1]]
    assert [chunk["choices"][0]["delta"].get("content") for chunk in chunks] == ["", "-|q|[]|1024", None]


def test_whether_a_stream_was_one_is_in_its_head(ready_server: Ready) -> None:
    """The first byte of an answer that was complete before tells nothing about the model."""
    heads = {}
    for name in ("Echo", "Streamer"):
        connection = ready_server(name).connection()
        connection.request("POST", "/v1/chat/completions", body=json.dumps(chat("one two", stream=True)))
        heads[name] = connection.getresponse().headers["Vlmhb-Stream"]
    assert heads == {"Echo": "whole", "Streamer": "parts"}


def test_error_inside_a_stream_is_told_and_not_finished(ready_server: Ready) -> None:
    served = ready_server("Streamer")
    payloads = streamed(served, chat("one boom"))
    assert json.loads(payloads[-1])["error"]["message"] == "RuntimeError: no more words"
    assert "[DONE]" not in payloads
    assert served.answer("still here") == "-|still here|[]|1024"


def test_error_before_the_first_piece_is_a_500(ready_server: Ready) -> None:
    assert ready_server("Streamer").ask("boom", stream=True).status == 500


@pytest.mark.parametrize(
    ("prompt", "status", "message", "code"),
    [
        ("value", 500, "ValueError: bad luck", "model_error"),
        ("exit", 500, "SystemExit: the model gave up", "model_error"),
        ("pipe", 500, "BrokenPipeError: its own pipe", "model_error"),
        ("image", 400, "not a picture", "bad_image"),
    ],
)
def test_model_that_raises_costs_that_request_only(
    ready_server: Ready, prompt: str, status: int, message: str, code: str
) -> None:
    served = ready_server("Raising")
    connection = served.connection()
    failed = exchange(connection, method="POST", path=CHAT, body=chat(prompt))
    assert failed.status == status
    assert failed.body["error"]["message"] == message
    assert failed.body["error"]["code"] == code
    assert set(failed.body["error"]) == {"message", "type", "code"}
    assert exchange(connection, method="POST", path=CHAT, body=chat("fine")).status == 200
    if status == 500:
        served.wait_for("Traceback (most recent call last)")


def test_answer_of_the_wrong_type_is_an_error(ready_server: Ready) -> None:
    reply = ready_server("WrongType").ask("q")
    assert reply.status == 500
    assert "Generation objects with a str" in reply.body["error"]["message"]


def _message(content: Any, role: str = "user") -> dict[str, Any]:
    return {"model": "toy", "messages": [{"role": role, "content": content}]}


@pytest.mark.parametrize(
    ("body", "status", "place"),
    [
        (b"{not json", 400, "not JSON"),
        (b"[1]", 400, "not a JSON object"),
        (b"\xff\xfe\x00{", 400, "not JSON"),
        ({"model": "toy"}, 400, "messages"),
        ({"model": "toy", "messages": []}, 400, "messages"),
        ({"messages": [{"role": "user", "content": "q"}]}, 400, "model"),
        ({**chat("q"), "model": "other"}, 404, "'other' is not served here, only 'toy'"),
        (_message("q", role="robot"), 400, "messages[0].role"),
        (_message(7), 400, "messages[0].content"),
        (_message([{"type": "audio"}]), 400, "messages[0].content[0]"),
        (_message([{"type": "image_url", "image_url": {}}]), 400, "messages[0].content[0].image_url"),
        (with_images("q", "http://example.org/a.png"), 400, "data: URL"),
        (with_images("q", "data:image/png;base64,@@"), 400, "wrong base64"),
        (with_images("q", "data:image/png;base64,"), 400, "no bytes"),
        (chat("q", n=2), 400, "n:"),
        (chat("q", max_tokens=0), 400, "max_tokens"),
        (chat("q", max_tokens="many"), 400, "max_tokens"),
        (chat("q", temperature=-1), 400, "temperature"),
        (chat("q", stream="yes"), 400, "stream"),
        (chat("q", stop=[1]), 400, "stop"),
        (chat("q", response_format={"type": "json_schema"}), 400, "response_format"),
    ],
)
def test_wrong_requests_are_refused_with_their_place(
    shared_echo: Served, body: Any, status: int, place: str
) -> None:
    reply = shared_echo.post(body)
    assert reply.status == status
    assert place in reply.body["error"]["message"]
    assert reply.body["error"]["type"] == "invalid_request_error"


def test_unknown_paths_and_methods_are_refused(shared_echo: Served) -> None:
    for method, path, body, status in [
        ("GET", "/nothing", None, 404),
        ("POST", "/v1/completions", b"{}", 404),
        ("PUT", CHAT, None, 501),  # without a body: the refusal may close the connection before one is sent
    ]:
        reply = exchange(shared_echo.connection(), method=method, path=path, body=body)
        assert (reply.status, reply.body["error"]["type"]) == (status, "invalid_request_error")


def test_body_beyond_the_limit_is_refused_whole_and_the_connection_lives(ready_server: Ready) -> None:
    served = ready_server(max_body_bytes=2000)
    connection = served.connection()
    reply = exchange(connection, method="POST", path=CHAT, body=b"x" * 3_000_000)
    assert (reply.status, reply.body["error"]["code"]) == (413, "request_too_large")
    assert exchange(connection, method="POST", path=CHAT, body=chat("q")).status == 200


def test_body_without_length_is_refused(shared_echo: Served) -> None:
    connection = shared_echo.connection()
    connection.putrequest("POST", CHAT)
    connection.endheaders()
    assert connection.getresponse().status == 411


def test_one_connection_serves_many_requests(shared_echo: Served) -> None:
    connection = shared_echo.connection()
    for number in range(50):
        reply = exchange(connection, method="POST", path=CHAT, body=chat(f"q{number}"))
        assert reply.body["choices"][0]["message"]["content"].startswith(f"-|q{number}|")


def test_models_tells_name_interface_and_what_the_model_says(ready_server: Ready, tmp_path: Path) -> None:
    served = ready_server(root=tmp_path / "here", weights="/vlmhb/in/weights")
    entry = served.get("/v1/models").body["data"][0]
    assert entry["id"] == "toy"
    assert entry["vlmhb"] == {"interface": "python", "weights": str(tmp_path / "here" / "in" / "weights")}
