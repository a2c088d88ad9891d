"""The usage chunk that the proxy asks for by itself, and that the client never sees."""

from __future__ import annotations

import json
from typing import Any

import pytest
from multidict import CIMultiDict

from adapters.ask_usage import AskUsage
from adapters.openai_chat import OPENAI_CHAT
from adapters.vocabulary import Call, Form, Reply
from tests.fakes import chunks, completion
from tests.frames import Listed

HEAD = b'{"model":"m" , "messages":[{"role":"user","content":"x"}]'


def call_of(body: Any, **more: Any) -> Call:
    parsed = OPENAI_CHAT.parse(body) if isinstance(body, bytes) else {}
    stream, wants = OPENAI_CHAT.wants_stream(parsed), OPENAI_CHAT.wants_usage(parsed)
    more = {"dialect": OPENAI_CHAT, "stream": stream, "wants_usage": wants or not stream} | more
    return Call("POST", "/chat/completions", CIMultiDict(), body, parsed=parsed, **more)


class Inner:
    def __init__(self, events: list[bytes] | None = None) -> None:
        self.calls: list[Call] = []
        self.frames = Listed(events if events is not None else chunks(usage=True))

    async def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        return Reply(200, (), "upstream", Form.EVENTS, self.frames)


@pytest.mark.parametrize(
    ("sent", "forwarded"),
    [
        (b',"stream":true}', b',"stream":true,"stream_options":{"include_usage":true}}'),
        (b',"stream":true }\n', b',"stream":true,"stream_options":{"include_usage":true} }\n'),
        (b',"stream_options":null,"stream":true}', b',"stream_options":{"include_usage":true},"stream":true}'),
        (
            b',"stream_options": {"include_obfuscation":false} ,"stream":true}',
            b',"stream_options":{"include_obfuscation":false,"include_usage":true} ,"stream":true}',
        ),
        (
            b',"stream":true,"stream_options":{"include_usage":false}}',
            b',"stream":true,"stream_options":{"include_usage":true}}',
        ),
    ],
)
async def test_only_the_options_are_changed_and_the_bytes_are_counted(sent: bytes, forwarded: bytes) -> None:
    inner, call = Inner(), call_of(HEAD + sent)
    reply = await AskUsage(inner)(call)
    assert inner.calls[0].body == HEAD + forwarded
    assert call.body == HEAD + sent, "what the key was made of stays as it was"
    assert call.trace.modified_bytes == len(forwarded) - len(sent)
    assert inner.calls[0].trace is call.trace
    raw = b"".join([frame.raw async for frame in reply.frames])
    assert raw == b"".join(event for event in chunks(usage=True) if b"prompt_tokens" not in event)


@pytest.mark.parametrize(
    "call",
    [
        call_of(HEAD + b"}"),
        call_of(HEAD + b',"stream":false}'),
        call_of(HEAD + b',"stream":true,"stream_options":{"include_usage":true}}'),
        call_of(HEAD + b',"stream":true}', dialect=None),
        call_of(Listed([]), stream=True, wants_usage=False),
    ],
)
async def test_everything_else_passes_as_it_is(call: Call) -> None:
    inner = Inner()
    reply = await AskUsage(inner)(call)
    assert inner.calls[0] is call
    assert reply.frames is inner.frames
    assert call.trace.modified_bytes == 0


async def test_a_whole_answer_to_a_stream_is_left_alone() -> None:
    async def handler(call: Call) -> Reply:
        return Reply.whole(200, (), json.dumps(completion()).encode(), source="upstream")

    reply = await AskUsage(handler)(call_of(HEAD + b',"stream":true}'))
    assert json.loads(reply.body or b"") == completion()


async def test_usage_beside_choices_is_no_event_of_its_own() -> None:
    beside = b'data: {"choices":[{"index":0,"delta":{}}],"usage":{"prompt_tokens":1}}\n\n'
    comment, no_usage = b": usage\n\n", b'data: {"choices":[],"usage":null}\n\n'
    events = [comment, beside, no_usage, b"data: [DONE]\n\n"]
    reply = await AskUsage(Inner(events))(call_of(HEAD + b',"stream":true}'))
    assert [frame.raw async for frame in reply.frames] == events


async def test_closing_closes_what_stands_behind() -> None:
    inner = Inner()
    reply = await AskUsage(inner)(call_of(HEAD + b',"stream":true}'))
    await reply.frames.aclose()
    assert inner.frames.closed
