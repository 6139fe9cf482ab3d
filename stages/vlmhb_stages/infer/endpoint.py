"""Where a chat server is and how to reach it: a Unix socket of our own, or somebody's URL with a key."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from yarl import URL

from vlmhb_stages.infer.dialects import DIALECTS, Dialect
from vlmhb_stages.specs import HttpBackend

_IDLE_S = 4.0  # many servers close idle connections after 5 s; being first avoids a race
_VERSION = re.compile(r"v\d+\w*")
_LONG_KEY = 16  # characters; those of services have 30 and more
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """`base` ends with a version such as `/v1`. The key is in `headers` only, which are never shown."""

    name: str
    base: str
    socket: Path | None = None
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    secret: str | None = field(default=None, repr=False)
    dialect: Dialect = DIALECTS["openai"]

    @property
    def health(self) -> str:
        return f"{self._root}/health"

    @property
    def metrics(self) -> str:
        return f"{self._root}/metrics"

    @property
    def is_own(self) -> bool:
        """Whether the server runs here for us: behind a socket, or on loopback where it can listen on none."""
        return self.socket is not None or URL(self.base).host in _LOOPBACK

    @property
    def _root(self) -> str:
        return self.base.removesuffix("/v1")

    def connector(self) -> aiohttp.BaseConnector:
        """Connections are bounded by the driver's window, not here."""
        if self.socket is not None:
            return aiohttp.UnixConnector(path=str(self.socket), limit=0, keepalive_timeout=_IDLE_S)
        return aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_S)

    def redact(self, text: str) -> str:
        return text.replace(self.secret, "***") if self.secret else text

    def redact_answer(self, text: str) -> str:
        """Only what can be nothing but the key: a server of one's own may be given a word such as `EMPTY`."""
        return self.redact(text) if self.secret and len(self.secret) >= _LONG_KEY else text


def socket_endpoint(socket: Path) -> Endpoint:
    return Endpoint(name="socket", base="http://localhost/v1", socket=socket)


def http_endpoint(backend: HttpBackend, *, secret: str | None) -> Endpoint:
    """A path without a version such as `/v1` gets the dialect's. Raises `ValueError` for what is no plain http(s)
    URL."""
    dialect = DIALECTS[backend.dialect]
    url = URL(backend.base_url.strip().rstrip("/"))
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("the base URL must start with http:// or https:// and name a host")
    if url.user is not None:
        raise ValueError("the base URL holds credentials; give them as a secret key instead")
    if url.query_string or url.fragment:
        raise ValueError("the base URL ends with a query or a fragment, behind which no path can stand")
    base = str(url) if any(_VERSION.fullmatch(part) for part in url.parts) else f"{url}/{dialect.version}"
    headers = dialect.headers(secret)
    name = url.host if url.explicit_port is None else f"{url.host}:{url.explicit_port}"
    return Endpoint(name=name, base=base, headers=headers, secret=secret, dialect=dialect)


def read_secret(path: Path) -> str:
    """The key in a file. Raises `ValueError` when it cannot be one; the message never shows it."""
    text = path.read_text(encoding="utf-8", errors="replace").strip()
    if not text or not text.isascii() or not text.isprintable():
        raise ValueError("the key file is empty or holds more than one printable line")
    return text
