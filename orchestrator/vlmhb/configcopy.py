"""The copy of a config that a run keeps: as it was given, but for the path of a webhook, which may be a secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from vlmhb.contracts import RunConfig
from vlmhb.reading.secretref import is_secret_reference
from vlmhb.reading.text import read_text
from vlmhb.store.files import write_atomic

HIDDEN = "hidden-by-vlmhb"


def keep_config(config: RunConfig, *, folder: Path) -> None:
    """Writes `config.<ending>` into `folder`."""
    kept, webhook = folder / f"config{config.path.suffix}", config.alerts.webhook
    if webhook is None or is_secret_reference(webhook) or webhook == masked(webhook):
        write_atomic(kept, config.path.read_bytes())
    else:
        write_atomic(kept, _without(webhook, text=read_text(config.path)).encode())


def masked(url: str) -> str:
    """The URL's scheme and host, which tell whose it is: `https://hooks.example.org/hidden-by-vlmhb`.

    A host alone stays as it is."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    bare = parts.path in ("", "/") and not parts.query and not parts.fragment and host == parts.netloc
    return url if bare else f"{parts.scheme}://{host}/{HIDDEN}"


def _without(webhook: str, *, text: str) -> str:
    """The same text with the URL masked; all values anew, without comments, where it is written in a way of its own
    (escapes, several lines)."""
    kept = text
    for written in (webhook, webhook.replace("/", "\\/"), json.dumps(webhook)[1:-1]):
        kept = kept.replace(written, masked(webhook))
    if webhook not in _texts(yaml.safe_load(kept)):  # JSON is YAML as well
        return kept
    told = yaml.safe_load(text)
    alerts = {**told["alerts"], "webhook": masked(webhook)}
    return json.dumps({**told, "alerts": alerts}, ensure_ascii=False, indent=2, default=str)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    else:
        yield str(value)
