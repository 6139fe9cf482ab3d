"""The argv and the environment of one `apptainer exec`: pure, so that golden files can hold all of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vlmhb.engines.base import ContainerTask, Mount, RenderedTask
from vlmhb.engines.options import run_options

BESIDE = Path(__file__).parent
SHOWN_ROOT = Path("/tmp/vlmhb-root")  # stands for the private folder where nothing is run
PRIVATE_TMP = "tmp"
# Read at start, after the scripts that every built image has. No option and no variable sets HOME for every user.
ENV_SCRIPT = "/.singularity.d/env/99-vlmhb.sh"
HOSTS = Path("/etc/hosts")  # no image has `localhost` in it, and an administrator's other mounts are not ours
ENV_PREFIX = {"apptainer": "APPTAINERENV_", "singularity": "SINGULARITYENV_"}


@dataclass(frozen=True, kw_only=True)
class ApptainerDialect:
    """What differs between installations. Found out once, by `apptainer_detect`.

    `family`: Apptainer, or SingularityCE, which reads other variable names. `root`: it is run by root, who may
    choose the user inside. `files`: the folder of our seccomp filter and of the script that sets HOME."""

    program: str = "apptainer"
    family: str = "apptainer"
    root: bool = False
    cut_network: bool = True  # False: this user may not make a network namespace
    limits_work: bool = False
    nvccli: bool = False  # GPUs by NVIDIA's own program, which hides the others
    client_env: Mapping[str, str] = field(default_factory=dict)
    files: Path = BESIDE

    def render(self, task: ContainerTask, *, root: Path | None) -> RenderedTask:
        options = run_options(task.options)
        private = root or SHOWN_ROOT
        hosts = self.files / "apptainer_hosts.txt" if self._cuts(task) else HOSTS
        own = (
            Mount(source=private / PRIVATE_TMP, target="/tmp", writable=True),
            Mount(source=self.files / "apptainer_env.sh", target=ENV_SCRIPT),
            Mount(source=hosts, target=str(HOSTS)),
        )
        argv = (
            *(self.program, "--silent", "exec"),
            *("--containall", "--cleanenv", "--no-home", "--no-eval"),
            *("--no-mount", "tmp,hostfs,bind-paths", "--pwd", "/tmp"),
            *(("--net", "--network", "none") if self._cuts(task) else ()),
            *self._security(task),
            *(self._limits(task) if self.limits_work else ()),
            *(word for mount in (*own, *task.mounts) for word in ("--mount", mount_word(mount))),
            *self._gpu_words(task),
            *(task.image.ref, *task.command),
        )
        return RenderedTask(
            argv=argv,
            env=self._env(task, root=private),
            cwd=str(private),
            not_enforced=self._not_enforced(task, options),
        )

    def _cuts(self, task: ContainerTask) -> bool:
        return self.cut_network and task.network == "none"

    def _security(self, task: ContainerTask) -> tuple[str, ...]:
        """No capabilities and no new privileges are what an ordinary user gets anyway; root is told so."""
        uid, _, gid = task.user.partition(":")
        drop = (
            ("--no-privs", "--security", f"uid:{uid}", "--security", f"gid:{gid or uid}") if self.root else ()
        )
        return (*drop, "--security", f"seccomp:{self.files / 'seccomp.json'}")

    def _limits(self, task: ContainerTask) -> tuple[str, ...]:
        limits = task.limits
        words: list[str] = []
        if limits.memory_mib is not None:  # equal to memory-swap: no swap on top
            words += ["--memory", f"{limits.memory_mib}m", "--memory-swap", f"{limits.memory_mib}m"]
        if limits.cpus is not None:
            words += ["--cpus", f"{limits.cpus:g}"]
        if limits.pids is not None:
            words += ["--pids-limit", str(limits.pids)]
        return tuple(words)

    def _gpu_words(self, task: ContainerTask) -> tuple[str, ...]:
        return (("--nvccli",) if self.nvccli else ("--nv",)) if task.gpus else ()

    def _env(self, task: ContainerTask, *, root: Path) -> dict[str, str]:
        """The client's whole environment: with the caller's own, APPTAINER_BIND and its like would come along.

        Variables for the inside are given by it too: `--env` splits a value at its commas."""
        gpus = ",".join(task.gpus)
        inside = {"CUDA_VISIBLE_DEVICES": gpus, "TMPDIR": "/tmp", **task.env}
        prefix = ENV_PREFIX[self.family]
        return {
            **self.client_env,
            **({"NVIDIA_VISIBLE_DEVICES": gpus} if gpus and self.nvccli else {}),
            **{f"{prefix}{key}": value for key, value in sorted(inside.items())},
            "VLMHB_ROOT": str(root),
        }

    def _not_enforced(self, task: ContainerTask, options: tuple[str, ...]) -> tuple[str, ...]:
        limits = task.limits
        asked = {
            "network": not self._cuts(task),  # `egress` is the machine's network here, not one of its own
            "memory": limits.memory_mib is not None and not self.limits_work,
            "cpus": limits.cpus is not None and not self.limits_work,
            "pids": limits.pids is not None and not self.limits_work,
            "gpu": bool(task.gpus) and not self.nvccli,  # the nodes of all GPUs are there
            "ulimit": "--ulimit" in options,
        }
        return tuple(name for name, missing in asked.items() if missing)


def mount_word(mount: Mount) -> str:
    """One `--mount` value. It is a CSV record, so a comma, colon or quote in a path is data."""
    fields = ["type=bind", f"src={mount.source}", f"dst={mount.target}"]
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(fields if mount.writable else [*fields, "ro"])
    return text.getvalue()
