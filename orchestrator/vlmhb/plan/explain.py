"""Why a stage cannot be reused: the fields in which its identity differs from an earlier one's."""

from __future__ import annotations

import re
from typing import Any

MISSING = "not set"
MAX_FIELDS = 4
HEX = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """`{"a": {"b": 1}, "c": [{"d": 2}]}` -> `{"a.b": 1, "c.0.d": 2}`."""
    members = dict(enumerate(value)) if _is_list_of_objects(value) else value
    if not isinstance(members, dict) or not members:
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, item in members.items():
        flat.update(flatten(item, f"{prefix}.{key}" if prefix else str(key)))
    return flat


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def changed_fields(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """`weights 66285→a1b2c3` for every field that differs, by name.

    A field that was not there and one without a value tell the same to a person: only where nothing else differs, it
    is told that the field is new, for the identity has changed all the same."""
    before, after = flatten(old), flatten(new)
    names = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    if names:
        return [f"{name} {_told(before.get(name))}→{_told(after.get(name))}" for name in names]
    return [f"{name} was not set" for name in sorted({*before} ^ {*after})]


def nearest_change(identities: list[dict[str, Any]], new: dict[str, Any]) -> str | None:
    """The shortest list of changes against any earlier identity; None when there is none to compare with."""
    changes = [changed_fields(old, new) for old in identities]
    if not changes:
        return None
    best = min(changes, key=len)  # ties: the first, which is the newest
    more = f" and {len(best) - MAX_FIELDS} more" if len(best) > MAX_FIELDS else ""
    return ", ".join(best[:MAX_FIELDS]) + more


def changed_files(old: dict[str, str], new: dict[str, str]) -> str:
    """`img/007.jpg changed, box/007.csv removed` from two maps of relative path to hash; empty when equal."""
    names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    told = [
        f"{name} {'added' if name not in old else 'removed' if name not in new else 'changed'}"
        for name in names
    ]
    more = f" and {len(told) - MAX_FIELDS} more" if len(told) > MAX_FIELDS else ""
    return ", ".join(told[:MAX_FIELDS]) + more


def _told(value: Any) -> str:
    return MISSING if value is None else short(value)


def short(value: Any) -> str:
    text = " ".join(value.split()) if isinstance(value, str) else repr(value)
    match = HEX.fullmatch(text)
    if match:
        return match[1][:6]
    return text if len(text) <= 40 else text[:37] + "..."
