"""What `benchmarks fetch` does: the files that a card pins, downloaded, verified, and resumed where they were cut.

They come into a folder of their own and move to their place when all of them are there and have the right hashes: a run
never finds half a dataset.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from vlmhb import secrets
from vlmhb.contracts import BenchmarkCard, HubCard
from vlmhb.errors import BadCard, BadValue, DiskFull, DownloadFailed
from vlmhb.hub import COMMIT, Cut, Hub, HubFile
from vlmhb.naming import slug
from vlmhb.store.files import read_json, sync_folder, write_json

CHUNK = 1 << 20
MAX_PAUSE_S = 10.0
TRIES = 5  # in a row without a single new byte
PART = ".part"
RECORDS = ".fetched"  # folder beside the data: what came from where, and what is still coming


@dataclass(frozen=True, kw_only=True)
class Fetch:
    """The options of `benchmarks fetch`. `token` is a reference: secret:NAME."""

    card: BenchmarkCard
    workspace: Path
    token: str | None = None
    update: bool = False  # a branch is looked up anew


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """`loaded`: how many of the files were downloaded now; the others were here, and whole."""

    folder: Path
    repo: str
    revision: str
    files: tuple[HubFile, ...]
    loaded: int

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    def as_json(self) -> dict[str, Any]:
        about = {
            "folder": str(self.folder),
            "repo": self.repo,
            "revision": self.revision,
            "loaded": self.loaded,
        }
        return {**about, "bytes": self.size, "files": [asdict(file) for file in self.files]}


@dataclass(frozen=True, kw_only=True)
class _Source:
    """Where the files come from, and how waiting for it is told and done (seconds)."""

    hub: Hub
    card: HubCard
    say: Callable[[str], None]
    pause: Callable[[float], None]


def fetch(
    asked: Fetch,
    *,
    env: Mapping[str, str],
    home: Path,
    say: Callable[[str], None],
    pause: Callable[[float], None] = time.sleep,
) -> Fetched:
    """Raises `BadCard`, `BadValue`, `SecretMissing`, `DiskFull`, `DownloadFailed`."""
    card, source = asked.card, asked.card.hub
    if source is None:
        hint = card.obtain or "put them there yourself: vlmhb benchmarks show NAME says where"
        raise BadCard(f"benchmark '{card.name}' names no files on a hub", where=card.origin, hint=hint)
    places = _Places(datasets=asked.workspace.absolute() / "datasets", card=card)
    hub = Hub.of(env, token=_token(asked.token, env=env, home=home))
    try:
        commit = _commit(source, hub=hub, places=places, update=asked.update, say=say)
        pinned = source.model_copy(update={"revision": commit})
        listed = hub.files(source.repo, revision=commit)
    except Cut as error:
        raise DownloadFailed(str(error), where=source.repo, hint="the same command tries again") from error
    targets = _targets(card, source, listed=listed)
    missing = {name: file for name, file in targets.items() if not _is_whole(places.final(name), file)}
    _load_all(_Source(hub=hub, card=pinned, say=say, pause=pause), missing, places=places)
    places.move(missing)
    done = Fetched(
        folder=places.base,
        repo=source.repo,
        revision=commit,
        files=tuple(targets.values()),
        loaded=len(missing),
    )
    places.record(done, endpoint=hub.endpoint, asked=source)
    return done


def _commit(source: HubCard, *, hub: Hub, places: _Places, update: bool, say: Callable[[str], None]) -> str:
    """The commit of the card; of a branch or tag the one that was fetched before, unless an `update` is wanted."""
    if COMMIT.fullmatch(source.revision):
        return source.revision
    before = places.commit_of(source)
    if before is not None and not update:
        say(f"{source.repo} at {before[:12]}, as before (--update takes what '{source.revision}' is now)")
        return before
    commit = hub.commit(source.repo, revision=source.revision)
    say(f"{source.repo} '{source.revision}' is {commit[:12]} now; later fetches keep to it")
    return commit


@dataclass(frozen=True, kw_only=True)
class _Places:
    """Names are relative to `datasets`, with slashes."""

    datasets: Path
    card: BenchmarkCard

    @property
    def base(self) -> Path:
        return self.datasets / str(self.card.path)

    @property
    def _coming(self) -> Path:
        return self.datasets / RECORDS / slug(self.card.name)

    def final(self, name: str) -> Path:
        return self.datasets / name

    def coming(self, name: str) -> Path:
        return self._coming / name

    def move(self, names: Iterable[str]) -> None:
        """All at once where nothing is there yet."""
        whole = self._coming / str(self.card.path)
        if whole.exists() and not self.base.exists():
            self.base.parent.mkdir(parents=True, exist_ok=True)
            whole.rename(self.base)
        else:
            for name in names:
                self.final(name).parent.mkdir(parents=True, exist_ok=True)
                self.coming(name).replace(self.final(name))
        shutil.rmtree(self._coming, ignore_errors=True)

    def record(self, done: Fetched, *, endpoint: str, asked: HubCard) -> None:
        """Outside the data, so that it is no part of their identity."""
        (self.datasets / RECORDS).mkdir(parents=True, exist_ok=True)
        write_json(self._record, {**done.as_json(), "endpoint": endpoint, "asked": asked.revision})

    def commit_of(self, source: HubCard) -> str | None:
        """What the same repository and branch stood for when they were fetched."""
        record = read_json(self._record) or {}
        same = record.get("repo") == source.repo and record.get("asked") == source.revision
        return str(record["revision"]) if same else None

    @property
    def _record(self) -> Path:
        return self._coming.with_name(f"{self._coming.name}.json")


def _token(reference: str | None, *, env: Mapping[str, str], home: Path) -> str | None:
    """Only a reference is taken: a token itself would stay in the history of the shell."""
    if reference is None:
        return None
    if not reference.startswith(secrets.PREFIX):
        hint = "write secret:NAME, and set the variable NAME"
        raise BadValue("a token itself is not taken", where="the option --token", hint=hint)
    return secrets.lookup(reference, env=env, home=home)


def _targets(card: BenchmarkCard, source: HubCard, *, listed: list[HubFile]) -> dict[str, HubFile]:
    """Where each file of the card goes. A card whose `path` is one file names it; else `path` is their folder."""
    if card.path is None or not _is_inside(card.path):
        what = f"benchmark '{card.name}' does not say where its files belong"
        raise BadCard(what, where=card.origin, hint="give the card a path, relative to <workspace>/datasets")
    wanted = [file for file in listed if any(fnmatchcase(file.path, glob) for glob in source.files)]
    for glob in source.files:
        if not any(fnmatchcase(file.path, glob) for file in wanted):
            there = ", ".join(sorted(file.path for file in listed)[:5])
            what = f"{source.repo} has no file {glob} at that revision"
            raise DownloadFailed(what, where=card.origin, hint=f"there are {len(listed)}: {there} ...")
    bad = next((file.path for file in wanted if not _is_inside(file.path)), None)
    if bad is not None:
        raise DownloadFailed(f"the hub names a file that leads out of the folder: {bad}", where=source.repo)
    if len(wanted) == 1 and PurePosixPath(card.path).name == PurePosixPath(wanted[0].path).name:
        return {card.path: wanted[0]}
    return {str(PurePosixPath(card.path) / file.path): file for file in wanted}


def _is_inside(path: str) -> bool:
    pure = PurePosixPath(path)
    return bool(pure.parts) and not pure.is_absolute() and ".." not in pure.parts


def _load_all(source: _Source, missing: Mapping[str, HubFile], *, places: _Places) -> None:
    left = {name: file for name, file in missing.items() if not _is_whole(places.coming(name), file)}
    needed = sum(file.size - _size(_part(places.coming(name))) for name, file in left.items())
    room = next(folder for folder in places.base.parents if folder.exists())
    if needed > shutil.disk_usage(room).free:
        raise DiskFull(f"{needed} bytes are to come, and do not fit", where=str(room))
    for number, (name, file) in enumerate(left.items(), start=1):
        source.say(f"{number}/{len(left)} {file.path} ({file.size} bytes)")
        _load(source, file, path=places.coming(name))


def _part(path: Path) -> Path:
    return path.with_name(path.name + PART)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _is_whole(path: Path, file: HubFile) -> bool:
    return path.is_file() and _size(path) == file.size and _has_hash(path, file)


def _has_hash(path: Path, file: HubFile) -> bool:
    """True as well where the hub tells no hash: then the size has to do."""
    if file.sha256 is None and file.blob is None:
        return True
    digest = (
        hashlib.sha256() if file.sha256 else hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
    )
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest() == (file.sha256 or file.blob)


def _load(source: _Source, file: HubFile, *, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _part(path)
    if _size(part) > file.size:
        part.unlink()
    idle = 0
    while not part.exists() or _size(part) < file.size:
        before = _size(part)
        why = _append(source, file, part=part)
        idle = 0 if _size(part) > before else idle + 1
        if not why:
            continue
        if idle == TRIES:
            what = f"cut off at {_size(part)} of {file.size} bytes ({why})"
            raise DownloadFailed(what, where=file.path, hint="the same command goes on from there")
        source.say(f"  cut off at {_size(part)} of {file.size} bytes ({why}), going on from there")
        source.pause(min(MAX_PAUSE_S, float(idle * idle)))
    if not _has_hash(part, file):
        part.unlink()
        what = "the file is not the one that the hub lists: its hash is wrong"
        raise DownloadFailed(what, where=file.path, hint="it was thrown away; the same command loads it anew")
    part.replace(path)
    sync_folder(path.parent)


def _append(source: _Source, file: HubFile, *, part: Path) -> str:
    """Why the file is still not whole; empty when it is."""
    if file.size == 0:
        part.touch()
        return ""
    try:
        with (
            source.hub.open(
                source.card.repo, revision=source.card.revision, path=file.path, start=_size(part)
            ) as stream,
            part.open("r+b" if part.exists() else "wb") as target,
        ):
            target.seek(stream.start)
            target.truncate()
            for chunk in _chunks(stream.read, limit=file.size - stream.start):
                target.write(chunk)
    except Cut as error:
        return str(error)
    return "" if _size(part) == file.size else "the answer was too short"


def _chunks(read: Callable[[int], bytes], *, limit: int) -> Iterator[bytes]:
    """Never more than was promised."""
    while limit > 0 and (chunk := read(min(CHUNK, limit))):
        limit -= len(chunk)
        yield chunk
