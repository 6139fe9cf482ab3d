"""NVML, the driver's own library, through `nvidia-ml-py`: devices and what they are doing. Imported when first used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from vlmhb.resources.gpus import Gpu, Inventory

T = TypeVar("T")
MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class GpuReading:
    """One look at a device; None where the device does not tell. `energy_j` counts up since the driver was loaded."""

    util: float | None = None  # percent of time with a kernel running
    memory_mib: float | None = None
    power_w: float | None = None
    temperature_c: float | None = None
    energy_j: float | None = None


class NoNvml(Exception):
    """The library is not there or does not start; the message says why."""


class Nvml:
    """The library, started. One per process is enough; safe to call from several threads, as NVML is."""

    def __init__(self) -> None:
        """Raises `NoNvml`."""
        import pynvml

        self._api: Any = pynvml
        self._handles: dict[str, Any] = {}
        try:
            pynvml.nvmlInit()
        except (pynvml.NVMLError, AttributeError) as error:
            raise NoNvml(str(error)) from None

    def inventory(self) -> Inventory:
        api = self._api
        gpus: list[Gpu] = []
        split: list[Gpu] = []
        for number in range(self._ask(api.nvmlDeviceGetCount) or 0):
            handle = self._ask(api.nvmlDeviceGetHandleByIndex, number)
            if handle is None:  # lost, or not ours to open
                continue
            whole = self._gpu(handle, index=str(number), parent=None)
            slices = list(self._slices(handle, whole=whole))
            gpus += slices or [whole]
            split += [whole] if slices else []
        driver = self._text(self._ask(api.nvmlSystemGetDriverVersion))
        return Inventory(gpus=tuple(gpus), split=tuple(split), driver=driver, source="nvml")

    def used_mib(self, uuid: str) -> float | None:
        return self.read(uuid).memory_mib

    def read(self, uuid: str) -> GpuReading:
        api, handle = self._api, self._handle(uuid)
        if handle is None:
            return GpuReading()
        rates = self._ask(api.nvmlDeviceGetUtilizationRates, handle)
        memory = self._ask(api.nvmlDeviceGetMemoryInfo, handle)
        power = self._ask(api.nvmlDeviceGetPowerUsage, handle)
        energy = self._ask(api.nvmlDeviceGetTotalEnergyConsumption, handle)
        temperature = self._ask(api.nvmlDeviceGetTemperature, handle, api.NVML_TEMPERATURE_GPU)
        return GpuReading(
            util=float(rates.gpu) if rates is not None else None,
            memory_mib=round(memory.used / MIB, 1) if memory is not None else None,
            power_w=power / 1000 if power is not None else None,
            temperature_c=float(temperature) if temperature is not None else None,
            energy_j=energy / 1000 if energy is not None else None,
        )

    def _gpu(self, handle: Any, *, index: str, parent: str | None) -> Gpu:
        memory = self._ask(self._api.nvmlDeviceGetMemoryInfo, handle)
        return Gpu(
            index=index,
            uuid=self._text(self._ask(self._api.nvmlDeviceGetUUID, handle)),
            name=self._text(self._ask(self._api.nvmlDeviceGetName, handle)) or "unknown",
            memory_mib=round(memory.total / MIB, 1) if memory is not None else None,
            used_mib=round(memory.used / MIB, 1) if memory is not None else None,
            parent=parent,
        )

    def _slices(self, handle: Any, *, whole: Gpu) -> Iterator[Gpu]:
        """MIG devices, where that mode is on."""
        api = self._api
        mode = self._ask(api.nvmlDeviceGetMigMode, handle)
        if mode is None or mode[0] != api.NVML_DEVICE_MIG_ENABLE:
            return
        for number in range(self._ask(api.nvmlDeviceGetMaxMigDeviceCount, handle) or 0):
            part = self._ask(api.nvmlDeviceGetMigDeviceHandleByIndex, handle, number)
            if part is not None:
                yield self._gpu(part, index=f"{whole.index}:{number}", parent=whole.uuid)

    def _handle(self, uuid: str) -> Any:
        if uuid not in self._handles:
            self._handles[uuid] = self._ask(self._api.nvmlDeviceGetHandleByUUID, uuid.encode())
        return self._handles[uuid]

    def _ask(self, call: Callable[..., T], *args: Any) -> T | None:
        """None for what this device or driver does not tell."""
        with suppress(self._api.NVMLError):
            return call(*args)
        return None

    @staticmethod
    def _text(value: str | bytes | None) -> str:
        return value.decode(errors="replace") if isinstance(value, bytes) else value or ""
