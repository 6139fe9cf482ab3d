"""Requests that do not fit: what may be changed, step by step, and how each change is told."""

from __future__ import annotations

import base64
import hashlib
import io
import json

import pytest
from aiohttp import web
from infer_bench import Bench, sample
from infer_faults import Asked, FaultServer, Handler, proper, status
from PIL import Image
from vlmhb_stages.contracts import ImageRef, Message, Sample
from vlmhb_stages.infer.adjust import UNCHANGED, Adjustment, Allowed, without_turns
from vlmhb_stages.infer.classify import from_status
from vlmhb_stages.specs import HttpBackend, Target

OVERFLOW = "This model's maximum context length is 4096 tokens, however you requested 9000 tokens"
OOM = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 23.68 GiB"


def page(bench: Bench, *, width: int = 200, height: int = 100) -> ImageRef:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "white").save(file, "PNG")
    (bench.root / "in/media/page.png").write_bytes(file.getvalue())
    digest = hashlib.sha256(file.getvalue()).hexdigest()
    return ImageRef(path="page.png", sha256=digest, width=width, height=height)


def width_of(body: dict[str, object]) -> int:
    """Of the first image in a request."""
    url = json.dumps(body).split('"url": "', 1)[1].split('"', 1)[0]
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).width


def wider_than(limit: int, code: int, message: str) -> Handler:
    async def handler(server: FaultServer, request: web.Request, asked: Asked) -> web.StreamResponse:
        return await (status(code, message) if width_of(asked.body) > limit else proper)(
            server, request, asked
        )

    return handler


async def too_large(server: FaultServer, request: web.Request, asked: Asked) -> web.StreamResponse:
    """A gateway that counts bytes, with the page of HTML that such ones answer with."""
    if len(json.dumps(asked.body)) <= 1500:
        return await proper(server, request, asked)
    page = b"<html><h1>413 Request Entity Too Large</h1></html>"
    return web.Response(body=page, status=413, content_type="text/html")


def longer_than(messages: int) -> Handler:
    async def handler(server: FaultServer, request: web.Request, asked: Asked) -> web.StreamResponse:
        fits = len(asked.body["messages"]) <= messages
        return await (proper if fits else status(400, OVERFLOW))(server, request, asked)

    return handler


def talk(*, image: ImageRef | None = None) -> Sample:
    said = [
        Message(role="system", content="be short"),
        *(
            Message(role=role, content=f"{role} {number}")
            for number in (1, 2)
            for role in ("user", "assistant")
        ),
        Message(role="user", content="ask s0"),
    ]
    return Sample(sample_id="s0", messages=tuple(said), images=(image,) if image else ())


def test_without_a_policy_an_overflow_is_a_typed_error(bench: Bench) -> None:
    bench.write_samples([sample("s0", page(bench))])
    with FaultServer(everything=status(400, OVERFLOW)) as server:
        assert bench.run(bench.http(server.base_url)) == 0
    record = bench.by_id["s0"]
    assert (record.status, record.adjusted, record.attempts) == ("context_overflow", (), 1)


def test_images_shrink_until_they_fit(bench: Bench) -> None:
    bench.write_samples([sample("s0", page(bench))])
    with FaultServer(everything=wider_than(110, 400, OVERFLOW)) as server:
        assert bench.run(bench.http(server.base_url, overflow=("shrink_images",))) == 0
    record = bench.by_id["s0"]
    assert (record.status, record.adjusted, record.attempts) == ("ok", ("images at 50 %",), 3)
    assert [width_of(asked.body) for asked in server.asked] == [200, 140, 100]
    assert [attempt.adjusted for attempt in bench.attempts] == [(), ("images at 70 %",), ("images at 50 %",)]


def test_what_never_fits_stays_an_overflow(bench: Bench) -> None:
    bench.write_samples([sample("s0", page(bench))])
    with FaultServer(everything=status(400, OVERFLOW)) as server:
        assert bench.run(bench.http(server.base_url, overflow=("shrink_images", "drop_oldest_turns"))) == 0
    record = bench.by_id["s0"]
    assert (record.status, record.adjusted) == ("context_overflow", ("images at 35 %",))
    assert len(server.asked) == 4


def test_the_oldest_turns_go_first_and_the_question_never(bench: Bench) -> None:
    bench.write_samples([talk()])
    with FaultServer(everything=longer_than(2)) as server:
        assert bench.run(bench.http(server.base_url, overflow=("drop_oldest_turns",))) == 0
    record = bench.by_id["s0"]
    assert (record.status, record.adjusted) == ("ok", ("2 oldest turns dropped",))
    sent = [[message["content"] for message in asked.body["messages"]] for asked in server.asked]
    assert sent == [
        ["be short", "user 1", "assistant 1", "user 2", "assistant 2", "ask s0"],
        ["be short", "user 2", "assistant 2", "ask s0"],
        ["be short", "ask s0"],
    ]


def test_each_form_has_its_own_attempts(bench: Bench) -> None:
    bench.write_samples([sample("s0", page(bench))])
    script: dict[str, list[Handler]] = {
        "s0": [status(500), status(400, OVERFLOW), status(500), status(500), proper]
    }
    with FaultServer(script=script) as server:
        assert bench.run(bench.http(server.base_url, overflow=("shrink_images",))) == 0
    record = bench.by_id["s0"]
    assert (record.status, record.adjusted, record.attempts) == ("ok", ("images at 70 %",), 5)


