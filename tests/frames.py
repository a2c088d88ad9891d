"""Frames of a fake reply."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from adapters.sse import Frame


class Listed:
    """Hands on these events one by one; `told` hears of each before, and may raise."""

    def __init__(self, events: Sequence[bytes], told: Callable[[Frame], None] | None = None) -> None:
        self._left, self._told = [Frame(raw) for raw in events], told
        self.closed = False

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        if not self._left:
            raise StopAsyncIteration
        frame = self._left.pop(0)
        if self._told is not None:
            self._told(frame)
        return frame

    async def aclose(self) -> None:
        self.closed = True
