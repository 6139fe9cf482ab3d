"""URLs of servers as people write them: http(s), with a host, without a key in them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from vlmhb.errors import BadValue, SecretInConfig
from vlmhb.reading.names import shown


def check_url(value: str, *, what: str, where: str) -> None:
    """`what` names the value in messages. Raises `BadValue`, and `SecretInConfig` for a key."""
    try:
        url = urlsplit(value)
        secret = "@" in url.netloc or bool(re.search(r"(key|token|secret)=", url.query, re.IGNORECASE))
    except ValueError:
        raise BadValue(f"{what} is not a URL", where=where) from None
    if secret:
        raise SecretInConfig(f"{what} holds a secret", where=where, hint="use api_key = secret:NAME")
    blank = any(char.isspace() or not char.isprintable() for char in value)  # `urlsplit` passes them over
    if url.scheme not in ("http", "https") or not url.hostname or blank:
        told = f"{shown(value)} is not a URL"
        raise BadValue(told, where=where, hint="write http://host:port/v1 or https://...")
