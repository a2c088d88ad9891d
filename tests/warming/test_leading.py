"""The frames of a request that others may wait for."""

from __future__ import annotations

from contextlib import aclosing

import msgspec
import pytest

from adapters.anthropic_messages import ANTHROPIC_MESSAGES
from adapters.errors import Torn
from adapters.openai_chat import OPENAI_CHAT
from adapters.openai_responses import OPENAI_RESPONSES
from adapters.sse import Frame, frame_of
from warming.leading import Leading


class Frames:
    def __init__(self, frames, *, torn=False, at_once=0):
        self.frames, self.torn, self.at_once, self.closed = list(frames), torn, at_once, False

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self.frames:
            if self.torn:
                raise Torn("cut")
            raise StopAsyncIteration
        return self.frames.pop(0)

    def ready(self):
        taken, self.frames = self.frames[: self.at_once], self.frames[self.at_once :]
        return taken

    async def aclose(self):
        self.closed = True


def told(frames, dialect=OPENAI_CHAT):
    log = []
    return Leading(frames, dialect, lambda: log.append("content"), lambda seen: log.append(("ended", seen))), log


def chat(**delta):
    return frame_of(msgspec.json.encode({"choices": [{"index": 0, "delta": delta}]}))


ROLE, WORD, DONE = chat(role="assistant", content=""), chat(content="Paris"), Frame(b"data: [DONE]\n\n")


async def test_content_is_told_once_at_the_first_frame_that_has_any_and_the_end_once():
    leading, log = told(Frames([ROLE, WORD, WORD, DONE]))
    at = []
    async with aclosing(leading):
        async for frame in leading:
            at.append((frame, list(log)))
    assert [len(seen) for _, seen in at] == [0, 1, 1, 1]
    assert log == ["content", ("ended", True)]


async def test_frames_that_come_along_are_looked_at_too():
    leading, log = told(Frames([ROLE, WORD, DONE], at_once=1))
    await anext(leading)
    assert log == []
    assert leading.ready() == [WORD]
    assert log == ["content"]


@pytest.mark.parametrize("frames", [[ROLE], []])
async def test_a_stream_that_breaks_off_without_content_says_so(frames):
    leading, log = told(Frames(frames, torn=True))
    with pytest.raises(Torn):
        async for _ in leading:
            pass
    await leading.aclose()
    assert log == [("ended", False)]


async def test_closing_early_ends_it_and_closes_what_stands_behind():
    frames = Frames([ROLE, WORD])
    leading, log = told(frames)
    await anext(leading)
    await leading.aclose()
    assert log == [("ended", False)]
    assert frames.closed


def event(name):
    return frame_of(b'{"type":"%b"}' % name.encode(), name)


@pytest.mark.parametrize(
    ("dialect", "frame", "content"),
    [
        (OPENAI_CHAT, ROLE, False),
        (OPENAI_CHAT, chat(content=""), False),
        (OPENAI_CHAT, chat(content=None, refusal=None), False),
        (OPENAI_CHAT, chat(reasoning_content="Let me"), True),
        (OPENAI_CHAT, chat(tool_calls=[{"index": 0}]), True),
        (OPENAI_CHAT, chat(refusal="I"), True),
        (OPENAI_CHAT, frame_of(b'{"choices":[],"usage":{}}'), False),
        (OPENAI_CHAT, frame_of(b'{"choices":[{"delta":{},"finish_reason":"stop"}]}'), True),
        (OPENAI_CHAT, Frame(b": keep-alive\n\n"), False),
        (OPENAI_CHAT, DONE, False),
        (ANTHROPIC_MESSAGES, event("message_start"), False),
        (ANTHROPIC_MESSAGES, event("ping"), False),
        (ANTHROPIC_MESSAGES, event("error"), False),
        (ANTHROPIC_MESSAGES, event("content_block_start"), True),
        (ANTHROPIC_MESSAGES, event("content_block_delta"), True),
        (OPENAI_RESPONSES, event("response.created"), False),
        (OPENAI_RESPONSES, event("response.in_progress"), False),
        (OPENAI_RESPONSES, event("response.queued"), False),
        (OPENAI_RESPONSES, event("response.output_item.added"), True),
        (OPENAI_RESPONSES, event("response.reasoning_summary_text.delta"), True),
        (OPENAI_RESPONSES, event("response.function_call_arguments.delta"), True),
    ],
)
def test_what_proves_that_a_prompt_was_read(dialect, frame, content):
    assert dialect.is_content(frame) is content
