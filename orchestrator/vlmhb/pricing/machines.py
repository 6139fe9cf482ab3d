"""What one's own machines cost by the hour and by the kilowatt hour, and what a piece of work on them did."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import Field, field_validator

from vlmhb.modelcard import Frozen

ANY_GPU = "*"
HOUR_S = 3600.0
KWH_J = 3.6e6
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Amounts(Frozen):
    """Fields that are prices: a yes or no is none."""

    @field_validator("*", mode="before")
    @classmethod
    def _no_switch(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError("must be a number, not yes or no")
        return value


class ResourcePrices(Amounts):
    """`gpu_hour` by patterns of GPU names (`*H100*`), the first that fits; `cpu_hour` of one core at work."""

    gpu_hour: dict[str, Amount] = {}
    kwh: Amount | None = None
    cpu_hour: Amount | None = None

    @field_validator("gpu_hour", mode="before")
    @classmethod
    def _same_for_all(cls, value: Any) -> Any:
        return value if isinstance(value, dict) else {ANY_GPU: value}

    def gpu_hour_of(self, name: str) -> float | None:
        """Of the GPU that its driver calls `name`."""
        fits = (
            price
            for pattern, price in self.gpu_hour.items()
            if fnmatchcase(name.casefold(), pattern.casefold())
        )
        return next(fits, None)

    @property
    def dearest_gpu_hour(self) -> float | None:
        """Where it is not known which GPU it will be."""
        return max(self.gpu_hour.values(), default=None)

    @property
    def is_empty(self) -> bool:
        return not self.gpu_hour and self.kwh is None and self.cpu_hour is None


class MachinePrices(ResourcePrices):
    """As one evaluation carries them along."""

    currency: str
    source: str = ""


def machine_cost(prices: ResourcePrices, used: Mapping[str, Any]) -> dict[str, float]:
    """Money by resource (`gpu_hour`, `kwh`, `cpu_hour`); only those that are priced and measured.

    `used` is a manifest's `extra["resources"]`."""
    gpus: Mapping[str, Any] = used.get("gpus") or {}
    cost: dict[str, float] = {}
    gpu_s = float(used.get("gpu_seconds") or 0.0)
    hours = [prices.gpu_hour_of(str(gpu.get("name", ""))) for gpu in gpus.values()]
    known = [price for price in hours if price is not None]
    if gpu_s and known:
        # the GPUs of one model server are held for the same time
        cost["gpu_hour"] = gpu_s / len(hours) * sum(known) / HOUR_S
    if prices.kwh is not None and used.get("energy_j"):
        cost["kwh"] = float(used["energy_j"]) / KWH_J * prices.kwh
    cpu_s = sum(float(one.get("cpu_s") or 0.0) for one in (used.get("containers") or {}).values())
    if prices.cpu_hour is not None and cpu_s:
        cost["cpu_hour"] = cpu_s / HOUR_S * prices.cpu_hour
    return cost
