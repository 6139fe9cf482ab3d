"""The answer to one request while it grows: tokens in, text out, and when to stop. Knows no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

BROKEN = "\ufffd"  # what a decoder puts for the beginning of a character


@dataclass
class Growing:
    """Fed token by token; `take` gives the text that is certain by now.

    Text is held back while it may turn out to begin a stop string or while its last character is incomplete, so
    that pieces, joined, are the whole answer."""

    decode: Callable[[Sequence[int]], str]
    ends: frozenset[int]  # token ids that end an answer
    limit: int  # tokens, the ending one included
    stop: tuple[str, ...] = ()
    tokens: list[int] = field(default_factory=list)
    finish_reason: str | None = None  # None while it goes on
    counted: int = 0  # tokens generated, the ending one included
    _text: str = ""
    _given: int = 0  # characters taken
    _window: int = 0  # where decoding starts: all before is in `_text` for good
    _shown: int = 0  # tokens whose text is in `_text`

    def feed(self, token: int) -> None:
        if self.finish_reason is not None:
            return  # others of the batch go on; what comes for this one is padding
        self.counted += 1
        if token in self.ends:
            self._finish("stop")
            return
        self.tokens.append(token)
        self._decode(final=False)
        if self._stopped():
            self.finish_reason = "stop"
        elif self.counted >= self.limit:
            self._finish("length")

    def take(self) -> str:
        """Text that has become certain since the last call."""
        certain = len(self._text) if self.finish_reason is not None else self._certain()
        piece = self._text[self._given : certain]
        self._given += len(piece)
        return piece

    def cancel(self) -> None:
        """Nobody waits for it any more."""
        self.finish_reason = self.finish_reason or "stop"

    @property
    def text(self) -> str:
        return self._text

    def _finish(self, reason: str) -> None:
        self._decode(final=True)
        self.finish_reason = "stop" if self._stopped() else reason

    def _decode(self, *, final: bool) -> None:
        """Decodes a window that begins at a token already shown: a token's text depends on the ones before."""
        before = self.decode(self.tokens[self._window : self._shown])
        after = self.decode(self.tokens[self._window :])
        if len(after) <= len(before) or (after.endswith(BROKEN) and not final):
            return
        self._text += after[len(before) :]
        self._window, self._shown = self._shown, len(self.tokens)

    def _stopped(self) -> bool:
        """Cuts the text at the first stop string in it."""
        found = [place for word in self.stop if (place := self._text.find(word, self._given)) >= 0]
        if found:
            self._text = self._text[: min(found)]
        return bool(found)

    def _certain(self) -> int:
        """Characters that cannot be part of a stop string any more."""
        held = max((_overlap(self._text, word) for word in self.stop), default=0)
        return len(self._text) - held


def _overlap(text: str, word: str) -> int:
    """Length of the longest end of `text` that `word` begins with."""
    for size in range(min(len(word) - 1, len(text)), 0, -1):
        if text.endswith(word[:size]):
            return size
    return 0
