"""A venv per image, for machines with no container engine: separate packages, honest about the rest."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from vlmhb.command import run_command, spawn
from vlmhb.engines.base import ContainerTask, Mount, RenderedTask
from vlmhb.engines.process_handle import ProcessHandle
from vlmhb.engines.process_registry import ProcessRegistry, TaskRoot
from vlmhb.errors import ImageMissing

INSIDE = "/vlmhb"
SHOWN_ROOT = Path("/tmp/vlmhb-root")  # stands for the private folder where nothing is run
PYTHONS = ("python", "python3")
LONGEST_STATE_PATH = 60  # a Unix socket's path may have 107 bytes, and `/<task>/sock/model.sock` comes on top
PRIVATE_TMP = "tmp"


def state_folder(*, uid: int | None = None, base: Path | None = None) -> Path:
    """Where running tasks keep their private folders: local to this machine, gone at boot, and short."""
    uid = os.getuid() if uid is None else uid
    base = Path(tempfile.gettempdir()) if base is None else base
    return (base if len(str(base)) <= LONGEST_STATE_PATH else Path("/tmp")) / f"vlmhb-{uid}"


def network_cutter(*, run: Callable[..., object] = run_command) -> tuple[str, ...]:
    """The words before a command that take its network away, or () where this user may not do so."""
    kept = ("--user", "--map-current-user", "--keep-caps")  # to switch the new network's loopback on
    for as_user in ((),) if os.getuid() == 0 else (kept, kept[:-1]):
        words = ("unshare", *as_user, "--net", "--")
        if getattr(run([*words, "true"], timeout_s=5.0), "ok", False):
            return words
    return ()


@dataclass(frozen=True, kw_only=True)
class ProcessEngine:
    """`cut_network`: what `network_cutter` found; () = tasks keep the network, and the manifest says so.

    `state`: see `state_folder`. `path`: where programs outside the venv are found. `user`: the caller.
    `library_path`: the caller's, for tasks with GPUs only: on some machines the driver's libraries lie there."""

    cut_network: tuple[str, ...] = ()
    state: Path = field(default_factory=state_folder)
    path: str = "/usr/local/bin:/usr/bin:/bin"
    library_path: str = field(default_factory=lambda: os.environ.get("LD_LIBRARY_PATH", ""))
    user: str = field(default_factory=lambda: f"{os.getuid()}:{os.getgid()}")
    name: str = field(default="process", init=False)
    isolation: str = field(default="venv", init=False)

    def render(self, task: ContainerTask, *, root: Path | None = None) -> RenderedTask:
        root = root or SHOWN_ROOT
        venv = task.image.env
        program, *words = task.command
        if venv is not None and program in PYTHONS:
            program = str(venv / "bin" / "python3")
        cut = self.cut_network if task.network == "none" else ()
        return RenderedTask(
            argv=(*cut, program, *(_inside(word, root=root) for word in words)),
            env=self._env(task, root=root),
            cwd=str(root / PRIVATE_TMP),
            links=tuple(
                Mount(source=mount.source, target=_inside(mount.target, root=root), writable=mount.writable)
                for mount in task.mounts
            ),
            not_enforced=_not_enforced(task, network_cut=bool(cut), user=self.user),
        )

    def start(self, task: ContainerTask, *, log: Path) -> ProcessHandle:
        """`task.image.env` must be complete: `images.process_env` puts the marker last."""
        if task.image.env is None or not (task.image.env / "bin" / "python3").exists():
            raise ImageMissing(
                f"image {task.image.name} has no virtual environment",
                hint=f"vlmhb images build {task.image.name} --engine process",
            )
        root = ProcessRegistry(self.state).new(name=task.name, labels=task.labels)
        rendered = self.render(task, root=root.path)
        if shutil.which(task.command[0], path=rendered.env["PATH"]) is None:
            root.remove()
            return ProcessHandle.never_ran(f"the command cannot be run: no program {task.command[0]}")
        try:
            _make_links(root, rendered.links)
            client = spawn(rendered.argv, log=log, env=rendered.env, cwd=root.path / PRIVATE_TMP)
        except BaseException:  # Ctrl-C as well: the folder of links would stay for ever
            root.remove()
            raise
        root.record(pid=client.pid)
        return ProcessHandle(client=client, root=root)

    def cleanup(self, *, labels: dict[str, str]) -> int:
        if not labels:
            raise ValueError("cleanup without labels would end tasks of other runs")
        found = ProcessRegistry(self.state).find(labels=labels)
        for root in found:
            root.kill()
            root.remove()
        return len(found)

    def _env(self, task: ContainerTask, *, root: Path) -> dict[str, str]:
        """The whole environment: nothing of the caller's, so no proxy and no token can slip in."""
        venv = f"{task.image.env}/bin:" if task.image.env is not None else ""
        private = str(root / PRIVATE_TMP)
        threads = {"OMP_NUM_THREADS": str(max(1, int(task.limits.cpus)))} if task.limits.cpus else {}
        return {
            "PATH": venv + self.path,
            "HOME": private,
            "TMPDIR": private,
            "LANG": "C.UTF-8",
            "PYTHONNOUSERSITE": "1",
            "CUDA_VISIBLE_DEVICES": ",".join(task.gpus),
            **({"LD_LIBRARY_PATH": self.library_path} if task.gpus and self.library_path else {}),
            **threads,
            **{key: _inside_list(value, root=root) for key, value in task.env.items()},
            "VLMHB_ROOT": str(root),
        }


def _not_enforced(task: ContainerTask, *, network_cut: bool, user: str) -> tuple[str, ...]:
    limits = task.limits
    asked = {
        "network": task.network != "egress" and not network_cut,
        "read_only": True,
        "capabilities": True,
        "user": task.user != user,
        "memory": limits.memory_mib is not None,
        "cpus": limits.cpus is not None,
        "pids": limits.pids is not None,
        "gpu": bool(task.gpus),
    }
    return tuple(name for name, missing in asked.items() if missing)


def _inside(word: str, *, root: Path) -> str:
    """A `/vlmhb/...` path, also behind `--option=`, as the path below the private folder."""
    option, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
    if value == INSIDE or value.startswith(INSIDE + "/"):
        return f"{option}{equals}{root}{value[len(INSIDE) :]}"
    return word


def _inside_list(value: str, *, root: Path) -> str:
    return ":".join(_inside(part, root=root) for part in value.split(":"))


def _make_links(root: TaskRoot, links: tuple[Mount, ...]) -> None:
    """A mount inside another one would put its link into that one's source, a folder of the user's."""
    (root.path / PRIVATE_TMP).mkdir(mode=0o700)
    for link in sorted(links, key=lambda link: len(link.target)):
        target = Path(link.target)
        if any(parent.is_symlink() for parent in target.parents if parent.is_relative_to(root.path)):
            raise ValueError(f"mount {link.target} lies inside another mount, which `process` cannot do")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(link.source.absolute())
