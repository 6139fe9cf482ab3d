"""What a model is asked: messages for its template, text in its own form, and images of the size that was set."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace
from typing import Any

import pytest
from jinja2 import TemplateError
from PIL import Image
from vlmhb_models.base import BadImage, GenerationRequest, Message, RequestError
from vlmhb_models.transformers_load import Loaded
from vlmhb_models.transformers_prompt import Prompts
from vlmhb_models.transformers_settings import Settings


class Processor:
    """Writes the messages as JSON where a real one fills its template."""

    image_token = "<image>"

    def __init__(self, *, template: str | None = "a template", system: bool = True) -> None:
        self.chat_template = template
        self._system = system

    def apply_chat_template(self, chat: list[dict[str, Any]], **_: Any) -> str:
        if not self._system and any(message["role"] == "system" for message in chat):
            raise TemplateError("System role not supported")
        return json.dumps([[message["role"], shown(message["content"])] for message in chat])


def shown(content: Any) -> Any:
    if isinstance(content, str):
        return content
    return [part["text"] if part["type"] == "text" else part["image"].size for part in content]


class Tokenizer:
    chat_template: str | None = None

    def __call__(self, text: str, **_: Any) -> Any:
        return SimpleNamespace(input_ids=list(range(len(text))))


def prompts(processor: Any = None, *, kind: str = "idefics3", **settings: Any) -> Prompts:
    tokenizer = Tokenizer()
    config = SimpleNamespace(model_type=kind, is_encoder_decoder=kind == "vision-encoder-decoder")
    loaded = Loaded(
        model=SimpleNamespace(config=config),
        processor=processor or Processor(),
        tokenizer=tokenizer,
        device="cpu",
        dtype="float32",
        attention="sdpa",
    )
    return Prompts(loaded, settings=Settings(**settings))


def picture(width: int, height: int) -> bytes:
    target = io.BytesIO()
    Image.new("L", (width, height)).save(target, "PNG")
    return target.getvalue()


def request(*messages: Message, images: tuple[bytes, ...] = ()) -> GenerationRequest:
    return GenerationRequest(messages=messages, images=images)


def one(width: int = 40, height: int = 20) -> GenerationRequest:
    return request(Message(role="user", text="Read.", images=1), images=(picture(width, height),))


def test_images_stand_before_the_text_of_their_own_message() -> None:
    chat = request(
        Message(role="system", text="Be brief."),
        Message(role="user", text="First?", images=2),
        Message(role="assistant", text="A."),
        Message(role="user", text="Second?", images=1),
        images=(picture(1, 1), picture(2, 2), picture(3, 3)),
    )
    asked = prompts().ask(chat)
    assert json.loads(asked.text) == [
        ["system", ["Be brief."]],
        ["user", [[1, 1], [2, 2], "First?"]],
        ["assistant", ["A."]],
        ["user", [[3, 3], "Second?"]],
    ]
    assert asked.adjusted == ()


def test_a_system_prompt_without_a_place_goes_before_the_question_and_is_told() -> None:
    chat = request(
        Message(role="system", text="Be brief."),
        Message(role="user", text="First?"),
        Message(role="assistant", text="A."),
        Message(role="user", text="Second?"),
    )
    asked = prompts(Processor(system=False)).ask(chat)
    assert json.loads(asked.text) == [
        ["user", ["Be brief.\nFirst?"]],
        ["assistant", ["A."]],
        ["user", ["Second?"]],
    ]
    assert len(asked.adjusted) == 1
    assert asked.adjusted[0].startswith("system prompt put before the question")


def test_a_template_that_refuses_for_another_reason_is_an_error_of_the_request() -> None:
    class Refusing(Processor):
        def apply_chat_template(self, chat: list[dict[str, Any]], **_: Any) -> str:
            raise TemplateError("Conversation roles must alternate")

    with pytest.raises(RequestError, match="roles must alternate"):
        prompts(Refusing()).ask(one())


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        ({}, (40, 20)),
        ({"max_pixels": 800}, (40, 20)),
        ({"max_pixels": 200}, (20, 10)),
        ({"max_pixels": 799}, (39, 19)),
        ({"min_pixels": 3200}, (80, 40)),
        ({"min_pixels": 3199}, (80, 40)),
        ({"max_side": 20}, (20, 10)),
        ({"max_side": 20, "min_pixels": 800}, (40, 20)),
        ({"min_pixels": 3200, "max_pixels": 200}, (20, 10)),
        ({"max_pixels": 1}, (1, 1)),
    ],
)
def test_an_image_is_scaled_between_the_bounds(settings: dict[str, int], size: tuple[int, int]) -> None:
    (image,) = prompts(**settings).ask(one(40, 20)).images
    assert (image.size, image.mode) == (size, "RGB")


def test_without_a_chat_template_the_question_follows_the_images() -> None:
    plain = Processor(template=None)
    two = request(Message(role="user", text="Read.", images=2), images=(picture(1, 1), picture(2, 2)))
    assert prompts(plain).ask(two).text == "<image><image>Read."
    template = "{system} USER: {images}{question} ASSISTANT:"
    assert prompts(plain, template=template).ask(two).text == " USER: <image><image>Read. ASSISTANT:"


def test_a_system_prompt_that_a_plain_template_does_not_take_is_told() -> None:
    chat = request(
        Message(role="system", text="Be brief."),
        Message(role="user", text="Read.", images=1),
        images=(picture(1, 1),),
    )
    plain = Processor(template=None)
    lost = prompts(plain).ask(chat)
    assert (lost.text, lost.adjusted) == (
        "<image>Read.",
        ("system prompt not sent: the model's template has no place for it",),
    )
    assert prompts(plain, template="{system}|{question}").ask(chat).adjusted == ()
    assert prompts(plain, kind="vision-encoder-decoder").ask(chat).adjusted == lost.adjusted


@pytest.mark.parametrize("kind", ["idefics3", "vision-encoder-decoder"])
def test_examples_are_no_pages_of_a_model_without_conversations(kind: str) -> None:
    chat = request(
        Message(role="user", text="Read.", images=1),
        Message(role="assistant", text="A."),
        Message(role="user", text="Read.", images=1),
        images=(picture(1, 1), picture(2, 2)),
    )
    with pytest.raises(RequestError, match="takes one question, no examples before it"):
        prompts(Processor(template=None), kind=kind).ask(chat)


def test_a_question_that_holds_a_place_of_the_template_is_left_alone() -> None:
    asked = request(Message(role="system", text="{question}"), Message(role="user", text="{images}", images=1),
                    images=(picture(1, 1),))  # fmt: skip
    text = prompts(Processor(template=None), template="{system}|{images}|{question}").ask(asked).text
    assert text == "{question}|<image>|{images}"


@pytest.mark.parametrize(
    ("settings", "style", "text"),
    [
        ({}, "none", ""),
        ({"decoder_prompt": "<s_q>{question}</s_q><s_a>"}, "decoder", "<s_q>Read.</s_q><s_a>"),
    ],
)
def test_an_encoder_decoder_takes_an_image_and_the_beginning_of_its_answer(
    settings: dict[str, str], style: str, text: str
) -> None:
    asked = prompts(Processor(template=None), kind="vision-encoder-decoder", **settings)
    found = asked.ask(one())
    assert asked.style == style
    assert text in (found.text, "")
    assert found.kind[1] == len(text)  # only beginnings of one length share a batch
    with pytest.raises(BadImage):
        asked.ask(request(Message(role="user", text="Read.")))


def test_a_text_model_refuses_images_and_gets_plain_texts() -> None:
    class TextTokenizer(Processor, Tokenizer):
        pass

    only_text = TextTokenizer()
    loaded = Loaded(
        model=SimpleNamespace(config=SimpleNamespace(model_type="qwen2", is_encoder_decoder=False)),
        processor=only_text,
        tokenizer=only_text,
        device="cpu",
        dtype="float32",
        attention="sdpa",
    )
    asked = Prompts(loaded, settings=Settings())
    assert json.loads(asked.ask(request(Message(role="user", text="Hi"))).text) == [["user", "Hi"]]
    with pytest.raises(RequestError, match="takes no images"):
        asked.ask(one())
