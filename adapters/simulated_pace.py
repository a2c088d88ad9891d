"""The stream of the simulated provider: each frame at its moment."""

from __future__ import annotations

from collections.abc import AsyncIterator

from adapters.errors import Torn
from adapters.sse import Frame
from adapters.vocabulary import Answer, Clock, Sleep, Trace


class Paced:
    """The frames of one stream, each at its moment.

    The moments are fixed when the stream begins: neither a slow reader nor a late wake-up puts off what follows.
    """

    def __init__(
        self,
        frames: list[Frame],
        span: tuple[float, float],
        answer: Answer,
        trace: Trace,
        begun: float,
        *,
        fault: str,
        sleep: Sleep,
        clock: Clock,
    ) -> None:
        """`span`: when the first and the last frame are due. `fault`: why the stream is torn after its last frame."""
        self._frames, self._span, self._answer, self._trace, self._begun = frames, span, answer, trace, begun
        self._fault, self._sleep, self._clock = fault, sleep, clock
        self._next = 0
        self._closed = False

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        if self._next == len(self._frames):
            if self._fault:
                raise Torn(self._fault, told=True)
            raise StopAsyncIteration
        if (wait := self._due() - self._clock()) > 0 and not self._closed:
            await self._sleep(wait)
        if self._closed:
            raise Torn("the stream was closed before its end")
        frame = self._frames[self._next]
        self._next += 1
        self._answer.add(frame)
        self._note()
        return frame

    def ready(self) -> list[Frame]:
        return []

    def _due(self) -> float:
        first, last = self._span
        return first + (last - first) * self._next / max(1, len(self._frames) - 1)

    def _note(self) -> None:
        now = self._clock() - self._begun
        if self._next == 1:
            self._trace.first_frame_seconds = now
        if self._next == len(self._frames):
            self._trace.upstream_seconds = now
            self._trace.usage = self._answer.usage()

    async def aclose(self) -> None:
        if not self._closed and self._next < len(self._frames):
            self._trace.upstream_seconds = self._clock() - self._begun
        self._closed = True
