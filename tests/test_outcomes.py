"""What the ends of evaluations make of the whole run."""

from __future__ import annotations

import pytest
from vlmhb.errors import (
    ArtifactEdited,
    BadValue,
    ExitCode,
    GpuMissing,
    Interrupted,
    StageFailed,
    VlmhbError,
    error_class,
)
from vlmhb.outcomes import Outcome, exit_code_of, within_policy


def ended(*errors: VlmhbError | None) -> list[Outcome]:
    outcomes = [Outcome(id=str(number)) for number in range(len(errors))]
    for outcome, error in zip(outcomes, errors, strict=True):
        if error is not None:
            outcome.fail(error, stage="infer")
    return outcomes


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([None, None], ExitCode.OK),
        ([None, StageFailed("x")], ExitCode.FAILURES),
        ([None, BadValue("x")], ExitCode.FAILURES),
        ([GpuMissing("x"), GpuMissing("y")], ExitCode.CANNOT_START),
        ([GpuMissing("x"), None], ExitCode.FAILURES),
        ([GpuMissing("x"), StageFailed("y")], ExitCode.FAILURES),
        ([StageFailed("x"), ArtifactEdited("y")], ExitCode.CONTRACT),
        ([ArtifactEdited("y"), Interrupted("x")], ExitCode.INTERRUPTED),
        ([], ExitCode.OK),
    ],
)
def test_exit_code(errors: list[VlmhbError | None], code: ExitCode) -> None:
    assert exit_code_of(ended(*errors)) == code


@pytest.mark.parametrize(
    ("other", "code"),
    [(StageFailed("report"), ExitCode.FAILURES), (Interrupted("report"), ExitCode.INTERRUPTED)],
)
def test_errors_of_no_evaluation_count(other: VlmhbError, code: ExitCode) -> None:
    assert exit_code_of(ended(None), others=[other]) == code


def test_lost_samples_are_no_success() -> None:
    (outcome,) = ended(None)
    outcome.status = "partial"
    assert exit_code_of([outcome]) == ExitCode.FAILURES


def test_an_outcome_tells_where_and_why_it_failed() -> None:
    (outcome,) = ended(StageFailed("it broke", where="log.txt", hint="look"))
    assert outcome.summary() == {
        "id": "0",
        "status": "failed",
        "counts": {},
        "failure": {
            "stage": "infer",
            "code": "VHB501",
            "message": "VHB501: it broke, in log.txt; hint: look",
        },
    }
    assert ended(Interrupted("x"))[0].status == "interrupted"


@pytest.mark.parametrize(
    ("policy", "lost", "fine"),
    [
        ("continue", 0, True),
        ("continue", 1, False),
        ("stop", 1, False),
        ("tolerate:10%", 10, True),
        ("tolerate:10%", 11, False),
        ("tolerate:10", 10, True),
        ("tolerate:0%", 0, True),
    ],
)
def test_error_policy(policy: str, lost: int, fine: bool) -> None:
    assert within_policy(policy=policy, planned=100, lost=lost) is fine


def test_every_code_is_one_class() -> None:
    classes = VlmhbError.__subclasses__()
    codes = [found.code for found in classes]
    assert len(codes) == len(set(codes))
    assert all(error_class(found.code) is found for found in classes)
    assert error_class("VHB777") is StageFailed
