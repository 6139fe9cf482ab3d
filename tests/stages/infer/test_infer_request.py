"""What is sent is what the sample says: prompts, images, decoding, key."""

from __future__ import annotations

import base64
import json

import pytest
from infer_bench import PNG, Bench, sample, samples
from infer_faults import FaultServer, saying, status
from vlmhb_stages.contracts import ImageRef, Message, Sample
from vlmhb_stages.infer.body import ChatRequest
from vlmhb_stages.infer.dialects import DIALECTS
from vlmhb_stages.infer.dialects.base import Asking
from vlmhb_stages.specs import Decoding, HttpBackend

CANARY = "sk-canary-5bb1"


def test_the_prompt_that_is_configured_is_the_prompt_that_is_sent(bench: Bench) -> None:
    """B9."""
    system = Message(role="system", content="Отвечай «кратко».\nДа.")
    user = Message(role="user", content='ask s0 "Серия"?')
    bench.write_samples([Sample(sample_id="s0", messages=(system, user))])
    decoding = Decoding(temperature=0.5, max_tokens=33, seed=4, top_p=0.9, stop=("\n\n", "END"))
    with FaultServer() as server:
        assert bench.run(bench.http(server.base_url, model="org/name", decoding=decoding)) == 0
    assert server.asked[0].body == {
        "model": "org/name",
        "messages": [
            {"role": "system", "content": "Отвечай «кратко».\nДа."},
            {"role": "user", "content": 'ask s0 "Серия"?'},
        ],
        "temperature": 0.5,
        "max_tokens": 33,
        "seed": 4,
        "top_p": 0.9,
        "stop": ["\n\n", "END"],
        "stream": True,
        "stream_options": {"include_usage": True, "continuous_usage_stats": True},
    }


