"""Reuse, resume or run, each with its reason; and what is part of an identity."""

from pathlib import Path
from typing import Any

import pytest
from vlmhb.contracts import BenchmarkCard, EvaluationRow, FoundMetric, Place, ResolvedEvaluation
from vlmhb.engines.base import ImageSpec
from vlmhb.modelcard import ModelCard
from vlmhb.plan.explain import changed_fields, nearest_change
from vlmhb.plan.fingerprint import fingerprint, infer_identity, model_identity, prepare_identity
from vlmhb.plan.metrics import backends_of, metric_mounts
from vlmhb.plan.model import Facts
from vlmhb.plan.planner import plan_evaluation, plan_stage
from vlmhb.plan.specs import evaluate_spec, score_spec
from vlmhb.store.hashing import TreeHash
from vlmhb.store.manifest import Manifest
from vlmhb_stages.specs import Decoding, RetryPolicy

MODEL = ModelCard(name="m", framework="F", interface="python", image="img", tasks=("ocr",), class_path="a:B")
BENCHMARK = BenchmarkCard(name="b", task_type="ocr", loader="jsonl", metrics=("cer",))
ROW = EvaluationRow(place=Place(file="c.csv", row=2), dataset="b", model_name="m")
EVALUATION = ResolvedEvaluation(
    id="b-m",
    row=ROW,
    model=MODEL,
    benchmark=BENCHMARK,
    dataset_path=Path("/data"),
    decoding=Decoding(),
    retry=RetryPolicy(),
    concurrency=1,
    metrics=("cer",),
    primary="cer",
    aggregators=(),
    profile="default",
    error_policy="continue",
)
IMAGE = ImageSpec(name="img", ref="img:1", identity="sha256:" + "1" * 64)
FACTS = Facts(
    stages_image=IMAGE,
    model_image=IMAGE,
    stage_code={s: s for s in ("prepare", "infer", "evaluate")},
    interface_code="i",
    kit_sha256="k",
    dataset=TreeHash(sha256="d" * 64, files={"a": "x"}, size=1),
    metric_versions={"cer": "1"},
)


class View:
    """A store with chosen contents."""

    def __init__(self) -> None:
        self.manifests: dict[str, Manifest] = {}
        self.attempts: set[str] = set()
        self.known: list[dict[str, Any]] = []
        self.failed: dict[str, int] = {}
        self.dataset: dict[str, str] | None = None
        self.making: str | None = None

    def sealed(self, stage: str, fingerprint: str) -> Manifest | None:
        return self.manifests.get(fingerprint)

    def started(self, stage: str, fingerprint: str) -> bool:
        return fingerprint in self.attempts

    def maker(self, stage: str, fingerprint: str) -> str | None:
        return self.making

    def identities(self, stage: str, subject: str) -> list[dict[str, Any]]:
        return self.known

    def sources(self, subject: str) -> dict[str, str] | None:
        return self.dataset

    def failed_samples(self, fingerprint: str) -> dict[str, int]:
        return self.failed


def manifest(mark: str, **groups: str) -> Manifest:
    return Manifest(
        stage="s",
        subject="x",
        fingerprint=mark,
        identity={},
        outputs={"predictions.jsonl": "p"},
        groups=groups,
        created="2026-01-01T00:00:00",
        host="h",
        attempts=1,
        wall_s=0,
        engine="docker",
        isolation="container",
        network="none",
    )


def test_nothing_done_yet_plans_three_runs() -> None:
    planned = plan_evaluation(EVALUATION, FACTS, View())
    assert [(s.stage, s.decision) for s in planned.stages] == [
        ("prepare", "run"),
        ("infer", "run"),
        ("evaluate", "run"),
    ]
    assert planned.stages[0].reason == "never done before"
    assert planned.stages[1].fingerprint is None


def test_everything_sealed_is_reused() -> None:
    view = View()
    for _ in range(3):
        for stage in plan_evaluation(EVALUATION, FACTS, view).stages:
            if stage.fingerprint:
                view.manifests[stage.fingerprint] = manifest(stage.fingerprint, inputs="i", labels="l")
    assert [s.decision for s in plan_evaluation(EVALUATION, FACTS, view).stages] == ["reuse"] * 3


def test_an_interrupted_attempt_is_resumed() -> None:
    view = View()
    view.attempts.add(fingerprint(prepare_identity(EVALUATION, FACTS)))
    planned = plan_evaluation(EVALUATION, FACTS, view).stages[0]
    assert (planned.decision, planned.reason) == ("resume", "an earlier attempt was interrupted")
    view.making = "pid 7 on here"
    planned = plan_evaluation(EVALUATION, FACTS, view).stages[0]
    assert (planned.decision, planned.reason) == ("resume", "being made right now (pid 7 on here)")


