"""When the tokens of one streamed answer came: time to the first, and the gaps between the others. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from vlmhb_stages.sketch import Sketch


@dataclass(frozen=True, kw_only=True)
class _Piece:
    at: float
    tokens: int | None  # of the answer so far, this piece included


class TokenTimes:
    """Fed with every piece of text, reasoning or tool call. Times are seconds of one clock.

    ITL is per token: a piece with k tokens that comes after a gap g counts as k gaps of g / k. k is what the server's
    running count grew by; without such counts k is the mean (output tokens - 1) / (pieces - 1) (definitions of common
    load testers count gaps between chunks instead, which grow with the tokens that a chunk carries)."""

    def __init__(self) -> None:
        self._pieces: list[_Piece] = []

    @property
    def first(self) -> float | None:
        return self._pieces[0].at if self._pieces else None

    def piece(self, *, now: float, tokens: int | None) -> None:
        """Pieces that were read at once are one: nothing is known of the time between them."""
        if self._pieces and self._pieces[-1].at == now:
            self._pieces[-1] = _Piece(at=now, tokens=tokens)
        else:
            self._pieces.append(_Piece(at=now, tokens=tokens))

    def was_streamed(self, *, end: float, tokens: int | None) -> bool:
        """False for an answer that came all at once with its end, unless it is one token long.

        Servers that cannot stream, and proxies that hold a stream back, send such: their first token has no time."""
        return self.first is not None and (self.first != end or tokens == 1)

    def gaps(self, output_tokens: int | None) -> Sketch | None:
        """None where nobody counted the tokens, and where there is no gap."""
        sketch = Sketch()
        if len(self._pieces) > 1:
            if self._counts_run(output_tokens):
                self._add_counted(sketch)
            elif output_tokens is not None and output_tokens > 1:
                self._add_even(sketch, output_tokens - 1)
        return sketch if sketch.count else None

    def _counts_run(self, output_tokens: int | None) -> bool:
        """Whether the server counted along: some send the same number with every piece."""
        counts = [piece.tokens for piece in self._pieces]
        known = [number for number in counts if number is not None]
        return (
            len(known) == len(counts)
            and known == sorted(known)
            and known[0] < known[-1]
            and (output_tokens is None or known[-1] <= output_tokens)
        )

    def _add_counted(self, sketch: Sketch) -> None:
        last = self._pieces[0]
        for piece in self._pieces[1:]:
            grown = (piece.tokens or 0) - (last.tokens or 0)
            if grown > 0:  # else its token was counted with a later piece
                sketch.add((piece.at - last.at) / grown, grown)
                last = piece

    def _add_even(self, sketch: Sketch, tokens: int) -> None:
        """Each gap stands for the same share of the tokens; whole numbers of them add up to all."""
        gaps = len(self._pieces) - 1
        for number in range(gaps):
            share = tokens * (number + 1) // gaps - tokens * number // gaps
            gap = self._pieces[number + 1].at - self._pieces[number].at
            sketch.add(gap * gaps / tokens, share)
