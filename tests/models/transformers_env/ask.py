"""Builds a model of each architecture and asks it through the interface; prints what came as JSON.

Run by the interpreter of the image `transformers`: `ask.py FOLDER`."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from architectures import BUILDERS, build
from PIL import Image, ImageDraw
from vlmhb_models.base import Generation, GenerationRequest, LoadError, Message, Part
from vlmhb_models.transformers import TransformersModel
from vlmhb_models.transformers_answer import Growing
from vlmhb_models.transformers_finish import Finisher
from vlmhb_models.transformers_load import load
from vlmhb_models.transformers_prompt import Asked
from vlmhb_models.transformers_settings import Settings
from vlmhb_models.transformers_steps import Chooser, NotNumbers, Row, Steering

PARAMS: dict[str, dict[str, Any]] = {
    "donut": {
        "decoder_prompt": "<s_docvqa><s_question>{question}</s_question><s_answer>",
        "output": "donut",
    },
    "nougat": {"output": "nougat"},
    "got_ocr2": {"prompt": "none"},
    "florence2": {"max_pixels": 4096},
}
QUESTIONS = {"Read the page.": 5, "What is it, the total?": 12, "date": 20}


def page(text: str) -> bytes:
    image = Image.new("RGB", (120, 90), "white")
    ImageDraw.Draw(image).text((10, 30), text, fill="black")
    target = io.BytesIO()
    image.save(target, "PNG")
    return target.getvalue()


def requests(name: str, **more: Any) -> list[GenerationRequest]:
    pages = 0 if name == "text" else 1
    return [
        GenerationRequest(
            messages=(Message(role="user", text=question, images=pages),),
            images=(page(question),) * pages,
            max_tokens=limit,
            **more,
        )
        for question, limit in QUESTIONS.items()
    ]


def streamed(model: TransformersModel, batch: list[GenerationRequest]) -> list[str]:
    """The parts of each answer, joined."""
    shown = [""] * len(batch)

    def emit(index: int, content: Part | Generation | Exception) -> bool:
        if isinstance(content, Part):
            shown[index] += content.text
        elif isinstance(content, Exception):
            raise content
        return True

    model.generate_streaming(batch, emit=emit)
    return shown


def answers(model: TransformersModel, batch: list[GenerationRequest]) -> list[dict[str, Any]]:
    return [asdict(answer) for answer in model.generate(batch)]


def ask(name: str, folder: Path) -> dict[str, Any]:
    model = TransformersModel()
    model.load(params={"threads": 1, **PARAMS.get(name, {})}, weights=str(build(name, folder / name)))
    batch = requests(name)
    return {
        "facts": model.describe(),
        "alone": [answer for request in batch for answer in answers(model, [request])],
        "together": answers(model, batch),
        "streamed": streamed(model, batch),
        "seeded": [answers(model, requests(name, temperature=2.0, seed=seed)) for seed in (1, 1, 2)],
    }


def broken(folder: Path) -> str:
    """What the interface says about a model whose weights are not numbers."""
    from transformers import AutoModelForCausalLM

    build("text", folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        model.model.embed_tokens.weight.fill_(float("nan"))
    model.save_pretrained(folder)
    try:
        TransformersModel().load(params={}, weights=str(folder))
    except Exception as error:  # noqa: BLE001  # whatever it is, it is the result
        return f"{type(error).__name__}: {error}"
    return "loaded"


def overflowing() -> list[str]:
    """What is said of logits that are not numbers at a later token: of an answer that goes on, then of one that has
    ended."""
    found = []
    for limit in (5, 1):
        answer = Growing(decode=str, ends=frozenset(), limit=limit)
        chooser = Chooser(GenerationRequest(messages=()))
        steering = Steering([Row(answer=answer, chooser=chooser)], on_step=lambda: None)
        steering.choose(None, torch.zeros(1, 3))
        steering.stop(torch.tensor([[1]]), None)
        try:
            steering.choose(None, torch.full((1, 3), float("nan")))
            found.append("passed")
        except NotNumbers as error:
            found.append(str(error))
    return found


def bringing_code(folder: Path) -> dict[str, str]:
    """The same for weights that bring Python code, without and with leave to run it."""
    build("text", folder)
    config = json.loads((folder / "config.json").read_text())
    config.update(model_type="own_type", auto_map={
        "AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel",
    })  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(
        "from transformers import Qwen2Config, Qwen2ForCausalLM\n"
        "class OwnConfig(Qwen2Config):\n    model_type = 'own_type'\n"
        "class OwnModel(Qwen2ForCausalLM):\n    config_class = OwnConfig\n"
    )
    found = {}
    for trust in (False, True):
        model = TransformersModel(trust_remote_code=trust)
        try:
            model.load(params={}, weights=str(folder))
            found[str(trust)] = str(model.describe()["model_class"])
        except LoadError as error:
            found[str(trust)] = f"{error}; {error.hint}"
    return found


def finished(folder: Path) -> dict[str, str]:
    """What Donut's tags become, after a prompt that opens a tag and after one that names a task only."""
    loaded = load(str(folder / "donut"), settings=Settings(), trust_remote_code=False, gpus=0)
    finisher = Finisher(loaded, output="donut")
    request = requests("donut")[0]

    def finish(prompt: str, text: str) -> str:
        return finisher.finish(text, asked=Asked(request=request, images=(), text=prompt, kind=()))

    asked = "<s_docvqa><s_question>What?</s_question><s_answer>"
    return {
        "answer": finish(asked, " 12.50</s_answer></s>"),
        "cut": finish(asked, " 12.5"),
        "empty": finish(asked, "</s>"),
        "fields": finish("<s_cord-v2>", "<s_question> a</s_question><s_answer> b</s_answer></s>"),
    }


def main() -> None:
    folder = Path(sys.argv[1])
    found: dict[str, Any] = {name: ask(name, folder) for name in BUILDERS}
    found["finished"] = finished(folder)
    found["broken"] = broken(folder / "broken")
    found["overflowing"] = overflowing()
    found["code"] = bringing_code(folder / "code")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
