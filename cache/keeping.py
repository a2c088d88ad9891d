"""Keeping an answer: the entry that it becomes, and the moment at which it does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import NamedTuple

from adapters.errors import Unfoldable
from adapters.sse import Frame
from adapters.vocabulary import Answer, Call, Dialect, Frames, Reply
from cache.entry import KEPT_HEADERS, Entry, Shape
from cache.key import key_of
from cache.labels import BadLabel, plain

ANSWERS, EMBEDDINGS = "llm.response", "embedding"
"""Namespaces of what no request and no route has put into another one."""

Labels = Callable[[Call], tuple[str, ...]]
"""What an answer to a call is labelled with. Raises `BadLabel` where that would be too many."""


def namespace_of(call: Call, otherwise: str = ANSWERS) -> str:
    return call.controls.namespace or call.route.namespace or otherwise


def own_labels(call: Call) -> tuple[str, ...]:
    """Those that the request brings."""
    return call.controls.tags


def under(call: Call, entry: Entry) -> Call:
    """The same call, also under the tags of an entry in whose place its answer comes. With a trace of its own."""
    tags = tuple(dict.fromkeys((*call.controls.tags, *plain(entry.labels))))
    return replace(call.apart(), controls=replace(call.controls, tags=tags))


def begun(call: Call, labels: Labels, mark: int, now: float) -> Made:
    """Of an answer that is about to be asked for."""
    try:
        return Made(labels(call), mark, now)
    except BadLabel as error:
        return Made((), mark, now, str(error))


class Made(NamedTuple):
    """How an entry came to be."""

    labels: tuple[str, ...] = ()
    mark: int = 0
    """Of the levels, when its making began."""
    began: float = 0.0
    """Unix time."""
    objection: str = ""
    """Why it will not be kept, whatever it is: it would have too many labels."""


def entry_of(call: Call, reply: Reply, answer: Answer, now: float, ttl: float, made: Made) -> Entry:
    """The entry of a complete answer that lives for `ttl` seconds from now on."""
    trace = call.trace
    shape, body = _stored_form(answer, call)
    trace.finish = trace.finish or (answer.dialect.finish(answer.message()) if shape is Shape.MESSAGE else "")
    told = answer.usage()
    return Entry(
        key=key_of(call),
        tenant=call.tenant,
        namespace=namespace_of(call),
        model=call.model,
        shape=shape,
        status=reply.status,
        headers=_kept(reply, shape),
        body=body,
        with_usage=call.wants_usage or (shape is Shape.MESSAGE and told is not None),
        usage=trace.usage or told,  # the meter read it in the provider's own words, which say more
        cost=trace.cost,
        stored_at=now,
        expires_at=now + ttl,
        labels=made.labels,
        took=max(0.0, now - made.began),
    )


def _stored_form(answer: Answer, call: Call) -> tuple[Shape, bytes]:
    try:
        return Shape.MESSAGE, answer.body()
    except Unfoldable:
        # A usage event that the client did not ask for was hidden from it, if the proxy asked; so it is on a replay.
        hidden = answer.dialect.is_usage_only
        return Shape.FRAMES, b"".join([f.raw for f in answer.frames if call.wants_usage or not hidden(f)])


def _kept(reply: Reply, shape: Shape) -> tuple[tuple[str, str], ...]:
    kind = "application/json" if shape is Shape.MESSAGE else "text/event-stream"
    kept = [(k, v) for k, v in reply.headers if k.lower() in KEPT_HEADERS and k.lower() != "content-type"]
    return (("Content-Type", kind), *kept)


class Keeping:
    """Passes frames through and has the answer kept before its terminal event leaves.

    Clients stop reading there, so that whatever came after it might never run; and whoever has seen the end of an
    answer finds it in the cache.
    """

    __slots__ = ("_dialect", "_frames", "_keep", "_spoilt")

    def __init__(
        self, frames: Frames, dialect: Dialect, keep: Callable[[], Awaitable[None]], spoilt: Callable[[], None]
    ) -> None:
        """`keep` is awaited when the answer is complete, `spoilt` is called for an event that says it never will be."""
        self._frames, self._dialect, self._keep, self._spoilt = frames, dialect, keep, spoilt

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        frame = await self._frames.__anext__()
        if self._dialect.is_end(frame):
            await self._keep()
        elif self._dialect.is_error(frame):
            self._spoilt()
        return frame

    def ready(self) -> list[Frame]:
        return self._frames.ready()

    async def aclose(self) -> None:
        await self._frames.aclose()