def test_a_sealed_inference_with_failed_samples_runs_those_again() -> None:
    view = View()
    identity = infer_identity(EVALUATION, FACTS, inputs="i")
    view.manifests[fingerprint(identity)] = manifest("x")
    view.failed = {"timeout": 2}
    planned = plan_stage(stage="infer", subject="m×b", identity=identity, view=view)
    assert (planned.decision, planned.reason) == ("resume", "failed samples run again: 2 timeout")
    assert planned.reopens == 1


def test_samples_that_a_budget_left_out_are_asked_again_as_far_as_there_is_money() -> None:
    view = View()
    identity = infer_identity(EVALUATION, FACTS, inputs="i")
    view.manifests[fingerprint(identity)] = manifest("x")
    view.failed = {"budget": 12}
    planned = plan_stage(stage="infer", subject="m×b", identity=identity, view=view)
    reason = "12 samples that a budget left out are asked, as far as there is money now"
    assert (planned.decision, planned.reason) == ("resume", reason)
    view.failed = {"budget": 12, "timeout": 2}
    planned = plan_stage(stage="infer", subject="m×b", identity=identity, view=view)
    assert planned.reason == f"failed samples run again: 2 timeout; {reason}"


def test_the_reason_names_the_changed_field() -> None:
    view = View()
    view.known = [infer_identity(EVALUATION, FACTS, inputs="i")]
    changed = FACTS.model_copy(update={"weights_sha256": "a" * 64})
    planned = plan_stage(
        stage="infer", subject="m×b", identity=infer_identity(EVALUATION, changed, inputs="i"), view=view
    )
    assert planned.reason == "infer m×b: model.weights not set→aaaaaa"


def test_the_reason_names_the_changed_files() -> None:
    view = View()
    view.known = [{**prepare_identity(EVALUATION, FACTS), "dataset": "e" * 64}]
    view.dataset = {"a": "old", "gone": "y"}
    reason = plan_evaluation(EVALUATION, FACTS, view).stages[0].reason
    assert reason == "prepare b: dataset eeeeee→dddddd: a changed, gone removed"


def test_no_metrics_skips_evaluation() -> None:
    bare = EVALUATION.model_copy(update={"metrics": ()})
    assert plan_evaluation(bare, FACTS, View()).stages[2].decision == "skip"


RUNTIME = {
    "base_url": "http://a",
    "concurrency": 9,
    "error_policy": "stop",
    "retry": RetryPolicy(attempts=9),
    "id": "z",
}


@pytest.mark.parametrize("field", sorted(RUNTIME))
def test_runtime_fields_change_no_identity(field: str) -> None:
    other = EVALUATION.model_copy(update={field: RUNTIME[field]})
    assert infer_identity(other, FACTS, inputs="i") == infer_identity(EVALUATION, FACTS, inputs="i")
    assert prepare_identity(other, FACTS) == prepare_identity(EVALUATION, FACTS)


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "Read"},
        {"system_prompt": "S"},
        {"prompts": {"a b": "c"}},
        {"row": ROW.model_copy(update={"limit": 3})},
    ],
)
def test_what_changes_the_samples_changes_prepare(change: dict[str, Any]) -> None:
    other = EVALUATION.model_copy(update=change)
    assert prepare_identity(other, FACTS) != prepare_identity(EVALUATION, FACTS)


def test_a_moved_dataset_is_the_same_dataset() -> None:
    moved = EVALUATION.model_copy(update={"dataset_path": Path("/elsewhere")})
    assert prepare_identity(moved, FACTS) == prepare_identity(EVALUATION, FACTS)


def test_model_identity_depends_on_image_class_and_weights() -> None:
    base = model_identity(EVALUATION, FACTS)
    other_image = FACTS.model_copy(update={"model_image": IMAGE.model_copy(update={"identity": "sha256:2"})})
    assert model_identity(EVALUATION, other_image) != base
    assert model_identity(EVALUATION, FACTS.model_copy(update={"package_sha256": "p"})) != base
    other_class = EVALUATION.model_copy(update={"model": MODEL.model_copy(update={"class_path": "a:C"})})
    assert model_identity(other_class, FACTS) != base


def test_an_api_model_is_known_by_name_whatever_its_url() -> None:
    api = MODEL.model_copy(update={"interface": "openai", "image": None})
    one = EVALUATION.model_copy(update={"model": api, "base_url": "http://a"})
    two = EVALUATION.model_copy(update={"model": api, "base_url": "http://b"})
    assert model_identity(one, FACTS) == model_identity(two, FACTS)


