"""Every word of a rendered task is held by a golden file. `VLMHB_GOLDEN=write` writes them anew."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from vlmhb.engines.apptainer import ApptainerEngine
from vlmhb.engines.apptainer_args import ApptainerDialect
from vlmhb.engines.base import ContainerTask, Engine, ImageSpec, Limits, Mount
from vlmhb.engines.container import ContainerEngine
from vlmhb.engines.process import ProcessEngine
from vlmhb.errors import OptionNotAllowed

GOLDEN = Path(__file__).parents[1] / "golden" / "engines"
APPTAINER = ApptainerDialect(
    client_env={"PATH": "/usr/bin", "HOME": "/home/me"}, files=Path("/vlmhb/engines")
)
ENGINES: dict[str, Engine] = {
    "apptainer-root": ApptainerEngine(dialect=replace(APPTAINER, root=True, limits_work=True)),
    "apptainer-user": ApptainerEngine(dialect=replace(APPTAINER, nvccli=True)),
    "singularity-no-network": ApptainerEngine(
        dialect=replace(APPTAINER, program="singularity", family="singularity", cut_network=False)
    ),
    "docker": ContainerEngine(name="docker"),
    "podman": ContainerEngine(name="podman", ulimits=("nofile=20000:20000",)),
    "podman-rootless": ContainerEngine(name="podman", rootless=True, limits_work=False),
    "process": ProcessEngine(
        cut_network=("unshare", "--net", "--"),
        state=Path("/state"),
        user="0:0",
        library_path="/usr/lib/wsl/lib",
    ),
}
DRIVER = ContainerTask(
    name="vlmhb-infer-0123abcd",
    image=ImageSpec(name="stages", ref="vlmhb/stages:1", identity="sha256:0", env=Path("/envs/stages")),
    command=("python3", "/vlmhb/kit.pyz", "infer"),
    mounts=(
        Mount(source=Path("/data/kit.pyz"), target="/vlmhb/kit.pyz"),
        Mount(source=Path('/data/pages, "old"'), target="/vlmhb/in/media"),
        Mount(source=Path("/data/out"), target="/vlmhb/out", writable=True),
    ),
    env={"PYTHONPATH": "/vlmhb/extra:/usr/lib/x", "A": "1"},
    limits=Limits(memory_mib=2048, cpus=1.5, pids=256),
    labels={"org.vlmhb.run": "demo-0123", "org.vlmhb.artifact": "ab12"},
    user="1000:1000",
)
GPU_SERVER = DRIVER.model_copy(
    update={
        "name": "vlmhb-server-0123abcd",
        "image": ImageSpec(name="vllm", ref="vllm/vllm-openai@sha256:0", identity="sha256:0"),
        "command": ("vllm", "serve", "/vlmhb/weights", "--uds=/vlmhb/sock/model.sock"),
        "mounts": (Mount(source=Path("/weights"), target="/vlmhb/weights"),),
        "env": {},
        "gpus": ("GPU-2222", "GPU-3333"),
        "limits": Limits(shm_mib=1024, tmp_mib=2048),
        "options": ("--shm-size=8g", "--ulimit memlock=-1"),
        "network": "egress",
    }
)
TASKS = {"driver": DRIVER, "gpu-server": GPU_SERVER}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("engine", ENGINES)
def test_rendered_task_is_the_golden_one(engine: str, task: str) -> None:
    rendered = ENGINES[engine].render(TASKS[task], root=Path("/tmp/r"))
    links = [f"{link.source} -> {link.target}" for link in rendered.links]
    parts = {
        "argv": rendered.argv,
        "env": [f"{key}={value}" for key, value in rendered.env.items()],
        "cwd": [rendered.cwd or ""],
        "links": links,
        "not enforced": rendered.not_enforced,
    }
    text = "".join(f"# {title}\n" + "".join(f"{line}\n" for line in lines) for title, lines in parts.items())
    path = GOLDEN / f"{engine}-{task}.txt"
    if os.environ.get("VLMHB_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_exactly_the_leased_gpus_are_asked_for() -> None:
    argv = ENGINES["docker"].render(GPU_SERVER).argv
    assert argv[argv.index("--gpus") + 1] == '"device=GPU-2222,GPU-3333"'
    podman = ENGINES["podman"].render(GPU_SERVER).argv
    assert [podman[i + 1] for i, word in enumerate(podman) if word == "--device"] == [
        "nvidia.com/gpu=GPU-2222",
        "nvidia.com/gpu=GPU-3333",
    ]
    assert ENGINES["process"].render(GPU_SERVER).env["CUDA_VISIBLE_DEVICES"] == "GPU-2222,GPU-3333"


@pytest.mark.parametrize(
    "option",
    [
        "--privileged",
        "--cap-add=SYS_ADMIN",
        "--network=host",
        "--volume=/:/host",
        "--ipc=host",
        "--ulimit=nofile=1",
        "--ulimit=memlock=-1 --privileged",
        "--shm-size",
        "--shm-size=8g,x",
        "",
    ],
)
def test_other_options_are_refused(option: str) -> None:
    with pytest.raises(OptionNotAllowed):
        ENGINES["docker"].render(DRIVER.model_copy(update={"options": (option,)}))


def test_apptainer_is_given_gpus_by_name_and_says_which_it_cannot_hide() -> None:
    nv, nvccli = (ENGINES[name].render(GPU_SERVER) for name in ("apptainer-root", "apptainer-user"))
    for rendered in (nv, nvccli):
        assert rendered.env["APPTAINERENV_CUDA_VISIBLE_DEVICES"] == "GPU-2222,GPU-3333"
    assert ("--nv" in nv.argv, "gpu" in nv.not_enforced) == (True, True)
    assert ("--nvccli" in nvccli.argv, "gpu" in nvccli.not_enforced) == (True, False)
    assert nvccli.env["NVIDIA_VISIBLE_DEVICES"] == "GPU-2222,GPU-3333"
    assert not {"--nv", "--nvccli"} & {*ENGINES["apptainer-user"].render(DRIVER).argv}


def test_network_that_cannot_be_taken_away_is_said() -> None:
    engine = ProcessEngine(cut_network=(), state=Path("/state"))
    assert "network" in engine.render(DRIVER).not_enforced
    assert "network" not in ENGINES["process"].render(DRIVER).not_enforced
