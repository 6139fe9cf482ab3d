"""Notes what an inference uses while it runs: GPUs, containers, disk. In a thread of its own, and never at its cost."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from vlmhb.engines.base import Handle
from vlmhb.resources.gpus import MIB_PER_GIB, Gpu, gib
from vlmhb.resources.nvml import GpuReading, NoNvml, Nvml

MIB = 2**20


class GpuReader(Protocol):
    def read(self, uuid: str) -> GpuReading: ...


def open_reader() -> GpuReader | None:
    """None where there is no NVML: then GPUs have no samples."""
    try:
        return Nvml()
    except NoNvml:
        return None


def _ignore(_device: str, _text: str) -> None:
    return None


class Sampler:
    """One look at everything: `lines` gives the lines of `resources.jsonl`.

    `handles`: the containers that run now, by role; a counter that falls is a container that was started anew.
    `shown`: told what each GPU does now, and an empty text at the end."""

    def __init__(
        self,
        *,
        handles: Callable[[], Mapping[str, Handle]],
        gpus: Sequence[Gpu] = (),
        disk: Path,
        reader: GpuReader | None = None,
        clock: Callable[[], float] = time.time,
        shown: Callable[[str, str], None] = _ignore,
    ) -> None:
        self._shown = shown
        self._handles, self._gpus, self._disk = handles, gpus, disk
        self._reader = reader if reader is not None or not gpus else open_reader()
        self._clock = clock

    def first(self) -> list[dict[str, Any]]:
        """What the GPUs are, and their memory before anything was loaded."""
        return [
            _line(
                self._clock(),
                f"gpu:{gpu.uuid}",
                name=gpu.name,
                total_mib=gpu.memory_mib,
                idle_memory_mib=gpu.used_mib,
                first=True,
            )
            for gpu in self._gpus
        ]

    def lines(self) -> list[dict[str, Any]]:
        return [line for line in (*self._of_gpus(), *self._of_containers(), self._of_disk()) if len(line) > 2]

    def last(self) -> None:
        for gpu in self._gpus:
            self._shown(f"GPU {gpu.index}", "")

    def _of_gpus(self) -> Iterator[dict[str, Any]]:
        for gpu in self._gpus if self._reader is not None else ():
            told = self._reader.read(gpu.uuid) if self._reader is not None else GpuReading()
            self._shown(f"GPU {gpu.index}", _doing(gpu, told))
            power = told
            if gpu.parent is not None and self._reader is not None:  # a slice has no meter of its own
                power = self._reader.read(gpu.parent)
            yield _line(
                self._clock(),
                f"gpu:{gpu.uuid}",
                util=told.util,
                memory_mib=told.memory_mib,
                power_w=power.power_w,
                temperature_c=power.temperature_c,
                energy_j=power.energy_j,
            )

    def _of_containers(self) -> Iterator[dict[str, Any]]:
        for role, handle in self._handles().items():
            usage = handle.usage()
            if usage is not None:
                yield _line(self._clock(), role, **usage.model_dump())

    def _of_disk(self) -> dict[str, Any]:
        with suppress(OSError):
            return _line(self._clock(), "disk", free_mib=round(shutil.disk_usage(self._disk).free / MIB))
        return {}


@contextmanager
def sampled(sampler: Sampler, *, hz: float, path: Path, failed: Callable[[str], None]) -> Iterator[None]:
    """Appends to `path`, `hz` times a second, while the block runs. `failed` is told, once, when that is no use."""
    done = threading.Event()

    def look() -> None:
        try:
            with path.open("a", encoding="utf-8") as file:
                _write(
                    file, [*sampler.first(), *({**line, "first": True, "hz": hz} for line in sampler.lines())]
                )
                while not done.wait(1 / hz):
                    _write(file, sampler.lines())
                _write(file, sampler.lines())
            sampler.last()
        except Exception as error:  # noqa: BLE001 - measuring must never cost the run that is measured
            failed(f"resources were not sampled to the end: {type(error).__name__}: {error}")

    if hz <= 0:
        yield
        return
    thread = threading.Thread(target=look, name="sampler", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(timeout=5.0)


def _doing(gpu: Gpu, reading: GpuReading) -> str:
    """`87 %, 12.3 of 22.5 GiB`."""
    parts = [f"{reading.util:.0f} %"] if reading.util is not None else []
    if reading.memory_mib is not None and gpu.memory_mib is not None:
        parts.append(f"{reading.memory_mib / MIB_PER_GIB:.1f} of {gib(gpu.memory_mib)}")
    return ", ".join(parts)


def _write(file: Any, lines: Sequence[Mapping[str, Any]]) -> None:
    if lines:
        file.write("".join(json.dumps(line) + "\n" for line in lines))
        file.flush()


def _line(now: float, role: str, **values: Any) -> dict[str, Any]:
    known = {key: value for key, value in values.items() if value is not None}
    return {"t": round(now, 3), "role": role, **known}
