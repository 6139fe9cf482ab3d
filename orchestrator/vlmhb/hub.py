"""Speaks with a Hugging Face hub over HTTP: lists the files of a dataset repository and reads one from any byte on.

Standard library only. The token goes to the hub itself and to nobody that it redirects to.
"""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

from vlmhb.errors import BadValue, DownloadFailed

ENDPOINT_ENV = "HF_ENDPOINT"
DEFAULT_ENDPOINT = "https://huggingface.co"
TIMEOUT_S = 60.0
LOOPBACK = ("localhost", "127.0.0.1", "::1")
LATER = (http.client.REQUEST_TIMEOUT, http.client.TOO_MANY_REQUESTS)
PAGES = 10_000  # of a listing
COMMIT = re.compile(r"[0-9a-f]{40}")
_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?')


class Cut(Exception):
    """The answer ended too early, or the hub is busy: worth another try from where it was."""


@dataclass(frozen=True, kw_only=True)
class HubFile:
    """`sha256` of the content for large files, else `blob`: git's own hash of it."""

    path: str
    size: int
    sha256: str | None = None
    blob: str | None = None


@dataclass(frozen=True, kw_only=True)
class Hub:
    """`endpoint` without a slash at its end."""

    endpoint: str
    token: str | None = None
    timeout_s: float = TIMEOUT_S

    @staticmethod
    def of(env: Mapping[str, str], *, token: str | None) -> Hub:
        """Raises `BadValue` for an endpoint that is no web address, or that would see the token unencrypted."""
        endpoint = (env.get(ENDPOINT_ENV) or DEFAULT_ENDPOINT).rstrip("/")
        parts = urlsplit(endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadValue(f"{ENDPOINT_ENV} is no web address", where=endpoint, hint=DEFAULT_ENDPOINT)
        if token is not None and parts.scheme == "http" and parts.hostname not in LOOPBACK:
            hint = "use https, or no token"
            raise BadValue("a token would travel unencrypted", where=endpoint, hint=hint)
        return Hub(endpoint=endpoint, token=token)

    def commit(self, repo: str, *, revision: str) -> str:
        """The commit that a branch or tag stands for now. Raises `DownloadFailed`, `Cut`."""
        url = f"{self.endpoint}/api/datasets/{quote(repo)}/revision/{quote(revision, safe='')}"
        with self._answer(url) as response:
            data = response.read()
        try:
            sha = json.loads(data)["sha"]
        except (ValueError, KeyError, TypeError):
            sha = None
        if not isinstance(sha, str) or COMMIT.fullmatch(sha) is None:
            hint = f"is {ENDPOINT_ENV} a Hugging Face hub?"
            raise DownloadFailed("the answer names no commit", where=url, hint=hint)
        return sha

    def files(self, repo: str, *, revision: str) -> list[HubFile]:
        """All files of the repository at that revision. Raises `DownloadFailed`."""
        url = f"{self.endpoint}/api/datasets/{quote(repo)}/tree/{quote(revision, safe='')}?recursive=1"
        found: list[HubFile] = []
        for _ in range(PAGES):
            with self._answer(url) as response:
                entries = _entries(response.read(), url=url)
                following = _NEXT.search(response.headers.get("Link", ""))
            found += [_file(entry) for entry in entries if entry.get("type") == "file"]
            if following is None:
                return found
            url = self._same_place(following[1])
        raise DownloadFailed("the listing has no end", where=url)

    @contextmanager
    def open(self, repo: str, *, revision: str, path: str, start: int) -> Iterator[HubStream]:
        """The bytes of a file from `start` on. Raises `DownloadFailed`, `Cut`."""
        url = f"{self.endpoint}/datasets/{quote(repo)}/resolve/{quote(revision, safe='')}/{quote(path)}"
        with self._answer(url, start=start) as response:
            yield HubStream(response, start=start if response.status == http.client.PARTIAL_CONTENT else 0)

    @contextmanager
    def _answer(self, url: str, *, start: int = 0) -> Iterator[Any]:
        request = Request(url, headers={"User-Agent": "vlmhb"})
        if start:
            request.add_header("Range", f"bytes={start}-")
        if self.token is not None:
            request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        try:
            response = urlopen(request, timeout=self.timeout_s)
        except HTTPError as error:
            with error:
                if error.code >= http.client.INTERNAL_SERVER_ERROR or error.code in LATER:
                    raise Cut(f"the hub answers {error.code} {error.reason}") from None
                raise _refused(error, url=url, has_token=self.token is not None) from None
        except (URLError, http.client.HTTPException, OSError) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, ConnectionResetError | http.client.HTTPException):
                raise Cut(f"no answer from {urlsplit(url).hostname} ({reason})") from error
            raise _unreachable(url, reason=reason) from error
        with response:
            yield response

    def _same_place(self, url: str) -> str:
        """The next page of a listing, never on another server."""
        if not url.startswith(f"{self.endpoint}/"):
            raise DownloadFailed("the listing goes on at another server", where=url)
        return url


class HubStream:
    """`start`: the byte at which the answer begins; 0 where the server does not go on from the middle."""

    def __init__(self, response: Any, *, start: int) -> None:
        self._response = response
        self.start = start

    def read(self, size: int) -> bytes:
        """Raises `Cut` when the connection ends too early."""
        try:
            data: bytes = self._response.read(size)
        except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
            raise Cut(str(error) or type(error).__name__) from error
        return data


def _entries(data: bytes, *, url: str) -> list[Mapping[str, Any]]:
    try:
        value = json.loads(data)
    except ValueError:
        value = None
    if not isinstance(value, list):
        hint = f"is {ENDPOINT_ENV} a Hugging Face hub?"
        raise DownloadFailed("the answer is no list of files", where=url, hint=hint)
    return value


def _file(entry: Mapping[str, Any]) -> HubFile:
    large = entry.get("lfs") or {}
    size = large.get("size", entry.get("size", 0))
    return HubFile(
        path=str(entry["path"]),
        size=int(size),
        sha256=large.get("oid"),
        blob=None if large else entry.get("oid"),
    )


def _refused(error: HTTPError, *, url: str, has_token: bool) -> DownloadFailed:
    if error.code in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
        what = "the hub does not let this token in" if has_token else "the hub asks for an account"
        hint = "accept the terms on the dataset's page, then give --token secret:HF_TOKEN"
        return DownloadFailed(f"{what} ({error.code})", where=url, hint=hint)
    if error.code == http.client.NOT_FOUND:
        hint = "check hub.repo, hub.revision and hub.files of the card; a private dataset needs --token"
        return DownloadFailed("the hub has nothing there (404)", where=url, hint=hint)
    return DownloadFailed(f"the hub answers {error.code} {error.reason}", where=url)


def _unreachable(url: str, *, reason: object) -> DownloadFailed:
    hint = (
        f"without a network copy the files here (vlmhb benchmarks show NAME: obtain), or set {ENDPOINT_ENV}"
    )
    return DownloadFailed(f"no connection ({reason})", where=urlsplit(url).netloc, hint=hint)
