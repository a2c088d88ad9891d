"""The stream of a request that others may wait for: its first content wakes them, its end tells what it was billed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable

from adapters.sse import Frame
from adapters.vocabulary import Dialect, Frames


class Leading:
    """Passes frames on as they come. `content` is called at most once, at the first frame that carries any; `ended`
    once, when the stream has ended or was closed, with whether there had been content."""

    __slots__ = ("_content", "_dialect", "_ended", "_frames", "_seen", "_told")

    def __init__(
        self, frames: Frames, dialect: Dialect, content: Callable[[], None], ended: Callable[[bool], None]
    ) -> None:
        self._frames, self._dialect, self._content, self._ended = frames, dialect, content, ended
        self._seen = self._told = False

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        try:
            frame = await self._frames.__anext__()
        except BaseException:
            self._end()
            raise
        self._look((frame,))
        return frame

    def ready(self) -> list[Frame]:
        frames = self._frames.ready()
        self._look(frames)
        return frames

    async def aclose(self) -> None:
        self._end()
        await self._frames.aclose()

    def _look(self, frames: Iterable[Frame]) -> None:
        if not self._seen and any(self._dialect.is_content(frame) for frame in frames):
            self._seen = True
            self._content()

    def _end(self) -> None:
        if not self._told:
            self._told = True
            self._ended(self._seen)
