"""A benchmark that asks more than a card lists is told in one line."""

from __future__ import annotations

from typing import Any

import pytest
from vlmhb.config.capabilities import check_capabilities
from vlmhb.config.problems import Problems
from vlmhb.contracts import BenchmarkCard, EvaluationRow, Place
from vlmhb.modelcard import Capability, ModelCard

MANY: dict[str, Any] = {"columns": {"image": ["image_1", "image_2", "image_3"]}}


def warnings(*capabilities: Capability, **benchmark: Any) -> list[str]:
    row = EvaluationRow(place=Place(file="c.csv", row=2), dataset="d", model_name="m")
    problems = Problems(row=row)
    card = ModelCard(name="m", framework="F", interface="openai", tasks=("vqa",), capabilities=capabilities)
    check_capabilities(
        problems, model=card, benchmark=BenchmarkCard(**{"name": "d", "loader": "parquet", **benchmark})
    )
    return problems.warnings


@pytest.mark.parametrize(
    ("benchmark", "why", "capability"),
    [
        ({"params": MANY}, "shows up to 3 images in one request", "multi_image"),
        ({"task_type": "sorting", "loader": "rpo"}, "shows all pages of a set in one request", "multi_image"),
        ({"loader": "due"}, "shows all pages of a document in one request", "multi_image"),
        ({"params": {"image_optional": True}}, "may ask without an image", "text_only"),
    ],
)
def test_what_the_card_does_not_list_is_told(
    benchmark: dict[str, Any], why: str, capability: Capability
) -> None:
    (told,) = warnings("structured", **benchmark)
    assert told == (
        f"c.csv, row 2, column model_name: benchmark 'd' {why}, and the card of 'm' does not list the "
        f"capability {capability}"
    )
    assert warnings(capability, **benchmark) == []
    assert warnings(**benchmark) == []  # a card that lists nothing says nothing


def test_one_image_needs_no_capability() -> None:
    assert warnings("structured", params={"columns": {"image": "image"}}) == []
    assert warnings("structured", loader="jsonl") == []
