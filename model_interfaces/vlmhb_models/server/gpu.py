"""Proves that the promised GPUs are here before a model is loaded: some engines start without them and say nothing.

Asks the CUDA driver itself, by its C interface; NVML where only that is there. No Python package is needed.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from vlmhb_models.base import LoadError

CUDA = ("libcuda.so.1", "libcuda.so")
NVML = ("libnvidia-ml.so.1", "libnvidia-ml.so")
NAME_BYTES = 128
UUID_BYTES = 16
NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE
HINT = (
    "docker: install the NVIDIA container toolkit; podman: generate the CDI specification (nvidia-ctk cdi generate); "
    "apptainer: --nv; venv: look at nvidia-smi and CUDA_VISIBLE_DEVICES"
)


@dataclass(frozen=True)
class Gpu:
    """One device as the driver describes it; a value that it does not tell is empty or None."""

    name: str
    uuid: str
    memory_mib: int | None

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "uuid": self.uuid, "memory_mib": self.memory_mib}


def prove_gpus(promised: int, *, libraries: Sequence[str] | None = None) -> dict[str, Any]:
    """Facts about the visible GPUs; nothing when none are promised. Raises `LoadError` when there are fewer."""
    if promised < 1:
        return {}
    visible, via, why = _visible(libraries)
    if len(visible) < promised:
        because = f" ({why})" if why else ""
        raise LoadError(f"the container sees {len(visible)} of {promised} GPUs{because}", hint=HINT)
    return {"gpus": [gpu.as_dict() for gpu in visible], "gpus_told_by": via}


@dataclass(frozen=True)
class _Seen:
    gpus: tuple[Gpu, ...] = ()
    why: str = ""  # there are none


def _visible(libraries: Sequence[str] | None) -> tuple[tuple[Gpu, ...], str, str]:
    """GPUs, which library told of them, and why there are none.

    NVML does not know CUDA_VISIBLE_DEVICES, so it is asked only where there is no CUDA driver at all."""
    for names, ask, via in ((CUDA, _ask_cuda, "cuda driver"), (NVML, _ask_nvml, "nvml")):
        library = _first([name for name in names if libraries is None or name in libraries])
        if library is not None:
            seen = ask(library)
            return seen.gpus, via, seen.why
    return (), "", f"neither {CUDA[0]} nor {NVML[0]} can be loaded"


def _first(names: Sequence[str]) -> ctypes.CDLL | None:
    for name in names:
        with suppress(OSError):
            return ctypes.CDLL(name)
    return None


def _ask_cuda(library: ctypes.CDLL) -> _Seen:
    if code := library.cuInit(0):
        masked = os.environ.get("CUDA_VISIBLE_DEVICES")
        told = f"cuInit gives error {code}" + (": no device" if code == NO_DEVICE else "")
        return _Seen(why=told if masked is None else f"{told}, CUDA_VISIBLE_DEVICES={masked}")
    count = ctypes.c_int()
    if code := library.cuDeviceGetCount(ctypes.byref(count)):
        return _Seen(why=f"cuDeviceGetCount gives error {code}")
    return _Seen(gpus=tuple(_cuda_gpu(library, index) for index in range(count.value)))


def _cuda_gpu(library: ctypes.CDLL, index: int) -> Gpu:
    device = ctypes.c_int()
    if library.cuDeviceGet(ctypes.byref(device), index):
        return Gpu(name="", uuid="", memory_mib=None)
    name = ctypes.create_string_buffer(NAME_BYTES)
    known = library.cuDeviceGetName(name, NAME_BYTES, device) == 0
    memory = ctypes.c_size_t()
    total = _versioned(library, "cuDeviceTotalMem")
    measured = total is not None and total(ctypes.byref(memory), device) == 0
    return Gpu(
        name=_text(name) if known else "",
        uuid=_cuda_uuid(library, device),
        memory_mib=memory.value >> 20 if measured else None,
    )


def _cuda_uuid(library: ctypes.CDLL, device: ctypes.c_int) -> str:
    """Written as NVML writes it, so that it can be compared with what the host has leased."""
    raw = (ctypes.c_ubyte * UUID_BYTES)()
    ask = _versioned(library, "cuDeviceGetUuid")
    if ask is None or ask(ctypes.byref(raw), device):
        return ""
    digits = bytes(raw).hex()
    ends = (0, 8, 12, 16, 20, 32)
    return "GPU-" + "-".join(digits[ends[part] : ends[part + 1]] for part in range(5))


def _versioned(library: ctypes.CDLL, name: str) -> Callable[..., int] | None:
    """The newer of two versions of one call, which a driver may lack."""
    for candidate in (f"{name}_v2", name):
        with suppress(AttributeError):
            found: Callable[..., int] = getattr(library, candidate)
            return found
    return None


def _ask_nvml(library: ctypes.CDLL) -> _Seen:
    if code := library.nvmlInit_v2():
        return _Seen(why=f"nvmlInit gives error {code}")
    count = ctypes.c_uint()
    if code := library.nvmlDeviceGetCount_v2(ctypes.byref(count)):
        return _Seen(why=f"nvmlDeviceGetCount gives error {code}")
    return _Seen(gpus=tuple(_nvml_gpu(library, index) for index in range(count.value)))


class _NvmlMemory(ctypes.Structure):
    _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]


def _nvml_gpu(library: ctypes.CDLL, index: int) -> Gpu:
    device = ctypes.c_void_p()
    if library.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(index), ctypes.byref(device)):
        return Gpu(name="", uuid="", memory_mib=None)
    name, uuid = ctypes.create_string_buffer(NAME_BYTES), ctypes.create_string_buffer(NAME_BYTES)
    memory = _NvmlMemory()
    named = library.nvmlDeviceGetName(device, name, NAME_BYTES) == 0
    known = library.nvmlDeviceGetUUID(device, uuid, NAME_BYTES) == 0
    measured = library.nvmlDeviceGetMemoryInfo(device, ctypes.byref(memory)) == 0
    return Gpu(
        name=_text(name) if named else "",
        uuid=_text(uuid) if known else "",
        memory_mib=memory.total >> 20 if measured else None,
    )


def _text(buffer: Any) -> str:
    return bytes(buffer.value).decode("utf-8", errors="replace")
