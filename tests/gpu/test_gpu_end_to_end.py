"""Whole runs on pretended GPUs: leased, handed to the model, proved inside, sampled, and free again afterwards.

No model computes on them. What is real: the command line, the kernel's locks, the processes, the library's interface.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e_world import World
from gpu_standin import Pretended, Standin
from vlmhb.resources.leases import LeaseDesk

SEES = "import os; result = os.environ['CUDA_VISIBLE_DEVICES']"
TWO = (Pretended(uuid="GPU-aaaa", used=400, watts=120.0), Pretended(uuid="GPU-bbbb", used=400, watts=60.0))


@pytest.fixture
def gpu_world(tmp_path: Path, process_envs: Path, standin: Standin) -> World:
    """On the engine `process`, with two pretended GPUs."""
    standin.set(*TWO)
    return World(root=tmp_path, engine="process", envs=process_envs, env=standin.env)


def make(
    world: World, *, pages: int = 2, models: dict[str, dict[str, Any]] | None = None, **card: Any
) -> None:
    world.make(pages=pages)
    world.make_cards(models or {"page-model": {"probe": SEES}}, **{"gpus": 1, **card})


def sampled(
    world: World, summary: dict[str, Any], evaluation: str = "pages-page-model"
) -> list[dict[str, Any]]:
    path = world.stage(summary, "infer", evaluation) / "resources.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def manifest(world: World, summary: dict[str, Any], evaluation: str = "pages-page-model") -> dict[str, Any]:
    path = world.stage(summary, "infer", evaluation) / "manifest.json"
    found: dict[str, Any] = json.loads(path.read_text())["manifest"]
    return found


def seen(world: World, summary: dict[str, Any], evaluation: str = "pages-page-model") -> set[str]:
    """What the model saw in CUDA_VISIBLE_DEVICES."""
    return {str(record["text"]) for record in world.predictions(summary, evaluation)}


def holders(standin: Standin) -> dict[str, Any]:
    return LeaseDesk(folder=standin.folder / "leases").holders(gpu.uuid for gpu in TWO)


def until(condition: Callable[[], bool], *, what: str, within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        time.sleep(0.05)


def test_a_model_gets_the_gpu_that_was_leased_for_it(gpu_world: World, standin: Standin) -> None:
    make(gpu_world, models={"page-model": {"probe": SEES, "delay_s": 0.3}}, min_vram_gib=20)
    summary = gpu_world.run("--sample-hz", "10")
    assert seen(gpu_world, summary) == {"GPU-aaaa"}
    assert holders(standin) == {}
    extra = manifest(gpu_world, summary)["extra"]
    assert (extra["gpus"], extra["gpu_driver"]) == (["GPU-aaaa"], "000.00.stand-in")
    used = extra["resources"]
    assert set(used["gpus"]) == {"GPU-aaaa"}
    gpu = used["gpus"]["GPU-aaaa"]
    assert (gpu["name"], gpu["idle_memory_mib"], gpu["mean_util"]) == ("NVIDIA Pretended", 400, 80)
    assert used["energy_j"] == pytest.approx(120 * used["seconds"], rel=0.1)
    assert used["energy_j_per_page"] > 0 and used["seconds_per_page"] > 0
    assert used["hz"] == 10
    assert set(used["containers"]) == {"infer", "server-0"}
    assert used["containers"]["server-0"]["peak_rss_mib"] > 5
    roles = {line["role"] for line in sampled(gpu_world, summary)}
    assert roles == {"gpu:GPU-aaaa", "infer", "server-0", "disk"}


def test_r9_exactly_the_gpus_of_the_row(gpu_world: World) -> None:
    make(gpu_world)
    gpu_world.config({"dataset": "pages", "model_name": "page-model", "gpus": ["1"]})
    assert seen(gpu_world, gpu_world.run()) == {"GPU-bbbb"}
    row = {"dataset": "pages", "model_name": "page-model", "gpus": ["GPU-bbbb", "0"]}
    gpu_world.config({**row, "seed": 7})  # so that the answers of the first run are not its own
    assert seen(gpu_world, gpu_world.run()) == {"GPU-bbbb,GPU-aaaa"}


def test_masks_hide_a_gpu_from_the_run(gpu_world: World) -> None:
    make(gpu_world)
    gpu_world.env["CUDA_VISIBLE_DEVICES"] = "GPU-bbbb"
    assert seen(gpu_world, gpu_world.run()) == {"GPU-bbbb"}
    gpu_world.config({"dataset": "pages", "model_name": "page-model", "gpus": ["0"]})
    done = gpu_world.call()
    assert done.returncode == 3
    assert "VHB306: GPU 0 is hidden by CUDA_VISIBLE_DEVICES=GPU-bbbb" in done.stderr


def test_what_does_not_fit_is_told_in_numbers_before_anything_starts(
    gpu_world: World, standin: Standin
) -> None:
    make(gpu_world, min_vram_gib=40)
    done = gpu_world.call()
    assert done.returncode == 3
    assert "VHB306: page-model needs 40 GiB, GPU 0 (NVIDIA Pretended) has 24 GiB" in done.stderr
    assert not list((gpu_world.workspace / "runs").iterdir())
    make(gpu_world, gpus=3)
    done = gpu_world.call()
    assert "page-model needs 3 GPU(s), 2 found" in done.stderr
    standin.set()
    assert "0 found" in gpu_world.call().stderr


def test_memory_that_another_program_holds_fails_this_model_only(gpu_world: World, standin: Standin) -> None:
    make(gpu_world, min_vram_gib=20)
    standin.set(Pretended(uuid="GPU-aaaa", used=20000), Pretended(uuid="GPU-bbbb", used=20000))
    (failed,) = gpu_world.run(expect=4)["evaluations"]
    assert failed["failure"]["code"] == "VHB306"
    assert "needs 20 GiB, GPU 0 (NVIDIA Pretended) has 4.5 GiB of 24 GiB free" in failed["failure"]["message"]
    assert holders(standin) == {}


def test_a_gpu_that_is_not_inside_is_told_before_the_model_loads(gpu_world: World, standin: Standin) -> None:
    """As Podman and Apptainer do it: the model is started, and sees no GPU."""
    make(gpu_world)
    hidden = standin.folder / "inside"  # a driver whose library does not come along
    hidden.mkdir()
    (hidden / "gpus.txt").write_text("")
    (hidden / standin.library.name).symlink_to(standin.library.resolve())
    gpu_world.env["VLMHB_STANDIN_GPUS"] = str(standin.folder / "gpus.txt")  # the host's own look only
    gpu_world.env["LD_LIBRARY_PATH"] = str(hidden)
    done = gpu_world.call()
    assert done.returncode == 4
    assert "sees 0 of 1 GPUs" in done.stdout + done.stderr


def test_replicas_have_a_gpu_each_and_share_the_work(gpu_world: World) -> None:
    make(gpu_world, pages=8, models={"page-model": {"probe": SEES, "delay_s": 0.2}})
    gpu_world.config({"dataset": "pages", "model_name": "page-model", "replicas": 2, "concurrency": 1})
    summary = gpu_world.run()
    assert seen(gpu_world, summary) == {"GPU-aaaa", "GPU-bbbb"}
    used = manifest(gpu_world, summary)["extra"]["resources"]
    assert set(used["containers"]) == {"infer", "server-0", "server-1"}
    assert set(used["gpus"]) == {"GPU-aaaa", "GPU-bbbb"}
    assert used["gpu_seconds"] == pytest.approx(2 * used["seconds"], abs=0.16)  # both are rounded to 0.1


def test_two_models_infer_side_by_side_on_two_gpus(gpu_world: World) -> None:
    when = "import os, time; result = f\"{os.environ['CUDA_VISIBLE_DEVICES']} {time.time()}\""
    make(gpu_world, pages=4, models={name: {"probe": when, "delay_s": 0.5} for name in ("one", "two")})
    gpu_world.config(*({"dataset": "pages", "model_name": name} for name in ("one", "two")))
    summary = gpu_world.run()
    spans = []
    for name in ("one", "two"):
        told = [text.split() for text in seen(gpu_world, summary, f"pages-{name}")]
        assert len({gpu for gpu, _ in told}) == 1
        times = [float(at) for _, at in told]
        spans.append((told[0][0], min(times), max(times)))
    assert {gpu for gpu, _, _ in spans} == {"GPU-aaaa", "GPU-bbbb"}
    assert max(start for _, start, _ in spans) < min(end for _, _, end in spans)


@pytest.fixture
def two_worlds(tmp_path: Path, process_envs: Path, standin: Standin) -> Iterator[list[World]]:
    """Two workspaces of one host with one pretended GPU; whatever is left running is ended."""
    standin.set(TWO[0])
    worlds = []
    for name, delay in (("first", 600), ("second", 0)):
        (tmp_path / name).mkdir()
        world = World(root=tmp_path / name, engine="process", envs=process_envs, env=standin.env)
        make(world, models={"page-model": {"delay_s": delay}}, retry={"attempts": 1, "timeout_total_s": 900})
        worlds.append(world)
    running: list[subprocess.Popen[str]] = []
    for world in worlds:
        world.popen = _noted(world.popen, running)  # type: ignore[method-assign]
    yield worlds
    for process in running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _noted(start: Callable[..., Any], running: list[Any]) -> Callable[..., Any]:
    def noted(*args: str, **kwargs: Any) -> Any:
        process = start(*args, **kwargs)
        running.append(process)
        return process

    return noted


def servers(world: World) -> list[int]:
    """Model servers of this workspace that live."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
                environ = (folder / "environ").read_bytes()
            except OSError:
                continue
            if b"serve" in words and str(world.root).encode() in environ:
                found.append(int(folder.name))
    return found


