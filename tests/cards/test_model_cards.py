"""The packaged model cards: each one loads, can be started as it says, and says where its facts come from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from vlmhb.cards import load_registry
from vlmhb.cards.registry import Registry
from vlmhb.errors import UnknownName
from vlmhb.modelcard import URL_INTERFACES, ModelCard
from vlmhb_models.placeholders import filled

REGISTRY = load_registry()
MODELS = REGISTRY.models
IMAGES = {image.name for image in REGISTRY.images}
FULL_REFERENCE = re.compile(r"[\w.-]+(:\d+)?(/[\w.-]+)+:[\w.-]+")
FAMILIES = (
    "Qwen2-VL-", "Qwen2.5-VL-", "Qwen3-VL-", "InternVL2_5", "InternVL3-", "MiniCPM-V", "llava-onevision", "SmolVLM",
    "gemma-3-", "Pixtral", "Mistral-Small", "DeepSeek-OCR", "olmOCR", "GOT-OCR", "dots.ocr", "PaddleOCR-VL", "nougat",
    "donut",
)  # fmt: skip
OURS = [card for card in MODELS if card.interface not in (*URL_INTERFACES, "replay")]
VENDORS = [card for card in MODELS if card.interface == "server"]
PLACEHOLDERS = {"weights", "name", "socket", "port", "max_batch", "gpus"}
PROTOTYPE = (
    "framework,model_family,model_name,docker_image,git_python_package,python_package,module,class_name\n"
    "Hugging Face,Qwen2-VL,Qwen2-VL-2B-Instruct,q:1,git+a@1,model_qwen2_vl,models,Qwen2_VLModel\n"
)


def key(card: ModelCard) -> str:
    return f"{card.framework}-{card.name}"


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_a_card(family: str) -> None:
    assert any(card.name.startswith(family) for card in MODELS)


@pytest.mark.parametrize("card", OURS, ids=key)
def test_image_is_a_card_of_ours_or_a_full_reference_with_a_version(card: ModelCard) -> None:
    assert card.image is not None
    assert card.image in IMAGES or FULL_REFERENCE.fullmatch(card.image)
    assert not card.image.endswith(":latest")


@pytest.mark.parametrize("card", MODELS, ids=key)
def test_card_says_what_it_is(card: ModelCard) -> None:
    assert card.description and card.tasks
    if card.image is not None:
        assert card.source and card.licence
    if card.gpus:
        assert card.min_vram_gib and card.weights and card.revision


@pytest.mark.parametrize("card", VENDORS, ids=key)
def test_command_of_a_vendor_fills_all_its_placeholders(card: ModelCard) -> None:
    assert card.server is not None
    words = card.server.command
    used = {name for word in words for name in re.findall(r"\{(\w+)\}", word)}
    assert used <= PLACEHOLDERS
    assert {"weights", "name"} <= used
    assert used & {"port", "socket"} or str(card.server.port) in words
    done = [filled(word, dict.fromkeys(used, "x")) for word in words]
    assert not any(re.search(r"\{\w+\}", word) for word in done)
    if "port" in used:
        assert "127.0.0.1" in " ".join(words)  # never reachable from outside, on whatever engine


@pytest.mark.parametrize("card", VENDORS, ids=key)
def test_code_out_of_weights_runs_only_where_the_card_says_so(card: ModelCard) -> None:
    assert card.server is not None
    assert ("--trust-remote-code" in card.server.command) == card.trust_remote_code


@pytest.mark.parametrize("card", [card for card in VENDORS if card.gpus], ids=key)
def test_memory_estimate_follows_its_formula(card: ModelCard) -> None:
    """The comment beside the number is what it was computed from."""
    text = Path(card.origin).read_text(encoding="utf-8")
    document = next(
        part
        for part in text.split("\n---\n")
        if f"name: {card.name}\n" in part and f"framework: {card.framework}\n" in part
    )
    found = re.search(
        r"min_vram_gib: (\d+) +# \(([\d.]+)e9 x ([\d.]+) B \+ (\d+) B/token x (\d+) \+ 2 GiB\) / 0.9",
        document,
    )
    assert found, card.name
    total, billions, size, per_token, tokens = (float(value) for value in found.groups())
    assert card.server is not None
    assert str(int(tokens)) in card.server.command
    exact = ((billions * 1e9 * size + per_token * tokens) / 2**30 + 2) / 0.9
    assert exact <= total < exact + 1


def test_apis_reach_out_with_a_secret_that_is_only_named() -> None:
    for interface in ("anthropic", "gemini"):
        (card,) = (card for card in MODELS if card.interface == interface)
        assert card.network == "egress"
        assert (card.api_key or "").startswith("secret:") and (card.base_url or "").startswith("https://")


def test_special_prompts_are_for_tasks_that_the_model_takes() -> None:
    assert all(set(card.prompts) <= set(card.tasks) for card in MODELS)
    assert {card.name for card in MODELS if card.prompts} >= {"olmOCR-2-7B-1025", "dots.ocr", "PaddleOCR-VL"}


def test_a_row_of_the_prototype_wins_and_needs_no_framework(tmp_path: Path) -> None:
    (tmp_path / "vlm_base.csv").write_text(PROTOTYPE, encoding="utf-8")
    registry = load_registry(vlm_base=tmp_path / "vlm_base.csv")
    for framework in ("HuggingFace", "Hugging Face", "hf", None):
        assert registry.find_model("Qwen2-VL-2B-Instruct", framework).interface == "upstream"
    assert registry.find_model("Qwen2-VL-2B-Instruct", "vLLM").interface == "server"
    assert registry.find_model("Qwen2-VL-7B-Instruct", "HuggingFace").interface == "transformers"


def test_two_packaged_cards_of_one_name_want_a_framework() -> None:
    with pytest.raises(UnknownName, match="exists in 2 frameworks"):
        Registry(models=MODELS).find_model("Qwen2-VL-2B-Instruct", None)
