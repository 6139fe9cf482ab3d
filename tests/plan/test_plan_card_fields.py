"""Every field of a model's card: one that can change answers changes an identity, any other changes none."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from test_plan_row_fields import BASE, FILES, identities
from vlmhb.modelcard import ModelCard, ServerCard
from vlmhb.plan.specs import name_at_server

OURS = {"interface": "python", "class_path": "a:B", "image": "img:1"}
VENDORS = {"interface": "server", "image": "img:1", "server": {"command": ["serve", "{weights}"]}}
PROGRAM = {"interface": "command", "image": "img:1", "command": ["program"]}
PROTOTYPE = {"interface": "upstream", "image": "img:1", "upstream": {"module": "a", "class_name": "B"}}
URL = {"interface": "openai", "base_url": "http://one/v1"}


@dataclass(frozen=True)
class Change:
    """`to` in place of what `of` says, or its default."""

    to: Any
    semantic: bool
    of: dict[str, Any] = field(default_factory=lambda: OURS)


CHANGES = {
    "name": Change("y", semantic=True),
    "framework": Change("Two", semantic=False),
    "interface": Change("rapidocr", semantic=True),
    "image": Change("img:2", semantic=True),
    "tasks": Change(["vqa"], semantic=False),
    "params": Change({"max_pixels": 9}, semantic=True),
    "upstream": Change({"module": "a", "class_name": "C"}, semantic=True, of=PROTOTYPE),
    "class_path": Change("a:C", semantic=True),
    "server": Change({"command": ["serve", "{weights}", "--half"]}, semantic=True, of=VENDORS),
    "command": Change(["program", "--half"], semantic=True, of=PROGRAM),
    "revision": Change("main", semantic=False),  # the bytes of the weights count
    "capabilities": Change(["structured"], semantic=True),
    "trust_remote_code": Change(True, semantic=True),
    "path": Change("../../code", semantic=True),
    "base_url": Change("http://two/v1", semantic=False, of=URL),
    "api_key": Change("secret:KEY", semantic=False, of=URL),
    "network": Change("egress", semantic=False, of=URL),
    "weights": Change("../../weights.bin", semantic=True),
    "prompts": Change({"vqa": "Read."}, semantic=True),
    "decoding": Change({"temperature": 0.5}, semantic=True),
    "concurrency": Change(9, semantic=False),
    "adaptive": Change(True, semantic=False),
    "rate": Change({"requests_per_minute": 9}, semantic=False),
    "breaker": Change({"failures": 2}, semantic=False),
    "fallback_urls": Change(["http://two/v1"], semantic=False, of=URL),
    "overflow": Change(["shrink_images"], semantic=True),
    "max_image_side": Change(500, semantic=True),
    "on_oom": Change(["images"], semantic=True),
    "warmup": Change(3, semantic=False),
    "gpus": Change(1, semantic=False),
    "min_vram_gib": Change(8, semantic=False),
    "limits": Change({"memory_mib": 512}, semantic=False),
    "options": Change(["--ipc=host"], semantic=False),
    "load_timeout_s": Change(9, semantic=False),
    "retry": Change({"attempts": 9}, semantic=False),
    "description": Change("other words", semantic=False),
    "languages": Change(["en"], semantic=False),
    "licence": Change("MIT", semantic=False),
    "source": Change("a page", semantic=False),
}
SERVER_CHANGES = {
    "command": Change(["other"], semantic=True),
    "port": Change(9000, semantic=False),
    "health": Change("/alive", semantic=False),
    "metrics": Change(None, semantic=False),
    "python": Change(False, semantic=True),
    "env": Change({"PRECISION": "low"}, semantic=True),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in {**FILES, "code/a.py": "class B: ...\n"}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def of_card(root: Path, **card: Any) -> dict[str, str]:
    """Fingerprints of the row `card` on one benchmark."""
    told = {"name": "x", "framework": "One", "tasks": ["ocr", "vqa"], **card}
    (root / "cards/models/m.yaml").write_text(json.dumps(told), encoding="utf-8")
    return identities(root, {**BASE, "framework": None, "model_name": told["name"]})


def test_every_field_is_tried() -> None:
    assert {*CHANGES, "origin"} == set(ModelCard.model_fields)  # where the card lies is filled in on load
    assert set(SERVER_CHANGES) == set(ServerCard.model_fields)


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_a_field_of_a_card_counts_where_it_can_change_an_answer(root: Path, name: str) -> None:
    change = CHANGES[name]
    before, after = of_card(root, **change.of), of_card(root, **{**change.of, name: change.to})
    assert (before != after) is change.semantic


@pytest.mark.parametrize("name", sorted(SERVER_CHANGES))
def test_so_does_one_of_a_vendors_server(root: Path, name: str) -> None:
    change = SERVER_CHANGES[name]
    server = {"command": ["serve", "{socket}"]}
    before = of_card(root, **{**VENDORS, "server": server})
    after = of_card(root, **{**VENDORS, "server": {**server, name: change.to}})
    assert (before != after) is change.semantic


def test_a_smaller_batch_is_no_other_way_to_ask(root: Path) -> None:
    assert of_card(root, **OURS) == of_card(root, **OURS, on_oom=["batch"])


@pytest.mark.parametrize(("of", "called"), [(URL, "large"), (OURS, "x"), (PROGRAM, "x")])
def test_only_a_server_that_is_not_ours_has_a_name_of_its_own_for_the_model(
    of: dict[str, Any], called: str
) -> None:
    card = ModelCard.model_validate(
        {"name": "x", "framework": "One", "tasks": ["ocr"], **of, "params": {"model": "large"}}
    )
    assert name_at_server(card) == called


FALLBACK_CHANGES = {
    "decoding": Change({"temperature": 0.5}, semantic=True),
    "max_image_side": Change(500, semantic=True),
    "overflow": Change(["shrink_images"], semantic=True),
    "on_oom": Change(["images"], semantic=True),
    "capabilities": Change(["structured"], semantic=True),
    "params": Change({"model": "large"}, semantic=True),
    "concurrency": Change(9, semantic=False),
    "adaptive": Change(False, semantic=False),
    "rate": Change({"requests_per_minute": 9}, semantic=False),
    "breaker": Change({"failures": 2}, semantic=False),
    "retry": Change({"attempts": 9}, semantic=False),
}


@pytest.mark.parametrize("name", sorted(FALLBACK_CHANGES))
def test_what_a_fallback_is_asked_with_counts_as_well(root: Path, name: str) -> None:
    def of_fallback(**card: Any) -> dict[str, str]:
        told = {"name": "spare", "framework": "Two", "tasks": ["ocr", "vqa"], **URL, **card}
        (root / "cards/models/spare.yaml").write_text(json.dumps(told), encoding="utf-8")
        return identities(root, {**BASE, "fallbacks": ("spare",)})

    change = FALLBACK_CHANGES[name]
    before, after = of_fallback(), of_fallback(**{name: change.to})
    assert (before["infer"] != after["infer"]) is change.semantic
