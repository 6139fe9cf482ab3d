"""What a reference to a secret looks like: `secret:NAME`, never the key itself."""

from __future__ import annotations

import re

_REFERENCE = re.compile(r"secret:[A-Za-z_][A-Za-z0-9_.-]*")


def is_secret_reference(text: str) -> bool:
    return _REFERENCE.fullmatch(text) is not None
