"""The prepare stage: two passes over the dataset, the second writes inputs and labels side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from vlmhb_benchmarks.loaders import LoaderError, RawSample

from vlmhb_stages import paths
from vlmhb_stages.contracts import ImageRef, Label, Sample, SampleError
from vlmhb_stages.events import EventWriter
from vlmhb_stages.prepare.failure import PrepareFailed
from vlmhb_stages.prepare.media import can_mount
from vlmhb_stages.prepare.oddities import BadImage
from vlmhb_stages.prepare.output import RecordFile, fresh_folder, write_json
from vlmhb_stages.prepare.progress import Progress
from vlmhb_stages.prepare.prompts import check_template, messages, question
from vlmhb_stages.prepare.source import Source, open_source
from vlmhb_stages.prepare.store import ImageStore
from vlmhb_stages.prepare.survey import is_selected, survey
from vlmhb_stages.specs import PrepareSpec

EXIT_OK = 0
EXIT_BAD_DATASET = 2


def run(
    spec: PrepareSpec,
    *,
    events: EventWriter,
    resolve: Callable[[str], Path] = paths.resolve,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """The exit code: 0, or 2 after a `fatal` event. `clock` (seconds) paces the progress events."""
    try:
        _Preparation(spec, events=events, dataset=resolve(spec.dataset), out=resolve(paths.OUT)).run(clock)
    except LoaderError as error:
        events.emit("fatal", code="VHB205", message=str(error), hint=error.hint)
        return EXIT_BAD_DATASET
    except PrepareFailed as error:
        events.emit("fatal", code=error.code, message=error.message, hint=error.hint)
        return EXIT_BAD_DATASET
    return EXIT_OK


@dataclass(frozen=True, kw_only=True)
class _Folders:
    inputs: Path
    labels: Path


class _Preparation:
    def __init__(self, spec: PrepareSpec, *, events: EventWriter, dataset: Path, out: Path) -> None:
        self._spec, self._events, self._dataset, self._out = spec, events, dataset, out

    def run(self, clock: Callable[[], float]) -> None:
        check_template(self._spec)
        progress = Progress(self._events, clock=clock)
        with open_source(self._spec, dataset=self._dataset, out=self._out, beat=progress.beat) as source:
            self._prepare(source, progress=progress)
        progress.end()

    def _prepare(self, source: Source, *, progress: Progress) -> None:
        found = survey(source.load(), spec=self._spec, beat=progress.beat)
        progress.total = found.selected
        self._warn(found.warnings)
        folders = _Folders(
            inputs=fresh_folder(self._out / "inputs"), labels=fresh_folder(self._out / "labels")
        )
        store = self._media(source, folder=found.folder, inputs=folders.inputs)
        try:
            self._write(source, store, folders=folders, progress=progress)
        finally:
            store.close()
        self._warn(store.seen.warnings())

    def _warn(self, messages: Iterable[str]) -> None:
        for message in messages:
            self._events.emit("warning", message=message)

    def _media(self, source: Source, *, folder: str | None, inputs: Path) -> ImageStore:
        """Where the images will be, told to the host in media.json."""
        mount = folder if source.can_stay and folder and can_mount(source.root, folder) else None
        write_json(
            inputs / "media.json", {"mode": "copy"} if mount is None else {"mode": "mount", "root": mount}
        )
        if mount is None:
            (inputs / "media").mkdir()
        return ImageStore(
            root=source.root,
            mount=mount,
            media=inputs / "media",
            max_pixels=self._spec.max_image_pixels,
            unpacked=source.is_ours,
        )

    def _write(self, source: Source, store: ImageStore, *, folders: _Folders, progress: Progress) -> None:
        selected = (sample for sample in source.load() if is_selected(sample, spec=self._spec))
        with (
            RecordFile(folders.inputs / "samples.jsonl") as inputs,
            RecordFile(folders.labels / "labels.jsonl") as labels,
        ):
            for raw in islice(selected, self._spec.limit):
                sample = self._sample(raw, store=store, beat=progress.beat)
                inputs.write(sample)
                labels.write(_label(raw))
                progress.add(sample.error)

    def _sample(self, raw: RawSample, *, store: ImageStore, beat: Callable[[], None]) -> Sample:
        images: tuple[ImageRef, ...] = ()
        error = self._problem(raw)
        if error is None:
            try:
                images = _images(raw, store=store, beat=beat)
                if not images:
                    store.seen.add_bare(f"{raw.file}, row {raw.row}")
            except BadImage as bad:
                error = SampleError(kind="bad_image", message=f"{raw.file}, row {raw.row}: {bad}")
        return Sample(
            sample_id=raw.sample_id,
            messages=messages(raw, spec=self._spec),
            images=images,
            metadata=dict(raw.metadata),
            choices=raw.choices,
            response_schema=dict(raw.response_schema) if raw.response_schema is not None else None,
            error=error,
        )

    def _problem(self, raw: RawSample) -> SampleError | None:
        problem = raw.problem
        if problem is None and not question(raw, spec=self._spec):
            problem = "no question, and the benchmark has no prompt"
        if problem is None:
            return None
        return SampleError(kind="bad_sample", message=f"{raw.file}, row {raw.row}: {problem}")


def _images(raw: RawSample, *, store: ImageStore, beat: Callable[[], None]) -> tuple[ImageRef, ...]:
    """A document of many pages gives signs of life between them. Raises `BadImage`."""
    made = []
    for number, image in enumerate(raw.images):
        if number:
            beat()
        made.append(store.add(image))
    return tuple(made)


def _label(raw: RawSample) -> Label:
    metadata = {**raw.metadata, **raw.label_metadata}
    return Label(sample_id=raw.sample_id, references=raw.references, metadata=metadata)
