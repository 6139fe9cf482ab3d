"""Which model infers when: the longest first, one on each GPU, others beside them."""

from __future__ import annotations

import dataclasses
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from scripted import ScriptedEngine, ScriptedHandle, make_session, writes
from test_execution_runner import ANSWERS, INPUTS, chain, engine_for
from vlmhb.engines.base import ContainerTask, Handle
from vlmhb.execution.jobs import Chain
from vlmhb.execution.schedule import Group, groups_of, lanes
from vlmhb.execution.session import Session
from vlmhb.resources.gpus import Gpu, Inventory
from vlmhb.resources.leases import LeaseDesk
from vlmhb.resources.need import GpuNeed
from vlmhb.resources.pool import GpuPool
from vlmhb.runner import Runner
from vlmhb_stages.contracts import Counts, InferSummary


@pytest.fixture(autouse=True)
def private_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def with_gpus(session: Session, count: int, *, env: dict[str, str] | None = None) -> Session:
    found = tuple(
        Gpu(index=str(n), uuid=f"GPU-{n}", name="Pretended", memory_mib=8192, used_mib=1)
        for n in range(count)
    )
    inventory = Inventory(gpus=found, source="nvml")
    desk = LeaseDesk(folder=session.workspace.root / "leases", sleep=lambda _: threading.Event().wait(0.01))
    return dataclasses.replace(session, gpus=GpuPool(find=lambda: inventory, env=env or {}, desk=desk))


def on(found: Chain, **card: Any) -> Chain:
    """The same chain with a card that is different in some fields."""
    model = found.evaluation.model.model_copy(update=card)
    return Chain(evaluation=found.evaluation.model_copy(update={"model": model}), facts=found.facts)


def group(name: str, *, gpus: int = 0) -> Group:
    return Group(chains=(chain(name),), seconds=1.0, need=GpuNeed(model=name, count=gpus))


def shape(session: Session, *groups: Group, jobs: int | None = None) -> list[tuple[int, list[str]]]:
    found = lanes(groups, session=session, jobs=jobs)
    return [(lane.workers, [one.need.model for one in lane.groups if one.need]) for lane in found]


def test_one_model_on_each_gpu_and_one_that_needs_none(tmp_path: Path) -> None:
    session = with_gpus(make_session(tmp_path, ScriptedEngine()), 3)
    assert shape(session, group("a", gpus=1), group("b"), group("c", gpus=2)) == [(3, ["a", "c"]), (1, ["b"])]
    assert shape(session, group("wide", gpus=2)) == [(1, ["wide"])]
    assert shape(session, group("a"), group("b")) == [(1, ["a", "b"])]


def test_hidden_gpus_are_no_room(tmp_path: Path) -> None:
    session = with_gpus(make_session(tmp_path, ScriptedEngine()), 3, env={"CUDA_VISIBLE_DEVICES": "1"})
    assert shape(session, group("a", gpus=1), group("b", gpus=1)) == [(1, ["a", "b"])]


def test_jobs_of_the_user_count_everything(tmp_path: Path) -> None:
    session = with_gpus(make_session(tmp_path, ScriptedEngine()), 3)
    assert shape(session, group("a", gpus=1), group("b"), jobs=5) == [(5, ["a", "b"])]


def prepares(samples: dict[str, int]) -> Any:
    """Datasets of so many samples, by benchmark."""

    def prepare(task: ContainerTask) -> Handle:
        spec = json.loads(next(m.source for m in task.mounts if m.target == "/vlmhb/spec.json").read_text())
        count = samples[spec["prompt"]]
        lines = "".join(f'{{"sample_id": "{spec["prompt"]}-{n}"}}\n' for n in range(count))
        return writes({**INPUTS, "inputs/samples.jsonl": lines})(task)

    return prepare


def sized(benchmark: str, *, model: str) -> Chain:
    found = chain(benchmark, model=model)
    return Chain(
        evaluation=found.evaluation.model_copy(update={"prompt": benchmark}),
        facts=found.facts.model_copy(update={"interface_code": model}),
    )


def run(session: Session, *chains: Chain, jobs: int | None = None) -> Runner:
    runner = Runner(session, chains, jobs=jobs)
    runner.run()
    return runner


def order(engine: ScriptedEngine, *, session: Session) -> list[str]:
    """Benchmarks in the order in which they were inferred."""
    found = []
    for task in engine.started:
        if task.labels["org.vlmhb.role"] == "infer":
            attempt = session.workspace.artifact("infer", task.labels["org.vlmhb.artifact"]).attempt() or {}
            found.append(str(attempt["subject"]).partition("×")[2])
    return found


