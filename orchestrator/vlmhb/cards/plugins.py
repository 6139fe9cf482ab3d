"""Metrics of other distributions, by their entry points: read from the metadata, never imported on the host."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from vlmhb.errors import BadCard

METRIC_GROUP = "vlmhb.metrics"


def metric_points() -> dict[str, EntryPoint]:
    """Entry points of metrics by lower-case name. Raises `BadCard` for a name that two distributions give."""
    points: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=METRIC_GROUP), key=lambda point: (point.name, point.value)):
        name = point.name.lower()
        if name in points and points[name].value != point.value:
            raise BadCard(
                f"metric '{name}' is given by two packages: {points[name].value} and {point.value}",
                where=f"entry points {METRIC_GROUP}",
                hint="uninstall one of them",
            )
        points[name] = point
    return points
