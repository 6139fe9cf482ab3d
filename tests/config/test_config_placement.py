"""GPUs and replicas of a row: wishes without an effect are told, impossible ones refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from vlmhb.config.placement import check_placement
from vlmhb.config.problems import Problems
from vlmhb.contracts import EvaluationRow, Place
from vlmhb.errors import BadValue, NotInForce
from vlmhb.modelcard import ModelCard

OURS = ModelCard(name="m", framework="F", interface="python", class_path="a:B", tasks=("ocr",), gpus=1)
THEIRS = ModelCard(name="m", framework="F", interface="openai", base_url="http://x/v1", tasks=("ocr",))


def problems(**values: Any) -> Problems:
    return Problems(
        row=EvaluationRow(place=Place(file="c.csv", row=2), dataset="d", model_name="m", **values)
    )


def test_replicas_share_gpus_evenly() -> None:
    check_placement(problems(gpus=("0", "1", "2", "3"), replicas=2), model=OURS)
    check_placement(problems(replicas=3), model=OURS)
    with pytest.raises(BadValue) as error:
        check_placement(problems(gpus=("0", "1", "2"), replicas=2), model=OURS)
    assert error.value.line().startswith(
        "VHB104: 3 GPUs cannot be shared out evenly to 2 replicas, in c.csv, row 2, column gpus; hint:"
    )


@pytest.mark.parametrize("column", ["gpus", "replicas"])
def test_a_model_that_is_not_started_here_has_no_gpus(column: str, tmp_path: Path) -> None:
    values: dict[str, Any] = {"gpus": ("0",)} if column == "gpus" else {"replicas": 2}
    found = problems(**values)
    check_placement(found, model=THEIRS)
    assert found.warnings == [
        f"c.csv, row 2, column {column}: no effect: no model server is started for this row"
    ]
    answers = problems(answers_file="a.csv", **values)
    check_placement(answers, model=OURS)
    assert len(answers.warnings) == 1


@pytest.mark.parametrize(
    ("model", "values", "why"),
    [
        (THEIRS, {"batch_size": 4}, "no model server is started for this row"),
        (THEIRS, {"docker_image": "mine:2"}, "no model server is started for this row"),
        (THEIRS, {"weights": "w"}, "no model server is started for this row"),
        (OURS, {"base_url": "http://y/v1"}, "the model is started here, by its interface python"),
        (OURS, {"api_key": "secret:KEY"}, "the model is started here, by its interface python"),
    ],
)
def test_a_wish_that_the_model_cannot_hear_is_told(
    model: ModelCard, values: dict[str, Any], why: str
) -> None:
    found = problems(**values)
    check_placement(found, model=model)
    assert found.warnings == [f"c.csv, row 2, column {next(iter(values))}: no effect: {why}"]
    other = problems(**values)
    check_placement(other, model=OURS if model is THEIRS else THEIRS)
    assert other.warnings == []


def test_a_model_that_is_started_here_gets_no_network() -> None:
    card = OURS.model_copy(update={"network": "egress", "origin": "m.yaml"})
    with pytest.raises(NotInForce) as error:
        check_placement(problems(), model=card)
    assert error.value.line() == (
        "VHB110: 'm' is started here, where no model has a network: egress is not given, in m.yaml; "
        "hint: empty network in the card"
    )
    check_placement(problems(), model=THEIRS.model_copy(update={"network": "egress"}))


REPLAY = ModelCard(name="m", framework="F", interface="replay", tasks=("ocr",))
OCR = ModelCard(name="m", framework="F", interface="tesseract", image="tesseract", tasks=("ocr",))


@pytest.mark.parametrize(
    ("model", "values", "told"),
    [
        (
            REPLAY,
            {"warmup": 2, "slo": "ttft=1", "rate_limit": "5 requests", "max_image_side": 99, "overflow": ()},
            "column warmup: warmup, slo, rate_limit, max_image_side: no effect: the answers come from a file, "
            "so nobody is asked",
        ),
        (
            OURS,
            {"answers_file": "a.csv", "warmup": 1},
            "column warmup: warmup: no effect: the answers come from a",
        ),
        (
            OCR,
            {"overflow": ("shrink_images",)},
            "column overflow: overflow: no effect: an OCR engine (tesseract)",
        ),
        (OCR, {"max_image_side": 500, "warmup": 1}, None),
        (OURS, {"overflow": ("shrink_images",), "warmup": 1}, None),
    ],
)
def test_wishes_of_requests_that_nobody_makes_are_told_in_one_line(
    model: ModelCard, values: dict[str, Any], told: str | None
) -> None:
    found = problems(**values)
    check_placement(found, model=model)
    assert len(found.warnings) == (told is not None)
    assert all(told is not None and told in text for text in found.warnings)
