"""A whole run over scripted containers: one bad evaluation costs only itself, and nothing waits for ever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scripted import IMAGE, QuietProgress, ScriptedEngine, ScriptedHandle, make_session, writes
from vlmhb.contracts import BenchmarkCard, EvaluationRow, Place, ResolvedEvaluation
from vlmhb.engines.base import ContainerTask, Handle, TaskExit
from vlmhb.errors import ExitCode
from vlmhb.execution.jobs import Chain
from vlmhb.execution.session import Session
from vlmhb.modelcard import ModelCard
from vlmhb.outcomes import exit_code_of
from vlmhb.plan.model import Facts
from vlmhb.runner import Runner
from vlmhb.store.hashing import TreeHash
from vlmhb_stages.contracts import Counts, InferSummary
from vlmhb_stages.specs import Decoding, RetryPolicy

ROW = '{"sample_id": "s"}\n'  # two evaluations at a time may compare what they were made from
INPUTS = {"inputs/samples.jsonl": ROW, "labels/labels.jsonl": ROW, "inputs/media.json": "{}"}
ANSWERS = {
    "predictions.jsonl": "{}\n",
    "summary.json": InferSummary(counts=Counts(planned=1, ok=1, error=0)).model_dump_json(),
}
BROKEN = TaskExit(code=70, reason="exit")


@pytest.fixture(autouse=True)
def private_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def chain(benchmark: str, *, model: str = "m", image: bool = True) -> Chain:
    card = ModelCard(
        name=model, framework="F", interface="python" if image else "openai", class_path="a:B", tasks=("ocr",)
    )
    evaluation = ResolvedEvaluation(
        id=f"{benchmark}-{model}",
        row=EvaluationRow(place=Place(file="c.csv", row=2), dataset=benchmark, model_name=model),
        model=card,
        benchmark=BenchmarkCard(name=benchmark, task_type="ocr", loader="jsonl"),
        dataset_path=Path("/data"),
        decoding=Decoding(),
        retry=RetryPolicy(),
        concurrency=1,
        metrics=("cer",),
        primary="cer",
        aggregators=(),
        profile="default",
        error_policy="continue",
        base_url=None if image else "http://localhost:1/v1",
    )
    facts = Facts(
        stages_image=IMAGE,
        model_image=IMAGE if image else None,
        stage_code={stage: stage for stage in ("prepare", "infer", "evaluate", "report")},
        interface_code="i",
        kit_sha256="k",
        dataset=TreeHash(sha256=benchmark, files={}, size=1),
    )
    return Chain(evaluation=evaluation, facts=facts)


def serving(_task: ContainerTask) -> Handle:
    return ScriptedHandle([])


def engine_for(count: int) -> ScriptedEngine:
    def prepare(task: ContainerTask) -> Handle:
        name = task.labels["org.vlmhb.artifact"]
        return writes({**INPUTS, "inputs/samples.jsonl": f'{{"sample_id": "{name}"}}\n'})(task)

    return ScriptedEngine(
        {
            "prepare": [prepare] * count,
            "infer": [writes(ANSWERS)] * count,
            "evaluate": [writes({"metrics.json": "{}"})] * count,
            "server": [serving] * count,
        }
    )


def run(session: Session, *chains: Chain, jobs: int = 1) -> Runner:
    runner = Runner(session, chains, jobs=jobs)
    runner.run()
    return runner


def statuses(runner: Runner) -> list[str]:
    return [outcome.status for outcome in runner.outcomes.values()]


def links(session: Session) -> set[str]:
    root = session.workspace.run_dir(session.run_id) / "evaluations"
    return {path.relative_to(root).as_posix() for path in root.glob("*/*")}


def test_a_model_is_loaded_once_for_all_its_benchmarks(tmp_path: Path) -> None:
    engine = engine_for(3)
    session = make_session(tmp_path, engine)
    runner = run(session, chain("a"), chain("b"), chain("c"))
    assert statuses(runner) == ["done"] * 3
    assert sorted(engine.roles()) == sorted(["prepare", "infer", "evaluate"] * 3 + ["server"])
    assert exit_code_of(list(runner.outcomes.values())) == ExitCode.OK


def test_a_second_benchmark_gets_the_server_after_the_first_one_failed(tmp_path: Path) -> None:
    engine = engine_for(2)
    engine.scripts["infer"][0] = writes({}, end=BROKEN)
    session = make_session(tmp_path, engine)
    runner = run(session, chain("a"), chain("b"))
    assert statuses(runner) == ["failed", "done"]
    assert engine.roles().count("server") == 1
    assert links(session) == {"a-m/prepare", "a-m/infer", "b-m/prepare", "b-m/infer", "b-m/evaluate"}


def test_a_bug_of_ours_costs_one_evaluation_and_leaves_its_traceback(tmp_path: Path) -> None:
    def bug(_task: ContainerTask) -> Handle:
        raise KeyError("a bug")

    engine = engine_for(2)
    engine.scripts["infer"][0] = bug
    session = make_session(tmp_path, engine)
    runner = run(session, chain("a"), chain("b"))
    assert statuses(runner) == ["failed", "done"]
    failure = runner.outcomes["a-m"].failure
    assert failure is not None
    assert (failure["stage"], failure["code"]) == ("infer", "VHB599")
    assert "KeyError: 'a bug'" in failure["message"]
    assert 'raise KeyError("a bug")' in (session.workspace.run_dir("run-1") / "crash.txt").read_text()


def test_a_fault_when_a_server_is_stopped_loses_no_outcome(tmp_path: Path) -> None:
    class Stubborn(ScriptedHandle):
        def stop(self, *, grace_s: float) -> None:
            raise RuntimeError("cannot be stopped")

    engine = engine_for(1)
    engine.scripts["server"] = [lambda _: Stubborn([])]
    runner = run(make_session(tmp_path, engine), chain("a"))
    assert statuses(runner) == ["done"]
    (fault,) = runner.faults
    assert "cannot be stopped" in fault.line()
    assert exit_code_of(list(runner.outcomes.values()), others=runner.faults) == ExitCode.FAILURES


def test_rows_that_differ_in_metrics_share_an_inference_with_failed_samples(tmp_path: Path) -> None:
    engine = engine_for(2)
    summary = InferSummary(counts=Counts(planned=1, ok=0, error=1), errors={"timeout": 1})
    failed = {**ANSWERS, "summary.json": summary.model_dump_json()}
    engine.scripts["infer"] = [writes(failed)]
    session = make_session(tmp_path, engine)
    first, second = chain("a"), chain("a")
    other = second.evaluation.model_copy(update={"id": "a-m-2", "metrics": ("wer",)})
    runner = run(session, first, Chain(evaluation=other, facts=second.facts))
    assert [outcome.failure for outcome in runner.outcomes.values()] == [None, None]
    assert statuses(runner) == ["partial", "partial"]
    assert engine.roles().count("infer") == 1
    assert engine.roles().count("evaluate") == 2


def test_a_stop_request_in_prepare_starts_nothing_more(tmp_path: Path) -> None:
    engine = engine_for(3)
    session = make_session(tmp_path, engine)

    def stopped(_task: ContainerTask) -> Handle:
        return ScriptedHandle([session.stop.request, TaskExit(code=143, reason="stopped")])

    engine.scripts["prepare"] = [stopped, stopped, stopped]
    runner = run(session, chain("a"), chain("b"), chain("c"))
    assert statuses(runner) == ["interrupted"] * 3
    assert set(engine.roles()) == {"prepare"}
    assert exit_code_of(list(runner.outcomes.values())) == ExitCode.INTERRUPTED


def test_a_stop_request_while_evaluating_keeps_what_is_sealed(tmp_path: Path) -> None:
    engine = engine_for(1)
    session = make_session(tmp_path, engine)
    end = TaskExit(code=143, reason="stopped")
    engine.scripts["evaluate"] = [lambda _: ScriptedHandle([session.stop.request, end])]
    runner = run(session, chain("a"))
    assert statuses(runner) == ["interrupted"]
    assert set(runner.outcomes["a-m"].manifests) == {"prepare", "infer"}


def test_everything_is_reused_without_a_server(tmp_path: Path) -> None:
    run(make_session(tmp_path, engine_for(1)), chain("a"))
    engine = ScriptedEngine()
    runner = run(make_session(tmp_path, engine), chain("a"))
    assert statuses(runner) == ["done"]
    assert engine.started == []


def test_models_side_by_side(tmp_path: Path) -> None:
    engine = engine_for(2)
    runner = run(make_session(tmp_path, engine), chain("a", model="m"), chain("a", model="n"), jobs=2)
    assert statuses(runner) == ["done", "done"]
    assert engine.roles().count("server") == 2


def test_an_answers_file_takes_no_url_no_key_and_no_network(tmp_path: Path) -> None:
    answers = tmp_path / "answers.csv"
    answers.write_text("id;model_answer\n")
    one = chain("a", image=False)
    changed = {"answers_file": answers, "api_key": "secret:ABSENT", "base_url": "http://host/v1"}
    replay = Chain(evaluation=one.evaluation.model_copy(update=changed), facts=one.facts)
    engine = engine_for(1)
    session = make_session(tmp_path, engine)
    runner = run(session, replay)
    assert statuses(runner) == ["done"]
    (task,) = (task for task in engine.started if task.labels["org.vlmhb.role"] == "infer")
    assert task.network == "none"
    assert not any(mount.target == "/vlmhb/secrets" for mount in task.mounts)
    spec = json.loads((session.workspace.artifacts("infer")[0].folder / "spec.json").read_text())
    assert spec["backend"]["kind"] == "replay"


def test_a_hand_edited_source_of_records_is_passed_over(tmp_path: Path) -> None:
    session = make_session(tmp_path, engine_for(1))
    run(session, chain("a"))
    (edited,) = session.workspace.artifacts("infer")
    (edited.out / "predictions.jsonl").write_text('{"edited": 1}\n')
    engine = engine_for(1)
    runner = run(make_session(tmp_path, engine), chain("b"))
    assert statuses(runner) == ["done"]
    (task,) = (task for task in engine.started if task.labels["org.vlmhb.role"] == "infer")
    assert not any("previous" in mount.target for mount in task.mounts)


def test_progress_of_a_stage_is_shown(tmp_path: Path) -> None:
    engine = engine_for(1)
    engine.scripts["infer"] = [writes(ANSWERS, events=({"type": "progress", "done": 7, "total": 9},))]
    progress = QuietProgress()
    run(make_session(tmp_path, engine, progress=progress), chain("a"))
    assert ("update", "a-m", "7") in progress.told