def test_the_model_with_the_most_samples_goes_first(tmp_path: Path) -> None:
    engine = engine_for(3)
    engine.scripts["prepare"] = [prepares({"small": 1, "large": 9, "mid": 5})] * 3
    session = make_session(tmp_path, engine)
    runner = run(session, sized("small", model="s"), sized("large", model="l"), sized("mid", model="m"))
    assert order(engine, session=session) == ["large", "mid", "small"]
    assert list(runner.outcomes) == ["small-s", "large-l", "mid-m"]  # as in the config: the report's order


def test_what_a_sample_took_last_time_counts(tmp_path: Path) -> None:
    slow = InferSummary(counts=Counts(planned=1, ok=1, error=0), wall_s=100.0).model_dump_json()
    engine = engine_for(1)
    engine.scripts["prepare"] = [prepares({"slow": 1})]
    engine.scripts["infer"] = [writes({**ANSWERS, "summary.json": slow})]
    session = make_session(tmp_path, engine)
    run(session, sized("slow", model="s"))
    engine = engine_for(2)
    engine.scripts["prepare"] = [prepares({"slow": 2, "quick": 9})] * 2
    session = make_session(tmp_path, engine)
    changed = sized("slow", model="s")
    facts = changed.facts.model_copy(
        update={"dataset": dataclasses.replace(changed.facts.dataset, sha256="new")}
    )
    run(session, sized("quick", model="q"), Chain(evaluation=changed.evaluation, facts=facts))
    assert order(engine, session=session) == ["slow", "quick"]


def test_what_is_there_already_takes_no_time(tmp_path: Path) -> None:
    engine = engine_for(1)
    engine.scripts["prepare"] = [prepares({"large": 9})]
    session = make_session(tmp_path, engine)
    runner = run(session, sized("large", model="l"))
    made = runner.outcomes["large-l"].manifests["prepare"]
    fresh = make_session(tmp_path, ScriptedEngine())
    (found,) = groups_of([sized("large", model="l")], session=fresh, prepared={"large-l": made})
    assert found.seconds == 0


def test_an_artifact_edited_by_hand_fails_its_own_evaluation_only(tmp_path: Path) -> None:
    engine = engine_for(1)
    engine.scripts["prepare"] = [prepares({"a": 1})]
    session = make_session(tmp_path, engine)
    run(session, sized("a", model="s"))
    (edited,) = session.workspace.artifacts("infer")
    (edited.out / "predictions.jsonl").write_text('{"edited": 1}\n')
    engine = engine_for(1)
    engine.scripts["prepare"] = [prepares({"b": 1})]
    runner = run(make_session(tmp_path, engine), sized("a", model="s"), sized("b", model="t"))
    assert [outcome.status for outcome in runner.outcomes.values()] == ["failed", "done"]
    assert runner.faults == []


def test_two_models_wait_for_one_gpu_and_leave_it_free(tmp_path: Path) -> None:
    seen: list[tuple[str, ...]] = []
    running: list[str] = []

    def serve(task: ContainerTask) -> Handle:
        seen.append(task.gpus)
        running.append(task.name)
        assert len(running) == 1
        handle = ScriptedHandle([])
        stop = handle.stop

        def stopped(*, grace_s: float) -> None:
            if task.name in running:
                running.remove(task.name)
            stop(grace_s=grace_s)

        handle.stop = stopped  # type: ignore[method-assign]
        return handle

    engine = engine_for(2)
    engine.scripts["server"] = [serve, serve]
    session = with_gpus(make_session(tmp_path, engine), 1)
    chains = [on(chain("a", model=name), gpus=1) for name in ("m", "n")]
    runner = run(session, *chains, jobs=2)
    assert [outcome.status for outcome in runner.outcomes.values()] == ["done", "done"]
    assert seen == [("GPU-0",), ("GPU-0",)]
    assert session.gpus.desk.holders(["GPU-0"]) == {}


def test_rows_of_one_model_with_other_batches_have_servers_of_their_own(tmp_path: Path) -> None:
    batches: list[int | None] = []

    def serve(task: ContainerTask) -> Handle:
        config = next(mount.source for mount in task.mounts if mount.target == "/vlmhb/model.json")
        batches.append(json.loads(config.read_text()).get("max_batch"))
        return ScriptedHandle([])

    def with_batch(benchmark: str, size: int | None) -> Chain:
        found = chain(benchmark)
        row = found.evaluation.row.model_copy(update={"batch_size": size})
        return Chain(evaluation=found.evaluation.model_copy(update={"row": row}), facts=found.facts)

    engine = engine_for(3)
    engine.scripts["server"] = [serve, serve, serve]
    session = make_session(tmp_path, engine)
    run(session, with_batch("a", 2), with_batch("b", 8), with_batch("c", 2))
    assert sorted(batches, key=str) == [2, 8]