def test_changes_are_listed_by_field_and_shortened() -> None:
    assert changed_fields({"a": {"b": "x", "c": 1}}, {"a": {"b": "y", "c": 1}, "d": None}) == [
        "a.b x→y",
    ]
    assert changed_fields({"a": 1, "d": 2}, {"a": 1}) == ["d 2→not set"]
    assert changed_fields({"a": 1}, {"a": 1, "d": None}) == ["d was not set"]
    assert nearest_change([], {"a": 1}) is None
    assert nearest_change([{"a": 2, "b": 2}, {"a": 2, "b": 1}], {"a": 1, "b": 1}) == "a 2→1"


# --- metrics that are not ours -------------------------------------------------------------------

HEAVY = FoundMetric(name="heavy", module="h", attribute="score", image="reg.example/Box:1")
OWN = FoundMetric(name="own", module="o", attribute="score", path=Path("/code/o.py"), inside="o.py")
SCORED = EVALUATION.model_copy(
    update={"metrics": ("cer", "heavy", "own"), "user_metrics": (HEAVY, OWN)},
)
SCORED_FACTS = FACTS.model_copy(
    update={
        "stage_code": {**FACTS.stage_code, "score": "s"},
        "metric_versions": {"cer": "1", "heavy": "a" * 64, "own": "b" * 64},
        "backend_images": {HEAVY.image: IMAGE},
    }
)


def seal_until_reused(view: View, facts: Facts) -> None:
    for _ in range(4):
        for stage in plan_evaluation(SCORED, facts, view).stages:
            if stage.fingerprint:
                view.manifests[stage.fingerprint] = manifest(stage.fingerprint, inputs="i", labels="l")


def test_a_backend_is_planned_between_infer_and_evaluate() -> None:
    planned = plan_evaluation(SCORED, SCORED_FACTS, View()).stages
    assert [(stage.name, stage.reason) for stage in planned[1:]] == [
        ("infer", "follows prepare; only samples that differ are asked"),
        ("score-reg.example-box-1", "follows infer"),
        ("evaluate", "follows score"),
    ]


@pytest.mark.parametrize(
    ("change", "decisions"),
    [
        ({}, ["reuse", "reuse"]),
        ({"heavy": "c" * 64}, ["run", "run"]),  # what follows a stage that must run is not known yet
        ({"own": "c" * 64}, ["reuse", "run"]),
    ],
)
def test_new_code_of_a_metric_runs_what_uses_it(change: dict[str, str], decisions: list[str]) -> None:
    view = View()
    seal_until_reused(view, SCORED_FACTS)
    versions = {**SCORED_FACTS.metric_versions, **change}
    facts = SCORED_FACTS.model_copy(update={"metric_versions": versions})
    assert [stage.decision for stage in plan_evaluation(SCORED, facts, view).stages[2:]] == decisions


def test_another_image_of_a_backend_runs_it_anew() -> None:
    view = View()
    seal_until_reused(view, SCORED_FACTS)
    other = IMAGE.model_copy(update={"identity": "sha256:2"})
    facts = SCORED_FACTS.model_copy(update={"backend_images": {HEAVY.image: other}})
    assert plan_evaluation(SCORED, facts, view).stages[2].decision == "run"


def test_specs_name_each_metric_where_it_is_scored() -> None:
    (backend,) = backends_of(SCORED)
    score = score_spec(SCORED, backend, versions=SCORED_FACTS.metric_versions)
    evaluate = evaluate_spec(SCORED, versions=SCORED_FACTS.metric_versions, annotation=False, legacy_stem="x")
    assert score.metrics == ("heavy",)
    assert [(item.name, item.version, item.path) for item in score.user_metrics] == [
        ("heavy", "a" * 12, None)
    ]
    assert evaluate.metrics == ("cer", "heavy", "own")
    assert [(item.name, item.path) for item in evaluate.user_metrics] == [("own", "/vlmhb/in/metrics/own")]
    assert [(item.name, item.folder) for item in evaluate.backends] == [
        ("reg.example-box-1", "/vlmhb/in/backends/reg.example-box-1")
    ]
    assert [(mount.source, mount.target) for mount in metric_mounts((HEAVY, OWN))] == [
        (Path("/code/o.py"), "/vlmhb/in/metrics/own/o.py")
    ]


def test_two_images_with_one_slug_are_two_backends() -> None:
    other = HEAVY.model_copy(update={"name": "other", "image": "reg.example/box:1"})
    both = EVALUATION.model_copy(update={"user_metrics": (HEAVY, other)})
    assert [item.name for item in backends_of(both)] == ["reg.example-box-1", "reg.example-box-1-2"]
