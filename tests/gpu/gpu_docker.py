"""A private Docker engine that accepts `--gpus` on a machine without one, with images whose driver is the stand-in.

dockerd takes device requests when it finds a program `nvidia-container-runtime-hook` on its PATH at start. Ours does
nothing, so a container gets NVIDIA_VISIBLE_DEVICES and no device; what it sees inside are the libraries of its image.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from gpu_standin import LIBRARY, Standin

HOOK = "nvidia-container-runtime-hook"
INSIDE = "/opt/pretended"
START_S = 30.0


def why_not() -> str:
    """Why no engine of its own can be started here; empty where it can."""
    if os.geteuid() != 0:
        return "only root can start an engine"
    missing = [name for name in ("dockerd", "docker") if shutil.which(name) is None]
    return f"no {missing[0]} here" if missing else ""


@dataclass(frozen=True)
class GpuDocker:
    socket: Path

    @property
    def env(self) -> dict[str, str]:
        return {"DOCKER_HOST": f"unix://{self.socket}"}

    def docker(self, *words: str) -> str:
        argv = ["docker", *words]
        done = subprocess.run(
            argv, env={**os.environ, **self.env}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
        return done.stdout.strip()

    def take(self, ref: str) -> None:
        """An image of the machine's usual engine."""
        with subprocess.Popen(["docker", "save", ref], stdout=subprocess.PIPE) as saved:
            argv = ["docker", "load", "--quiet"]
            subprocess.run(
                argv, stdin=saved.stdout, env={**os.environ, **self.env}, check=True, capture_output=True
            )
        assert saved.returncode == 0

    def with_driver(self, ref: str, standin: Standin, *, tag: str) -> None:
        """`ref` with the stand-in in it, where its loader finds it."""
        made = self.docker("create", ref, "true")
        path = f"LD_LIBRARY_PATH={INSIDE}"
        with tempfile.TemporaryDirectory() as folder:
            for name in (LIBRARY, "gpus.txt"):
                shutil.copy((standin.folder / name).resolve(), folder)
            Path(folder).chmod(0o755)
            self.docker("cp", f"{folder}/.", f"{made}:{INSIDE}")
        self.docker("commit", "--change", f"ENV {path}", made, tag)
        self.docker("rm", made)


@contextmanager
def gpu_docker() -> Iterator[GpuDocker]:
    """Everything below one folder, which is gone at the end. It has no bridge: containers get no network anyway."""
    root = Path(tempfile.mkdtemp(prefix="vlmhb-dockerd-"))
    hooks = root / "hooks"
    hooks.mkdir()
    (hooks / HOOK).write_text("#!/bin/sh\nexit 0\n")
    (hooks / HOOK).chmod(0o755)
    engine = GpuDocker(root / "docker.sock")
    argv = [
        *("dockerd", "--data-root", str(root / "data"), "--exec-root", str(root / "exec")),
        *("--pidfile", str(root / "docker.pid"), "-H", f"unix://{engine.socket}"),
        *("--bridge", "none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"),
        *("--shutdown-timeout", "1"),
    ]
    with (root / "log").open("w") as log:
        env = {**os.environ, "PATH": f"{hooks}:{os.environ['PATH']}"}
        daemon = subprocess.Popen(argv, stdout=log, stderr=log, env=env, start_new_session=True)
    try:
        _wait(engine, daemon, log=root / "log")
        yield engine
    finally:
        daemon.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            daemon.wait(timeout=30)
        if daemon.poll() is None:
            daemon.kill()
        for mounted in (root / "exec" / "netns").glob("*"):
            subprocess.run(["umount", str(mounted)], check=False, capture_output=True)
        shutil.rmtree(root, ignore_errors=True)


def _wait(engine: GpuDocker, daemon: subprocess.Popen[bytes], *, log: Path) -> None:
    deadline = time.monotonic() + START_S
    argv = ["docker", "version", "--format", "{{.Server.Version}}"]
    while subprocess.run(argv, env={**os.environ, **engine.env}, capture_output=True, check=False).returncode:
        assert daemon.poll() is None and time.monotonic() < deadline, log.read_text()[-2000:]
        time.sleep(0.1)
