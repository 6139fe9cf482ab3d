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
from vlmhb_stages.prepare.prompting import Prompting, open_prompting
from vlmhb_stages.prepare.prompts import check_template
from vlmhb_stages.prepare.schemas import check_schemas, response_schema
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
        _Preparation(spec, events=events, resolve=resolve).run(clock)
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
    def __init__(self, spec: PrepareSpec, *, events: EventWriter, resolve: Callable[[str], Path]) -> None:
        self._spec, self._events, self._resolve = spec, events, resolve
        self._dataset, self._out = resolve(spec.dataset), resolve(paths.OUT)

    def run(self, clock: Callable[[], float]) -> None:
        check_template(self._spec)
        check_schemas(self._spec)
        progress = Progress(self._events, clock=clock)
        with (
            open_prompting(self._spec, resolve=self._resolve) as prompting,
            open_source(self._spec, dataset=self._dataset, out=self._out, beat=progress.beat) as source,
        ):
            self._prepare(source, prompting=prompting, progress=progress)
        progress.end()

    def _prepare(self, source: Source, *, prompting: Prompting, progress: Progress) -> None:
        found = survey(prompting.watched(source.load()), spec=self._spec, beat=progress.beat)
        progress.total = found.selected
        self._warn(found.warnings)
        folders = _Folders(
            inputs=fresh_folder(self._out / "inputs"), labels=fresh_folder(self._out / "labels")
        )
        prompting.place(folders.inputs / "media")
        store = self._media(source, folder=found.folder, inputs=folders.inputs)
        try:
            self._write(source, store, prompting=prompting, folders=folders, progress=progress)
        finally:
            store.close()
        prompting.write_versions(folders.inputs)
        self._warn([*store.seen.warnings(), *prompting.warnings()])

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
            (inputs / "media").mkdir(exist_ok=True)
        return ImageStore(
            root=source.root,
            mount=mount,
            media=inputs / "media",
            max_pixels=self._spec.max_image_pixels,
            unpacked=source.is_ours,
        )

    def _write(
        self,
        source: Source,
        store: ImageStore,
        *,
        prompting: Prompting,
        folders: _Folders,
        progress: Progress,
    ) -> None:
        selected = (sample for sample in source.load() if is_selected(sample, spec=self._spec))
        with (
            RecordFile(folders.inputs / "samples.jsonl") as inputs,
            RecordFile(folders.labels / "labels.jsonl") as labels,
        ):
            for raw in islice(selected, self._spec.limit):
                sample = self._sample(raw, store=store, prompting=prompting, beat=progress.beat)
                inputs.write(sample)
                labels.write(_label(raw))
                progress.add(sample.error)

    def _sample(
        self, raw: RawSample, *, store: ImageStore, prompting: Prompting, beat: Callable[[], None]
    ) -> Sample:
        images: tuple[ImageRef, ...] = ()
        error = self._problem(raw, prompting)
        if error is None:
            try:
                images = _images(raw, store=store, beat=beat)
                if not images:
                    store.seen.add_bare(f"{raw.file}, row {raw.row}")
            except BadImage as bad:
                error = SampleError(kind="bad_image", message=f"{raw.file}, row {raw.row}: {bad}")
        said = prompting.conversation(raw, images=images, usable=error is None)
        return Sample(
            sample_id=raw.sample_id,
            messages=said.messages,
            images=said.images,
            metadata=dict(raw.metadata),
            choices=raw.choices,
            response_schema=response_schema(raw.response_schema, spec=self._spec),
            prompt_sha256=said.prompt_sha256,
            error=error,
        )

    def _problem(self, raw: RawSample, prompting: Prompting) -> SampleError | None:
        problem = raw.problem
        if problem is None and not prompting.asks(raw):
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
