"""Prototype-style classes run unmodified: from a folder, from a wheel, called positionally with paths (T10)."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from serving import USER_CODE, Served, data_url, with_images
from vlmhb_models.base import GenerationRequest, Message
from vlmhb_models.server.config import UpstreamSpec
from vlmhb_models.server.image_files import image_files, image_suffix
from vlmhb_models.upstream import class_path

Start = Callable[..., Served]
PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 12


def upstream(class_name: str = "PrototypeModel", **more: Any) -> dict[str, Any]:
    block = {"module": "models", "class_name": class_name, "python_package": "prototype-pkg:0.1.0"}
    return {"interface": "upstream", "upstream": block, **more}


def ready(start_server: Start, **config: Any) -> Served:
    served = start_server(**config)
    served.wait_for("model ready")
    return served


def content(served: Served, body: dict[str, Any]) -> str:
    reply = served.post(body)
    assert reply.status == 200, reply.body
    return str(reply.body["choices"][0]["message"]["content"])


def test_class_gets_name_prompt_and_cache_dir_and_a_path(start_server: Start, tmp_path: Path) -> None:
    config = upstream(weights="/vlmhb/in/weights", params={"system_prompt": "be exact"})
    served = ready(start_server, root=tmp_path / "r", **config)
    weights = tmp_path / "r" / "in" / "weights"
    assert (
        content(served, with_images("Фамилия?", data_url(PNG))) == f"toy|be exact|{weights}|Фамилия?|.png|20"
    )


def test_media_file_is_passed_by_its_own_path(start_server: Start, tmp_path: Path) -> None:
    served = ready(start_server, root=tmp_path / "r", **upstream("OneImageOnly"))
    file = tmp_path / "r" / "in" / "media" / "images" / "1.jpg"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"jpeg")
    assert content(served, with_images("q", "file:///vlmhb/in/media/images/1.jpg")) == str(file)


def test_class_from_a_wheel_runs_the_same(start_server: Start, tmp_path: Path) -> None:
    wheel = tmp_path / "prototype_pkg-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("__init__.py", "models.py"):
            archive.write(USER_CODE / "prototype_pkg" / name, f"prototype_pkg/{name}")
    served = ready(start_server, path=str(wheel), **upstream(params={"cache_dir": "/c"}))
    assert content(served, with_images("q", data_url(PNG))) == "toy|None|/c|q|.png|20"


def test_several_images_go_to_predict_on_images(start_server: Start) -> None:
    served = ready(start_server, **upstream())
    assert content(served, with_images("order?", data_url(PNG), data_url(b"abc"))) == "order?|[20, 3]"


def test_system_message_goes_where_the_class_keeps_its_own(start_server: Start) -> None:
    served = ready(start_server, **upstream(params={"cache_dir": "/c"}))
    body = with_images("q", data_url(PNG))
    body["messages"].insert(0, {"role": "system", "content": "new"})
    assert content(served, body) == "toy|new|/c|q|.png|20"


def test_the_next_question_without_a_system_message_has_the_cards_prompt_again(start_server: Start) -> None:
    served = ready(start_server, **upstream(params={"cache_dir": "/c", "system_prompt": "card's"}))
    body = with_images("q", data_url(PNG))
    body["messages"].insert(0, {"role": "system", "content": "new"})
    assert content(served, body) == "toy|new|/c|q|.png|20"
    assert content(served, with_images("q", data_url(PNG))) == "toy|card's|/c|q|.png|20"


def test_answers_that_are_no_text_become_text_but_none_is_an_error(start_server: Start) -> None:
    served = ready(start_server, **upstream())
    assert content(served, with_images("return a list", data_url(PNG))) == "['a', 1]"
    failed = served.post(with_images("return nothing", data_url(PNG)))
    assert (failed.status, failed.body["error"]["code"]) == (500, "model_error")


def test_what_the_contract_cannot_carry_is_refused(start_server: Start) -> None:
    served = ready(start_server, **upstream("OneImageOnly"))
    dialogue = with_images("q", data_url(PNG))
    dialogue["messages"].append({"role": "assistant", "content": "a"})
    system = with_images("q", data_url(PNG))
    system["messages"].insert(0, {"role": "system", "content": "s"})
    two = with_images("q", data_url(PNG), data_url(PNG))
    for body, said in [
        (dialogue, "not a dialogue"),
        (system, "system prompt only from"),
        (two, "no predict_on_images"),
        (with_images("q"), "there is none"),
    ]:
        reply = served.post(body)
        assert reply.status == 400
        assert said in reply.body["error"]["message"]


def test_framework_attribute_is_told_with_the_model(start_server: Start) -> None:
    served = ready(start_server, **upstream())
    assert served.get("/v1/models").body["data"][0]["vlmhb"] == {
        "interface": "upstream",
        "class": "prototype_pkg.models:PrototypeModel",
        "framework": "Hugging_Face",
        "decoding": "fixed by the class",
    }


def test_class_without_the_method_fails_to_load(start_server: Start) -> None:
    served = start_server(**upstream("NoMethods", failed_linger_s=0.0))
    assert served.ended() == 3
    assert "has no method predict_on_image" in served.lines[-1]


@pytest.mark.parametrize(
    ("package", "path"),
    [
        ("model_qwen2_5_vl", "model_qwen2_5_vl.models:M"),
        ("model-qwen2:0.1.0", "model_qwen2.models:M"),
        (None, "models:M"),
        ("", "models:M"),
    ],
)
def test_class_path_of_all_table_generations(package: str | None, path: str) -> None:
    assert class_path(UpstreamSpec(module="models", class_name="M", python_package=package)) == path


@pytest.mark.parametrize(
    ("data", "suffix"),
    [
        (PNG, ".png"),
        (b"\xff\xd8\xff\xe0", ".jpg"),
        (b"RIFF0000WEBPVP8 ", ".webp"),
        (b"II*\x00", ".tif"),
        (b"?", ".img"),
    ],
)
def test_suffix_follows_the_bytes(data: bytes, suffix: str) -> None:
    assert image_suffix(data) == suffix


def test_images_without_a_path_become_files(tmp_path: Path) -> None:
    request = GenerationRequest(
        messages=(Message(role="user", text="q", images=2),),
        images=(PNG, b"own"),
        image_paths=(None, "/own.png"),
    )
    paths = image_files(request, folder=tmp_path)
    assert paths == [str(tmp_path / "image-0.png"), "/own.png"]
    assert (tmp_path / "image-0.png").read_bytes() == PNG