def test_a_fallback_gets_the_request_as_it_was(bench: Bench) -> None:
    bench.write_samples([sample("s0", page(bench))])
    script: dict[str, list[Handler]] = {"s0": [status(400, OVERFLOW)]}
    with FaultServer(script=script, everything=status(500)) as first, FaultServer() as second:
        target = Target(
            name="b", backend=HttpBackend(base_url=second.base_url), model="b", model_identity="i"
        )
        spec = bench.http(first.base_url, overflow=("shrink_images",), fallbacks=(target,))
        assert bench.run(spec) == 0
    record = bench.by_id["s0"]
    assert (record.status, record.fallback, record.adjusted) == ("ok", "b", ())
    assert width_of(second.asked[0].body) == 200


@pytest.mark.parametrize(
    "message",
    [
        OOM,
        "HIP out of memory. Tried to allocate 20.00 MiB",
        "torch.OutOfMemoryError: CUDA out of memory.",
        "CUDA error: out of memory",
        "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    ],
)
def test_wordings_of_a_full_gpu(message: str) -> None:
    failure = from_status(500, headers={}, body=message.encode(), now=0.0)
    assert (failure.kind, failure.retryable, failure.status) == ("out_of_memory", True, "error")


def test_out_of_memory_is_retried_alone(bench: Bench) -> None:
    bench.write_samples([sample(f"s{i}") for i in range(8)])

    async def crowded(server: FaultServer, request: web.Request, asked: Asked) -> web.StreamResponse:
        full = len(server.open_requests) > 3
        return await (status(500, OOM) if full else proper)(server, request, asked)

    with FaultServer(socket_path=bench.socket, everything=crowded, delay_s=0.05) as server:
        assert bench.run(bench.own(concurrency=8)) == 0
    assert {record.status for record in bench.predictions} == {"ok"}
    assert max(record.attempts for record in bench.predictions) == 2
    assert len(server.asked) <= 16


def test_out_of_memory_shrinks_images_only_if_the_card_allows(bench: Bench) -> None:
    bench.write_samples([sample("s0", page(bench))])
    with FaultServer(everything=wider_than(150, 500, OOM)) as server:
        assert bench.run(bench.http(server.base_url)) == 0
        error = bench.by_id["s0"].error
        assert error is not None and error.kind == "out_of_memory"
        assert len(server.asked) == 3
        assert bench.run(bench.http(server.base_url, shrink_on_oom=True)) == 0
    record = bench.by_id["s0"]
    assert (record.status, record.adjusted, record.attempts) == ("ok", ("images at 70 %",), 4)


def test_steps_in_the_order_that_was_declared() -> None:
    one = ImageRef(path="a.png", sha256="0", width=1, height=1)
    ask = talk(image=one)
    allowed = Allowed(overflow=("drop_oldest_turns", "shrink_images"))
    told, form = [], UNCHANGED
    while (further := allowed.next("context_overflow", sample=ask, now=form)) is not None:
        form = further
        told.append(form.told)
    assert told == [
        ("1 oldest turn dropped",),
        ("2 oldest turns dropped",),
        ("images at 70 %", "2 oldest turns dropped"),
        ("images at 50 %", "2 oldest turns dropped"),
        ("images at 35 %", "2 oldest turns dropped"),
    ]
    assert allowed.next("out_of_memory", sample=ask, now=UNCHANGED) is None
    assert allowed.next("server_error", sample=ask, now=UNCHANGED) is None
    assert Allowed(shrink_on_oom=True).next("out_of_memory", sample=ask, now=UNCHANGED) == Adjustment(
        image_scale=0.7
    )


def test_images_of_a_dropped_turn_go_with_it() -> None:
    images = tuple(ImageRef(path=f"{i}.png", sha256=str(i), width=1, height=1) for i in range(2))
    messages = (
        Message(role="user", content="example", images=1),
        Message(role="assistant", content="its answer"),
        Message(role="user", content="question", images=1),
    )
    left = without_turns(Sample(sample_id="s", messages=messages, images=images), dropped=1)
    assert [message.content for message in left.messages] == ["question"]
    assert [image.path for image in left.images] == ["1.png"]


def test_images_that_no_message_claims_stay() -> None:
    one = ImageRef(path="a.png", sha256="0", width=1, height=1)
    left = without_turns(talk(image=one), dropped=2)
    assert left.images == (one,)
    assert [message.role for message in left.messages] == ["system", "user"]


def noise(bench: Bench) -> ImageRef:
    """A page that becomes smaller in bytes when it becomes smaller."""
    file = io.BytesIO()
    Image.effect_noise((48, 48), 90).save(file, "PNG")
    (bench.root / "in/media/noise.png").write_bytes(file.getvalue())
    digest = hashlib.sha256(file.getvalue()).hexdigest()
    return ImageRef(path="noise.png", sha256=digest, width=48, height=48)


def test_a_body_that_is_too_large_is_an_overflow(bench: Bench) -> None:
    bench.write_samples([sample("s0", noise(bench))])
    with FaultServer(everything=too_large) as server:
        assert bench.run(bench.http(server.base_url, overflow=("shrink_images",))) == 0
        record = bench.by_id["s0"]
        assert (record.status, record.adjusted) == ("ok", ("images at 50 %",))
        assert [attempt.status_code for attempt in bench.attempts] == [413, 413, 200]


def test_without_a_policy_it_is_typed_and_final(bench: Bench) -> None:
    bench.write_samples([sample("s0", noise(bench))])
    with FaultServer(everything=too_large) as server:
        assert bench.run(bench.http(server.base_url)) == 0
    record = bench.by_id["s0"]
    assert (record.status, len(server.asked)) == ("context_overflow", 1)
    assert record.error is not None and record.error.message.startswith("HTTP 413")
