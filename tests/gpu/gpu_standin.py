"""Pretended GPUs: a stand-in for the driver's library NVML, compiled on the spot, found by LD_LIBRARY_PATH."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("nvml_standin.c")
LIBRARY = "libnvidia-ml.so.1"


@dataclass(frozen=True, kw_only=True)
class Pretended:
    """One device. An amount that is None is one that it does not tell."""

    uuid: str
    name: str = "NVIDIA Pretended"
    total: int | None = 24576
    used: int | None = 512
    watts: float | None = 100.0
    meter: bool = True
    celsius: int | None = 50
    percent: int | None = 80
    parent: str = ""

    @property
    def line(self) -> str:
        watts = f"{self.watts}{'' if self.meter else ' nometer'}" if self.watts is not None else "-"
        amounts = [self.total, self.used, watts, self.celsius, self.percent]
        words = [self.uuid, self.name, *("-" if item is None else str(item) for item in amounts), self.parent]
        return "|".join(words)


@dataclass(frozen=True)
class Standin:
    """The folder of the library. Processes with its `env` see the devices that were set last."""

    folder: Path

    def set(self, *gpus: Pretended) -> None:
        """At once: a process that reads meanwhile sees the old or the new devices."""
        fresh = self.folder / "gpus.new"
        fresh.write_text("".join(f"{gpu.line}\n" for gpu in gpus))
        fresh.replace(self.folder / "gpus.txt")

    @property
    def env(self) -> dict[str, str]:
        """For a process of ours: its own lease folder as well."""
        return {"LD_LIBRARY_PATH": str(self.folder), "VLMHB_GPU_LEASES": str(self.folder / "leases")}

    @property
    def library(self) -> Path:
        return self.folder / LIBRARY


def compile_standin(folder: Path) -> Standin:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / LIBRARY
    argv = ["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", str(target), str(SOURCE), "-ldl"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Standin(folder)


def has_compiler() -> bool:
    return shutil.which("gcc") is not None or "gcc" in os.environ.get("VLMHB_REQUIRE", "").split(",")
