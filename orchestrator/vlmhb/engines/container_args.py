"""The argv of one hardened `docker run` or `podman run`: pure, so that golden files can hold all of it."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vlmhb.engines.base import ContainerTask, Mount, RenderedTask
from vlmhb.engines.options import run_options

ContainerProgram = Literal["docker", "podman"]
CID_FILE = "container.id"


@dataclass(frozen=True, kw_only=True)
class ContainerDialect:
    """What differs between the programs, and between hosts of one program. Found out once, by `detect`."""

    name: ContainerProgram
    program: str
    rootless: bool = False
    ulimits: tuple[str, ...] = ()  # in place of the engine's defaults, where those are more than may be had
    limits_work: bool = True  # False: rootless on cgroup v1, where the engine ignores limits without a word

    def render(self, task: ContainerTask, *, root: Path | None) -> RenderedTask:
        options = run_options(task.options)
        argv = (
            *(self.program, "run", "--name", task.name),
            *(("--cidfile", str(root / CID_FILE)) if root else ()),
            *("--init", "--pull", "never", "--log-driver", "none", "--no-healthcheck"),
            *_hardening(),
            *self._network(task),
            *self._user(task),
            *_limits(task, options),
            *(word for mount in task.mounts for word in ("--mount", _mount(mount))),
            *(word for key, value in sorted(_env(task).items()) for word in ("--env", f"{key}={value}")),
            *(word for key, value in sorted(task.labels.items()) for word in ("--label", f"{key}={value}")),
            *self._gpus(task),
            *(word for ulimit in self.ulimits for word in ("--ulimit", ulimit)),
            *options,
            *("--entrypoint", task.command[0], task.image.ref),
            *task.command[1:],
        )
        return RenderedTask(argv=argv, cwd=str(root) if root else None, not_enforced=self._not_enforced(task))

    def _network(self, task: ContainerTask) -> tuple[str, ...]:
        if task.network != "egress":
            return ("--network", task.network, *self._no_proxy())
        # Podman's `private` is a bridge for root and a user-mode network for everyone else.
        return ("--network", "private" if self.name == "podman" else "bridge", *self._no_proxy())

    def _no_proxy(self) -> tuple[str, ...]:
        """Podman copies the caller's proxy variables, passwords included, into every container."""
        return ("--http-proxy=false",) if self.name == "podman" else ()

    def _user(self, task: ContainerTask) -> tuple[str, ...]:
        keep = ("--userns", "keep-id") if self.name == "podman" and self.rootless else ()
        return (*keep, "--user", task.user)

    def _gpus(self, task: ContainerTask) -> tuple[str, ...]:
        if not task.gpus:
            return ()
        if self.name == "docker":
            # The inner quotes are Docker's: the value is a CSV record, and without them `,1` is another key.
            return ("--gpus", f'"device={",".join(task.gpus)}"')
        return tuple(word for gpu in task.gpus for word in ("--device", f"nvidia.com/gpu={gpu}"))

    def _not_enforced(self, task: ContainerTask) -> tuple[str, ...]:
        found = ["network"] if task.network == "host" else []
        if not self.limits_work:
            limits = task.limits
            asked = {"memory": limits.memory_mib, "cpus": limits.cpus, "pids": limits.pids}
            found += [name for name, value in asked.items() if value is not None]
        return tuple(found)


def _hardening() -> tuple[str, ...]:
    """SELinux labels are switched off: with them an unlabelled bind mount cannot be read, and relabelling
    would change the user's own dataset. Engines without SELinux ignore it."""
    return (
        "--read-only",
        *("--cap-drop", "ALL"),
        *("--security-opt", "no-new-privileges"),
        *("--security-opt", "label=disable"),
    )


def _limits(task: ContainerTask, options: tuple[str, ...]) -> tuple[str, ...]:
    limits = task.limits
    words: list[str] = []
    if limits.pids is not None:
        words += ["--pids-limit", str(limits.pids)]
    if limits.memory_mib is not None:  # equal to memory-swap: no swap on top
        words += ["--memory", f"{limits.memory_mib}m", "--memory-swap", f"{limits.memory_mib}m"]
    if limits.cpus is not None:
        words += ["--cpus", f"{limits.cpus:g}"]
    if limits.shm_mib is not None and "--shm-size" not in options:
        words += ["--shm-size", f"{limits.shm_mib}m"]
    # exec: GPU servers compile kernels into their cache below HOME and load them from there
    words += ["--tmpfs", f"/tmp:rw,exec,nosuid,nodev,size={limits.tmp_mib}m,mode=1777"]
    return tuple(words)


def _env(task: ContainerTask) -> dict[str, str]:
    """The only folder that every user may write is /tmp; libraries put their caches below HOME.

    Where NVIDIA's runtime is the engine's default, an image that says `all` would get GPUs that nobody has leased."""
    without_gpus = {} if task.gpus else {"NVIDIA_VISIBLE_DEVICES": "void"}
    return {"HOME": "/tmp", **without_gpus, **task.env}


def _mount(mount: Mount) -> str:
    """One `--mount` value. It is a CSV record, so a comma or a quote in a path is data, never a new key."""
    fields = ["type=bind", f"src={mount.source}", f"dst={mount.target}"]
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(fields if mount.writable else [*fields, "readonly"])
    return text.getvalue()