def test_images_go_before_the_text_as_they_are(bench: Bench) -> None:
    bench.write_samples([sample("s0", bench.image("a.png", b"one"), bench.image("b.png", b"two"))])
    with FaultServer() as server:
        assert bench.run(bench.http(server.base_url)) == 0
    content = server.asked[0].body["messages"][0]["content"]
    assert [part["type"] for part in content] == ["image_url", "image_url", "text"]
    assert content[2]["text"] == "ask s0"
    head, _, data = content[1]["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(data) == PNG + b"two"


@pytest.mark.parametrize(
    ("messages", "contents"),
    [
        ((Message(role="user", content=""),), [[{"type": "image_url"}]]),
        ((Message(role="system", content="s"),), ["s", [{"type": "image_url"}]]),
        (
            (
                Message(role="user", content="a"),
                Message(role="assistant", content="b"),
                Message(role="user", content="c"),
            ),
            [[{"type": "image_url"}, {"type": "text"}], "b", "c"],
        ),
    ],
)
def test_where_images_go_in_other_conversations(
    messages: tuple[Message, ...], contents: list[object]
) -> None:
    images = (ImageRef(path="x", sha256="", width=1, height=1),)
    request = ChatRequest(
        sample=Sample(sample_id="s", messages=messages, images=images),
        request_hash="h",
        data_urls=(b"data:x",),
    )
    asking = Asking(model="m", decoding=Decoding())
    body = json.loads(DIALECTS["openai"].body(request, asking=asking))
    found = [message["content"] for message in body["messages"]]
    assert [
        content if isinstance(content, str) else [{"type": part["type"]} for part in content]
        for content in found
    ] == contents


@pytest.mark.parametrize("damage", ["missing", "edited", "folder", "outside"])
def test_an_image_that_is_not_the_prepared_one_costs_its_sample_only(bench: Bench, damage: str) -> None:
    """V4."""
    images = [bench.image(f"{i}.png") for i in range(3)]
    path = bench.root / "in/media/1.png"
    if damage == "edited":
        path.write_bytes(b"other bytes")
    elif damage == "outside":
        images[1] = images[1].model_copy(update={"path": "../media/1.png"})
    else:
        path.unlink()
        if damage == "folder":
            path.mkdir()
    bench.write_samples([sample(f"s{i}", images[i]) for i in range(3)])
    with FaultServer() as server:
        spec = bench.http(server.base_url)
        assert bench.run(spec) == 0
        assert server.counts == {"s0": 1, "s2": 1}
        failed = bench.by_id["s1"]
        assert (
            failed.error is not None and failed.error.kind == "bad_image" and "1.png" in failed.error.message
        )
        assert bench.run(spec) == 0
    assert server.counts == {"s0": 1, "s2": 1}
    assert len(bench.predictions) == 3


def test_an_image_that_was_put_right_is_sent(bench: Bench) -> None:
    image = bench.image("a.png")
    good = (bench.root / "in/media/a.png").read_bytes()
    bench.write_samples([sample("s0", image)])
    (bench.root / "in/media/a.png").write_bytes(b"bad")
    with FaultServer() as server:
        spec = bench.http(server.base_url)
        bench.run(spec)
        (bench.root / "in/media/a.png").write_bytes(good)
        bench.run(spec)
    assert server.counts == {"s0": 1} and bench.by_id["s0"].status == "ok"


def test_the_key_is_in_the_header_and_nowhere_else(bench: Bench) -> None:
    """R8, V7: also when the server quotes it."""
    bench.write_samples(samples(3))
    (bench.root / "secrets/KEY").write_text(CANARY + "\n")
    quoted = status(401, "x" * 480 + f" wrong key {CANARY}")
    with FaultServer(always={"s0": quoted, "s1": status(500, f"bad {CANARY}")}) as server:
        backend = HttpBackend(base_url=server.base_url, api_key_file="/vlmhb/secrets/KEY")
        assert bench.run(bench.spec(backend)) == 0
    assert {asked.headers["Authorization"] for asked in server.asked} == {f"Bearer {CANARY}"}
    written = b"".join(path.read_bytes() for path in (bench.root / "out").rglob("*") if path.is_file())
    assert b"canary" not in written and b"bad ***" in written


@pytest.mark.parametrize("key", ["", "two\nlines", "ключ"])
def test_a_key_that_cannot_be_one_is_refused_without_being_shown(bench: Bench, key: str) -> None:
    bench.write_samples(samples(1))
    (bench.root / "secrets/KEY").write_text(key)
    with FaultServer() as server:
        backend = HttpBackend(base_url=server.base_url, api_key_file="/vlmhb/secrets/KEY")
        assert bench.run(bench.spec(backend)) == 3
    message = bench.events("fatal")[0]["message"]
    assert "key file" in message and (not key or key not in message)
    assert server.asked == []


def test_a_missing_key_file(bench: Bench) -> None:
    bench.write_samples(samples(1))
    backend = HttpBackend(base_url="http://127.0.0.1:9", api_key_file="/vlmhb/secrets/KEY")
    assert bench.run(bench.spec(backend)) == 3
    assert "No such file" in bench.events("fatal")[0]["message"]


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x/v1", "http://user:pw@127.0.0.1:9", "http://"])
def test_a_base_url_that_cannot_be_asked(bench: Bench, url: str) -> None:
    bench.write_samples(samples(1))
    assert bench.run(bench.http(url)) == 3
    assert "base URL" in bench.events("fatal")[0]["message"]
    assert "pw" not in bench.events("fatal")[0]["message"]


def test_redirects_are_not_followed(bench: Bench) -> None:
    """A key must not travel to another host."""
    bench.write_samples(samples(1))
    with FaultServer(everything=saying("elsewhere")) as other, FaultServer() as server:
        server.everything = status(307, Location=other.base_url)
        assert bench.run(bench.http(server.base_url)) == 0
    assert len(server.asked) == 1 and other.asked == []
    assert bench.predictions[0].status == "error"
