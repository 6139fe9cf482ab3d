"""Making one artifact: reuse, resume, judge, seal, and what other runs may do meanwhile."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from scripted import (
    DONE,
    ENDED,
    IMAGE,
    ScriptedEngine,
    ScriptedHandle,
    make_session,
    out_of,
    tell,
    ticking,
    writes,
)
from vlmhb.engines.base import ContainerTask, Handle, TaskExit
from vlmhb.errors import ArtifactBusy, DiskFull, ExitCode, ImageMissing, Interrupted, StageFailed, VlmhbError
from vlmhb.execution.session import Session
from vlmhb.execution.stages import Companion, StageJob, make_artifact
from vlmhb.plan.model import PlannedStage, Stage
from vlmhb.plan.planner import plan_stage
from vlmhb.store.locks import ArtifactLock
from vlmhb.store.manifest import Manifest
from vlmhb_stages.contracts import Counts, InferSummary
from vlmhb_stages.specs import PrepareSpec

JOB = StageJob(spec=PrepareSpec(loader="jsonl"), image=IMAGE, mounts=())


def planned(session: Session, *, stage: Stage = "prepare", mark: str = "a") -> PlannedStage:
    return plan_stage(stage=stage, subject="pages", identity={"x": mark}, view=session.view)


def make(session: Session, plan: PlannedStage, job: StageJob = JOB) -> Manifest:
    return make_artifact(session, plan, lambda: job, evaluation_id="e")


def summary(errors: dict[str, int]) -> dict[str, str]:
    counts = Counts(planned=2, ok=2 - sum(errors.values()), error=sum(errors.values()))
    return {
        "summary.json": InferSummary(counts=counts, errors=errors).model_dump_json(),
        "predictions.jsonl": f"{errors}\n",
    }


def test_made_once_then_reused(tmp_path: Path) -> None:
    engine = ScriptedEngine({"prepare": [writes({"inputs/samples.jsonl": "{}\n"})]})
    session = make_session(tmp_path, engine)
    first = make(session, planned(session))
    assert make(session, planned(session)) == first
    assert engine.roles() == ["prepare"]
    assert first.groups.keys() == {"inputs"}
    assert engine.cleaned == [
        {"org.vlmhb.workspace": session.workspace.id, "org.vlmhb.artifact": first.fingerprint}
    ]


def test_what_another_run_made_meanwhile_is_taken(tmp_path: Path) -> None:
    engine = ScriptedEngine({"infer": [writes(summary({"timeout": 1}))]})
    ours, theirs = make_session(tmp_path, engine), make_session(tmp_path, engine)
    before = planned(ours, stage="infer")
    made = make(theirs, planned(theirs, stage="infer"))
    assert make(ours, before) == made  # failed samples and all: they were asked just now
    assert engine.roles() == ["infer"]


def test_failed_samples_are_asked_once_in_a_run_and_again_in_the_next(tmp_path: Path) -> None:
    engine = ScriptedEngine({"infer": [writes(summary({"timeout": 1})), writes(summary({}))]})
    session = make_session(tmp_path, engine)
    first = make(session, planned(session, stage="infer"))
    second_row = planned(session, stage="infer")
    assert second_row.decision == "resume"
    assert make(session, second_row) == first
    later = make_session(tmp_path, engine)
    again = make(later, planned(later, stage="infer"))
    assert again.attempts == 2
    assert engine.roles() == ["infer", "infer"]


def test_killed_between_opening_it_again_and_the_new_attempt(tmp_path: Path) -> None:
    engine = ScriptedEngine({"infer": [writes(summary({"timeout": 1})), writes(summary({}))]})
    session = make_session(tmp_path, engine)
    made = make(session, planned(session, stage="infer"))
    session.workspace.artifact("infer", made.fingerprint).reopen()
    later = make_session(tmp_path, engine)
    plan = planned(later, stage="infer")
    assert (plan.decision, plan.reason) == ("resume", "an earlier attempt was interrupted")
    assert make(later, plan).attempts == 2


def test_a_plan_made_meanwhile_says_who_is_making_it(tmp_path: Path) -> None:
    session = make_session(tmp_path, ScriptedEngine())
    artifact = session.workspace.artifact("prepare", str(planned(session).fingerprint))
    with ArtifactLock(artifact.lock):
        artifact.begin(spec={}, attempt={})
        assert planned(session).reason.startswith("being made right now (pid ")
    assert planned(session).reason == "an earlier attempt was interrupted"


def test_an_artifact_opened_again_while_it_is_looked_at_is_not_called_edited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = ScriptedEngine({"infer": [writes(summary({"timeout": 1}))]})
    session = make_session(tmp_path, engine)
    made = make(session, planned(session, stage="infer"))
    artifact = session.workspace.artifact("infer", made.fingerprint)
    later = make_session(tmp_path, engine)
    tree = type(later.workspace.memo).tree

    def tree_while_another_run_opens_it(*args: Any, **options: Any) -> Any:
        artifact.reopen()
        artifact.live_events.write_text("{}\n")
        return tree(*args, **options)

    monkeypatch.setattr("vlmhb.store.hashing.HashMemo.tree", tree_while_another_run_opens_it)
    assert later.view.sealed("infer", made.fingerprint) is None


def test_leftovers_of_a_killed_stage_are_not_sealed(tmp_path: Path) -> None:
    engine = ScriptedEngine({"evaluate": [writes({"metrics.json": "{}"})]})
    session = make_session(tmp_path, engine)
    plan = planned(session, stage="evaluate")
    artifact = session.workspace.artifact("evaluate", str(plan.fingerprint))
    artifact.begin(spec={}, attempt={})
    (artifact.out / "legacy").mkdir()
    (artifact.out / "legacy" / "old_name.csv").write_text("old")
    assert set(make(session, plan).outputs) == {"metrics.json"}


def test_what_was_read_and_changed_meanwhile_is_not_sealed(tmp_path: Path) -> None:
    engine = ScriptedEngine({"infer": [writes(summary({"timeout": 1}))]})
    session = make_session(tmp_path, engine)
    source = make(session, planned(session, stage="infer"))
    artifact = session.workspace.artifact("infer", source.fingerprint)

    def evaluate(task: ContainerTask) -> Handle:
        return ScriptedHandle([artifact.reopen, lambda: tell(out_of(task), ENDED), DONE])

    engine.scripts["evaluate"] = [evaluate]
    job = StageJob(spec=JOB.spec, image=IMAGE, mounts=(), reads=((artifact, source),))
    with pytest.raises(ArtifactBusy, match="another run"):
        make(session, planned(session, stage="evaluate"), job)


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (TaskExit(code=137, reason="oom"), "killed for memory; raise limits.memory_mib"),
        (TaskExit(code=0, reason="child_oom"), "rows may be missing"),
        (TaskExit(code=125, reason="engine_error", detail="no such device"), "no such device"),
        (TaskExit(code=3, reason="exit"), "exit code 3"),
        (TaskExit(code=0, reason="exit"), "ended before the work was done"),
        (TaskExit(code=137, reason="stopped"), "stopped from outside"),
    ],
)
def test_each_end_has_its_reason(tmp_path: Path, end: TaskExit, text: str) -> None:
    session = make_session(tmp_path, ScriptedEngine({"prepare": [writes({}, end=end)]}))
    with pytest.raises(StageFailed, match=text) as caught:
        make(session, planned(session))
    assert caught.value.exit_code == ExitCode.FAILURES
    assert planned(session).decision == "resume"


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [("VHB402", ExitCode.CONTRACT), ("VHB502", ExitCode.FAILURES), ("VHB999", ExitCode.FAILURES)],
)
def test_a_fatal_event_keeps_its_code_and_exit_code(tmp_path: Path, code: str, exit_code: ExitCode) -> None:
    fatal = {"type": "fatal", "code": code, "message": "what went wrong", "hint": "what to do"}
    end = TaskExit(code=2, reason="exit")
    session = make_session(tmp_path, ScriptedEngine({"prepare": [writes({}, end=end, events=(fatal,))]}))
    with pytest.raises(VlmhbError, match=r"what went wrong.*hint: what to do") as caught:
        make(session, planned(session))
    assert caught.value.exit_code == exit_code
    assert caught.value.code == (code if code != "VHB999" else "VHB501")


def test_a_full_disk_is_told_by_the_exit_code_alone(tmp_path: Path) -> None:
    session = make_session(
        tmp_path, ScriptedEngine({"prepare": [writes({}, end=TaskExit(code=5, reason="exit"))]})
    )
    with pytest.raises(DiskFull, match="VHB405"):
        make(session, planned(session))


def test_a_hung_stage_is_started_once_more(tmp_path: Path) -> None:
    def hang(_task: ContainerTask) -> Handle:
        return ScriptedHandle([])

    engine = ScriptedEngine({"prepare": [hang, hang]})
    session = make_session(tmp_path, engine, clock=ticking(1.0), hung_after_s=10.0)
    with pytest.raises(StageFailed, match="no sign of life"):
        make(session, planned(session))
    assert engine.roles() == ["prepare", "prepare"]
    attempt = session.workspace.artifact("prepare", str(planned(session).fingerprint)).attempt()
    assert attempt is not None and attempt["attempts"] == 2


@pytest.mark.parametrize("code", [0, 143])
def test_a_stop_request_is_no_failure_and_done_is_done(tmp_path: Path, code: int) -> None:
    engine = ScriptedEngine()
    session = make_session(tmp_path, engine)
    end = TaskExit(code=code, reason="stopped")

    def start(task: ContainerTask) -> Handle:
        last_word = [lambda: tell(out_of(task), ENDED)] if code == 0 else []
        return ScriptedHandle([session.stop.request, *last_word, end])

    engine.scripts["prepare"] = [start]
    if code == 0:
        assert make(session, planned(session)).outputs == {}
        return
    with pytest.raises(Interrupted, match="hint: the same command continues"):
        make(session, planned(session))


def test_a_stop_request_ends_the_wait_for_a_lock(tmp_path: Path) -> None:
    session = make_session(tmp_path, ScriptedEngine())
    plan = planned(session)
    session.stop.request()
    with (
        ArtifactLock(session.workspace.artifact("prepare", str(plan.fingerprint)).lock),
        pytest.raises(Interrupted),
    ):
        make(session, plan)


class BrokenCompanion(Companion):
    def tick(self) -> None:
        raise ImageMissing("the server's image is gone")


def test_nothing_is_left_running_when_a_companion_fails(tmp_path: Path) -> None:
    handle = ScriptedHandle([])
    session = make_session(tmp_path, ScriptedEngine({"prepare": [lambda _: handle]}))
    job = StageJob(spec=JOB.spec, image=IMAGE, mounts=(), companion=BrokenCompanion())
    with pytest.raises(ImageMissing):
        make(session, planned(session), job)
    assert handle.calls == ["stop"]


def test_two_threads_making_the_same_make_it_once(tmp_path: Path) -> None:
    engine = ScriptedEngine({"prepare": [writes({"inputs/a": "1"})]})
    session = make_session(tmp_path, engine)
    plan = planned(session)
    made: list[Manifest] = []
    threads = [threading.Thread(target=lambda: made.append(make(session, plan))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 3 and len({item.created for item in made}) == 1
    assert engine.roles() == ["prepare"]


def test_the_spec_and_the_attempt_are_written_before_the_start(tmp_path: Path) -> None:
    seen: dict[str, Any] = {}

    def start(task: ContainerTask) -> Handle:
        folder = out_of(task).parent
        seen["spec"] = json.loads((folder / "spec.json").read_text())
        seen["attempt"] = json.loads((folder / "attempt.json").read_text())
        return ScriptedHandle([lambda: tell(out_of(task), ENDED), DONE])

    session = make_session(tmp_path, ScriptedEngine({"prepare": [start]}))
    make(session, planned(session))
    assert seen["spec"]["loader"] == "jsonl"
    assert (seen["attempt"]["subject"], seen["attempt"]["run_id"]) == ("pages", "run-1")
