"""What an inference has used in all, over every attempt: from the lines of its `resources.jsonl`.

Counters (CPU time, energy, I/O) are added up step by step: one that falls belongs to a container that was started
anew. Every start of sampling (lines with `first`) begins with new steps: what lies between two starts counts for
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlmhb.store.files import parse_json

GPU = "gpu:"
COUNTERS = ("cpu_s", "read_mib", "written_mib")
GAUGES = ("util", "memory_mib", "temperature_c", "rss_mib", "power_w")
Span = tuple[float, float]


@dataclass
class Gauge:
    """Largest value and mean."""

    largest: float | None = None
    sum: float = 0.0
    count: int = 0

    def add(self, value: float) -> None:
        self.largest = value if self.largest is None else max(self.largest, value)
        self.sum += value
        self.count += 1

    @property
    def mean(self) -> float | None:
        return self.sum / self.count if self.count else None


@dataclass
class Series:
    """One role. `active_s` and `active_j` are the parts of `seconds` and `energy_j` with requests in flight."""

    active: Sequence[Span] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    active_s: float = 0.0
    energy_j: float = 0.0
    active_j: float = 0.0
    metered: bool = False
    totals: dict[str, float] = field(default_factory=dict)
    gauges: dict[str, Gauge] = field(default_factory=dict)
    _before: Mapping[str, Any] = field(default_factory=dict)

    def restart(self) -> None:
        self._before = {}

    def add(self, line: Mapping[str, Any]) -> None:
        before, self._before = self._before, line
        for key in COUNTERS:
            if key in line:
                self.totals[key] = self.totals.get(key, 0.0) + _step(line, before, key)
        for key in GAUGES:
            if key in line:
                self.gauges.setdefault(key, Gauge()).add(float(line[key]))
        if before:
            self._add_time(line, before)

    def _add_time(self, line: Mapping[str, Any], before: Mapping[str, Any]) -> None:
        start, end = float(before["t"]), float(line["t"])
        share = _share(start, end, self.active)
        self.seconds += end - start
        self.active_s += (end - start) * share
        joules = _joules(line, before)
        if joules is not None:
            self.metered = True
            self.energy_j += joules
            self.active_j += joules * share

    def most(self, key: str) -> float | None:
        return self.gauges[key].largest if key in self.gauges else None

    def mean(self, key: str) -> float | None:
        return self.gauges[key].mean if key in self.gauges else None


def _step(line: Mapping[str, Any], before: Mapping[str, Any], key: str) -> float:
    """From the sample before; all of it for a container that was not there then, nothing for the first look."""
    now = float(line[key])
    if line.get("first"):
        return 0.0
    return now - float(before[key]) if key in before and float(before[key]) <= now else now


def _joules(line: Mapping[str, Any], before: Mapping[str, Any]) -> float | None:
    """By the meter; where there is none, power over time (trapezoids). None: not told."""
    if "energy_j" in line and "energy_j" in before:
        return max(0.0, float(line["energy_j"]) - float(before["energy_j"]))
    if "power_w" in line and "power_w" in before:
        mean = (float(line["power_w"]) + float(before["power_w"])) / 2
        return mean * (float(line["t"]) - float(before["t"]))
    return None


def _share(start: float, end: float, spans: Sequence[Span]) -> float:
    """How much of start..end lies in `spans`, which do not overlap; all of it where there are none."""
    if not spans or end <= start:
        return 1.0
    return sum(max(0.0, min(end, last) - max(start, first)) for first, last in spans) / (end - start)


def summarize(path: Path, *, pages: float = 0.0, active: Sequence[Span] = ()) -> dict[str, Any]:
    """`pages`: images that were asked about; `active`: when requests were in flight, seconds since the epoch.

    Empty when nothing was sampled."""
    try:
        with path.open("rb") as file:
            return summary_of(_parsed(file), pages=pages, active=active)
    except FileNotFoundError:
        return {}


def summary_of(
    lines: Iterable[Mapping[str, Any]], *, pages: float = 0.0, active: Sequence[Span] = ()
) -> dict[str, Any]:
    roles, hz = _series(lines, active=active)
    gpus = {role.removeprefix(GPU): one for role, one in roles.items() if role.startswith(GPU)}
    containers = {role: one for role, one in roles.items() if not role.startswith(GPU) and one.totals}
    timed = [one for one in roles.values() if one.seconds]
    if not timed:
        return {}
    seconds = max(one.seconds for one in timed)
    metered = [one for one in gpus.values() if one.metered]
    told: dict[str, Any] = {
        "gpus": {uuid: _known(_gpu(one)) for uuid, one in gpus.items()},
        "containers": {role: _known(_container(one)) for role, one in containers.items()},
        "energy_j": round(sum(one.energy_j for one in metered), 1) if metered else None,
        "gpu_seconds": round(seconds * len(gpus), 1),
        "seconds": round(seconds, 1),
        "hz": hz,
    }
    if pages:
        joules = sum(one.active_j for one in metered)
        told["seconds_per_page"] = round(max(one.active_s for one in timed) / pages, 4)
        told["energy_j_per_page"] = round(joules / pages, 3) if metered else None
    return told


def _series(
    lines: Iterable[Mapping[str, Any]], *, active: Sequence[Span]
) -> tuple[dict[str, Series], float | None]:
    roles: dict[str, Series] = {}
    hz: float | None = None
    starting = False
    for line in lines:
        if line.get("first") and not starting:
            for one in roles.values():
                one.restart()
        starting = bool(line.get("first"))
        hz = line.get("hz", hz)
        series = roles.setdefault(str(line["role"]), Series(active=active))
        if "idle_memory_mib" in line or "total_mib" in line:
            series.facts.update(line)
        elif "exit" not in line:  # how a container ended is no sample
            series.add(line)
    return roles, hz


def _gpu(series: Series) -> dict[str, Any]:
    return {
        "name": series.facts.get("name"),
        "total_memory_mib": series.facts.get("total_mib"),
        "idle_memory_mib": series.facts.get("idle_memory_mib"),
        "peak_memory_mib": series.most("memory_mib"),
        "mean_util": _rounded(series.mean("util"), 1),
        "mean_power_w": _rounded(series.mean("power_w"), 1),
        "max_temperature_c": series.most("temperature_c"),
        "energy_j": round(series.energy_j, 1) if series.metered else None,
    }


def _container(series: Series) -> dict[str, Any]:
    return {
        "cpu_s": _rounded(series.totals.get("cpu_s"), 2),
        "peak_rss_mib": series.most("rss_mib"),
        "read_mib": _rounded(series.totals.get("read_mib"), 1),
        "written_mib": _rounded(series.totals.get("written_mib"), 1),
    }


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _rounded(value: float | None, digits: int) -> float | None:
    return round(value, digits) if value is not None else None


def _parsed(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Torn lines of a killed host are passed over."""
    for line in lines:
        found = parse_json(line)
        if isinstance(found, dict) and "t" in found and "role" in found:
            yield found
