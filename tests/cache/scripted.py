"""A scripted handler and what stands around it, for tests of layers that answer from memory."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from multidict import CIMultiDict

from adapters.errors import Torn, UpstreamError
from adapters.openai_chat import OPENAI_CHAT
from adapters.sse import Frame
from adapters.vocabulary import Answer, Call, Form, Reply
from cache.entry import Entry
from tests.fakes import CHAT, chunks, completion


class Said:
    """Frames as `adapters.exchange.Events` hands them on: put down on the answer first. Torn without an end."""

    def __init__(self, events: Sequence[bytes], answer: Answer) -> None:
        self._left, self._answer = [Frame(raw) for raw in events], answer
        self._complete = bool(events) and OPENAI_CHAT.is_end(Frame(events[-1]))
        self.closed = False

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        if not self._left:
            if not self._complete:
                raise Torn("it broke off")
            raise StopAsyncIteration
        frame = self._left.pop(0)
        self._answer.add(frame)
        return frame

    def ready(self) -> list[Frame]:
        return []

    async def aclose(self) -> None:
        self.closed = True


@dataclass
class Script:
    """A handler that answers what it is told to, in the form that was asked for."""

    whole: Any = field(default_factory=completion)
    events: Sequence[bytes] = field(default_factory=lambda: chunks(usage=True))
    status: int = 200
    source: str = "upstream"
    headers: tuple[tuple[str, str], ...] = (("X-Request-Id", "r"), ("Set-Cookie", "s"), ("Content-Type", "x/y"))
    calls: list[Call] = field(default_factory=list)

    async def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        if call.stream:
            answer = Answer(OPENAI_CHAT, frames=[])
            frames = Said(self.events, answer)
            return Reply(self.status, self.headers, self.source, Form.EVENTS, frames, answer=answer)
        raw = json.dumps(self.whole).encode()
        answer = Answer(OPENAI_CHAT, body=raw)
        return Reply.whole(self.status, self.headers, raw, source=self.source, answer=answer)


class Admission:
    """Says what it is told to: accepted by heart, accepted when asked, refused, or nobody to ask."""

    def __init__(self) -> None:
        self.known = True
        self.answer: Reply | UpstreamError | None = None
        self.asked = 0

    def fresh(self, call: Call, entry: Entry) -> bool:
        return self.known

    async def refusal(self, call: Call) -> Reply | None:
        self.asked += 1
        if isinstance(self.answer, UpstreamError):
            raise self.answer
        return self.answer


def call_of(*, stream: bool = False, usage: bool = True, body: Any = None, **more: Any) -> Call:
    parsed = CHAT | (body or {})
    raw = json.dumps(parsed).encode()
    counted = usage or not stream
    more = {"dialect": OPENAI_CHAT, "tenant": "t"} | more
    return Call(
        "POST", "/chat/completions", CIMultiDict(), raw, parsed=parsed, stream=stream, wants_usage=counted, **more
    )
