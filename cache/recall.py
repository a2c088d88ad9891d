"""An answer from memory: whether it may be served to this caller, and the reply that it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Protocol

from adapters.errors import UpstreamError
from adapters.sse import Frame, Splitter
from adapters.vocabulary import Answer, Call, Controls, Form, Reply
from cache.entry import Entry, Shape


class Admission(Protocol):
    """Whether the credential of a call is still good, which a stored answer must not take for granted."""

    def fresh(self, call: Call, entry: Entry) -> bool:
        """True where the provider accepted this credential recently enough: lately, or when it gave this answer."""

    async def refusal(self, call: Call) -> Reply | None:
        """Asks the provider. None: accepted. A reply: refused, in the provider's words. Raises `UpstreamError` where
        it could not be asked."""


async def admitted(admission: Admission, call: Call, fresh: bool, hit: Callable[[], Reply]) -> Reply | None:
    """The stored answer, or the provider's refusal of this credential; None where nobody can say now: then the request
    itself goes upstream and is told there."""
    if not fresh:
        try:
            refusal = await admission.refusal(call)
        except UpstreamError:
            call.trace.detail = "key not verified"
            return None
        if refusal is not None:
            return refusal
    return hit()


class Replay:
    """The frames of a stored stream."""

    __slots__ = ("_frames",)

    def __init__(self, body: bytes) -> None:
        splitter = Splitter()
        frames = splitter.feed(body)
        rest = splitter.rest()  # a last event that ends in a bare CR: nothing follows here that could belong to it
        self._frames = iter([*frames, Frame(rest)] if rest else frames)

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        for frame in self._frames:
            return frame
        raise StopAsyncIteration

    def ready(self) -> list[Frame]:
        return list(self._frames)

    async def aclose(self) -> None:
        self._frames = iter(())


def suits(entry: Entry, call: Call, now: float) -> bool:
    """Whether this entry can take the form that the call asks for, and is young enough for it."""
    return entry.serves(stream=call.stream, wants_usage=call.wants_usage) and not too_old(entry, call.controls, now)


def too_old(entry: Entry, controls: Controls, now: float) -> bool:
    return controls.max_age is not None and now - entry.stored_at > controls.max_age


def recalled(call: Call, entry: Entry, source: str, now: float) -> Reply:
    """The reply that an entry is; notes on the call's trace what that saved."""
    trace = call.trace
    trace.source, trace.why, trace.usage = source, "", entry.usage
    trace.age, trace.ttl = max(0.0, now - entry.stored_at), entry.expires_at - now
    trace.cost, trace.saved = 0.0, entry.cost
    assert call.dialect is not None
    if entry.shape is Shape.FRAMES:
        return Reply(entry.status, entry.headers, source, Form.EVENTS, Replay(entry.body))
    answer = Answer(call.dialect, body=entry.body)
    return Reply.whole(entry.status, entry.headers, entry.body, source=source, answer=answer)
