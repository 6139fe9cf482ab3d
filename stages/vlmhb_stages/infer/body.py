"""A request before it is put into the words of a protocol: the sample, its encoded images, and what was changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from vlmhb_stages.contracts import Message, Sample


@dataclass(frozen=True, kw_only=True)
class ChatRequest:
    """Any client can put it to its place: model, dialect and decoding are the client's.

    `data_urls` are the sample's images in order, `data:<mime>;base64,<data>` each. `adjusted` is what was changed
    before it is sent, in the words of `Prediction.adjusted`."""

    sample: Sample
    request_hash: str
    data_urls: tuple[bytes, ...] = ()
    adjusted: tuple[str, ...] = ()

    @property
    def sample_id(self) -> str:
        return self.sample.sample_id


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One message with the images that stand before its text."""

    message: Message
    images: tuple[bytes, ...] = ()


def turns(request: ChatRequest) -> Iterator[Turn]:
    """The messages in order; images without any user message get an empty one at the end."""
    left = iter(request.data_urls)
    placed = request.sample.images_by_message
    for message, images in zip(request.sample.messages, placed, strict=True):
        yield Turn(message=message, images=tuple(islice(left, len(images))))
    rest = tuple(left)
    if rest:
        yield Turn(message=Message(role="user", content=""), images=rest)


@dataclass(frozen=True, kw_only=True)
class Encoded:
    mime: str
    base64: memoryview


def encoded(data_url: bytes) -> Encoded:
    """The parts of a data URL, without a copy of its data."""
    head, mark, _ = data_url[:64].partition(b";base64,")
    return Encoded(
        mime=head.removeprefix(b"data:").decode(), base64=memoryview(data_url)[len(head) + len(mark) :]
    )