def test_two_runs_share_one_gpu_and_a_killed_one_frees_it(two_worlds: list[World], standin: Standin) -> None:
    first, second = two_worlds
    one = first.popen()
    until(lambda: "GPU-aaaa" in holders(standin), what="the first run has the GPU")
    record = holders(standin)["GPU-aaaa"]
    assert record["pid"] == one.pid
    two = second.popen("--json")
    log = second.workspace / "runs"
    until(
        lambda: any("waiting for 1 GPU(s)" in path.read_text() for path in log.glob("*/events.jsonl")),
        what="the second run waits",
    )
    events = next(log.glob("*/events.jsonl")).read_text()
    assert f"GPU-aaaa is held by run {record['run']} (page-model), pid {one.pid}" in events
    os.kill(one.pid, signal.SIGKILL)  # its server is left behind, on the GPU
    one.wait()
    stdout, stderr = two.communicate(timeout=120)
    assert two.returncode == 0, stderr
    assert json.loads(stdout.splitlines()[-1])["status"] == "done"
    assert servers(first) == []
    assert holders(standin) == {}


def test_ctrl_c_while_it_waits_ends_at_once(two_worlds: list[World], standin: Standin) -> None:
    first, second = two_worlds
    one = first.popen()
    until(lambda: "GPU-aaaa" in holders(standin), what="the first run has the GPU")
    two = second.popen()
    log = second.workspace / "runs"
    until(
        lambda: any("waiting for 1 GPU(s)" in path.read_text() for path in log.glob("*/events.jsonl")),
        what="the second run waits",
    )
    two.send_signal(signal.SIGINT)
    _, stderr = two.communicate(timeout=60)
    assert two.returncode == 130, stderr
    assert not list((standin.folder / "leases").glob("ticket-*" + str(two.pid) + "*"))
    one.send_signal(signal.SIGINT)
    one.communicate(timeout=60)
    assert one.returncode == 130


def test_doctor_shows_gpus_and_who_has_them(gpu_world: World, standin: Standin) -> None:
    def doctor() -> str:
        argv = [*gpu_world.argv()[:3], "doctor"]
        env = {**os.environ, **gpu_world.env}
        return subprocess.run(argv, capture_output=True, text=True, env=env, check=False).stdout

    told = next(line for line in doctor().splitlines() if "gpus:" in line)
    assert "0 GPU-aaaa NVIDIA Pretended, 24 GiB, 23.6 GiB free; 1 GPU-bbbb" in told
    assert "(driver 000.00.stand-in, nvml)" in told
    gpu_world.env["CUDA_VISIBLE_DEVICES"] = "0"
    assert "hidden by CUDA_VISIBLE_DEVICES=0" in doctor()
    standin.set()
    assert "gpus: none" in doctor()
