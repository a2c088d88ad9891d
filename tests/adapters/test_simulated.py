import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from adapters.errors import Torn
from adapters.openai_chat import OPENAI_CHAT
from adapters.simulated import INSTANT, SLOW, Simulated, Timing
from adapters.simulated_models import MODELS
from adapters.sse import Frame
from adapters.usage import Usage
from adapters.vocabulary import Answer, Call, Form, Reply

STEADY = Timing(first_token=0.5, tokens_per_second=100.0, prefill_per_second=1000.0)
LONG = "The rules of the house are many and every one of them is written here in full. " * 200


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def provider(clock: Clock, timing: Timing = INSTANT, seed: int = 0, lag: float = 0.0) -> Simulated:
    return Simulated(OPENAI_CHAT, timing, sleep=clock.sleep, clock=clock, seed=seed, lag=lag)


def chat(text: str = "Why is the sky blue?", *, system: str = "", credential: str = "c1", **more: Any) -> Call:
    messages = [{"role": "system", "content": system}] if system else []
    body = {"model": "sim-small", "messages": [*messages, {"role": "user", "content": text}], **more}
    return Call(
        "POST",
        "/chat/completions",
        {"authorization": "Bearer sk-test"},
        msgspec.json.encode(body),
        dialect=OPENAI_CHAT,
        parsed=body,
        tenant="t",
        credential=credential,
        stream=body.get("stream") is True,
    )


def get(target: str) -> Call:
    return Call("GET", target, {"authorization": "Bearer sk-test"}, b"")


def streamed(text: str = "Why is the sky blue?", **more: Any) -> Call:
    return chat(text, stream=True, stream_options={"include_usage": True}, **more)


def decoded(reply: Reply) -> Any:
    assert reply.form is Form.WHOLE
    assert reply.body is not None
    assert dict(reply.headers)["content-type"] == "application/json"
    return msgspec.json.decode(reply.body)


async def drained(reply: Reply) -> list[Frame]:
    async with aclosing(reply.frames):
        return [frame async for frame in reply.frames]


async def cached(handler: Simulated, call: Call) -> int:
    return decoded(await handler(call))["usage"]["prompt_tokens_details"]["cached_tokens"]  # type: ignore[no-any-return]


async def test_a_whole_answer_comes_after_the_full_time_with_its_facts() -> None:
    clock = Clock()
    call = chat()
    reply = await provider(clock, STEADY)(call)
    message = decoded(reply)
    usage = message["usage"]
    due = 0.5 + usage["prompt_tokens"] / 1000 + usage["completion_tokens"] / 100
    assert (reply.status, reply.source) == (200, "upstream")
    assert clock.now - 1000 == pytest.approx(due)
    assert call.trace.upstream_seconds == call.trace.first_frame_seconds == pytest.approx(due)
    assert (call.trace.attempts, call.trace.upstream_status) == (1, 200)
    assert call.trace.usage == Usage(uncached=usage["prompt_tokens"], output=usage["completion_tokens"])
    assert reply.answer is not None
    assert reply.answer.body() == reply.body
    assert OPENAI_CHAT.objection(message) == ""


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"n": 2},
        {"reasoning_effort": "low"},
        {"max_tokens": 7},
        {"tools": [{"type": "function", "function": {"name": "sky", "parameters": {}}}]},
        {"response_format": {"type": "json_object"}},
    ],
)
async def test_a_stream_folds_into_the_whole_answer(more: dict[str, Any]) -> None:
    clock = Clock()
    whole, stream = await provider(clock)(chat(**more)), await provider(clock)(streamed(**more))
    assert stream.form is Form.EVENTS
    frames = await drained(stream)
    assert len(frames) > 3
    assert OPENAI_CHAT.fold(frames) == decoded(whole)
    assert dict(whole.headers)["x-request-id"] == dict(stream.headers)["x-request-id"]


async def test_frames_come_at_an_even_pace_that_a_slow_reader_does_not_shift() -> None:
    clock = Clock()
    call = streamed()
    reply = await provider(clock, STEADY)(call)
    assert clock.now == 1000
    assert call.trace.first_frame_seconds is None
    moments = []
    async for frame in reply.frames:
        moments.append(clock.now - 1000)
        if len(moments) == 3:
            clock.now += 0.001  # the reader takes its time
        last = frame
    assert OPENAI_CHAT.is_end(last)
    usage = call.trace.usage
    assert usage is not None
    first, end = 0.5 + usage.prompt / 1000, 0.5 + usage.prompt / 1000 + usage.output / 100
    steps = [later - earlier for earlier, later in pairwise(moments)]
    assert moments[0] == call.trace.first_frame_seconds == pytest.approx(first)
    assert moments[-1] == call.trace.upstream_seconds == pytest.approx(end)
    assert steps == pytest.approx([(end - first) / len(steps)] * len(steps))


async def test_a_late_reader_gets_what_is_due_at_once() -> None:
    clock = Clock()
    reply = await provider(clock, STEADY)(streamed())
    clock.now += 1000
    late = clock.now
    await drained(reply)
    assert clock.now == late


async def test_usage_streams_only_when_asked_for() -> None:
    call = chat(stream=True)
    frames = await drained(await provider(Clock())(call))
    assert OPENAI_CHAT.stream_usage(frames) is None
    assert call.trace.usage is None


async def test_a_frame_is_kept_before_it_is_handed_on() -> None:
    reply = await provider(Clock())(streamed())
    assert reply.answer is not None
    seen: list[Frame] = []
    async for frame in reply.frames:
        seen.append(frame)
        assert reply.answer.frames == seen
    assert reply.answer.message()["id"].startswith("chatcmpl-")


async def test_closing_stops_at_once_and_is_no_complete_answer() -> None:
    clock = Clock()
    call = streamed()
    reply = await provider(clock, STEADY)(call)
    await anext(reply.frames)
    then = clock.now
    await reply.frames.aclose()
    with pytest.raises(Torn):
        await anext(reply.frames)
    assert clock.now == then
    assert call.trace.upstream_seconds == pytest.approx(then - 1000)
    assert call.trace.usage is None


async def test_closing_under_a_waiting_reader_ends_it_without_a_frame() -> None:
    release = asyncio.Event()

    async def sleep(_: float) -> None:
        await release.wait()

    reply = await Simulated(OPENAI_CHAT, STEADY, sleep=sleep, clock=Clock())(streamed())
    reader = asyncio.ensure_future(anext(reply.frames))
    await asyncio.sleep(0)
    await reply.frames.aclose()
    release.set()
    with pytest.raises(Torn):
        await reader


async def test_a_complete_stream_stays_complete_when_it_is_closed() -> None:
    reply = await provider(Clock())(streamed())
    await drained(reply)
    with pytest.raises(StopAsyncIteration):
        await anext(reply.frames)


@pytest.mark.parametrize(
    ("model", "status", "code"), [("sim-error-429", 429, "rate_limit_exceeded"), ("error-500-x", 500, None)]
)
@pytest.mark.parametrize("stream", [False, True])
async def test_models_that_fail(model: str, status: int, code: str | None, stream: bool) -> None:
    call = chat(model=model, stream=stream)
    reply = await provider(Clock())(call)
    assert (reply.status, reply.answer, call.trace.upstream_status) == (status, None, status)
    assert decoded(reply)["error"]["code"] == code
    assert dict(reply.headers).get("retry-after") == ("1" if status == 429 else None)


async def test_a_stream_that_breaks_off_tells_and_is_torn() -> None:
    call = streamed(model="sim-error-stream")
    reply = await provider(Clock())(call)
    with pytest.raises(Torn) as torn:
        await drained(reply)
    assert reply.answer is not None
    frames = reply.answer.frames
    assert torn.value.told
    assert OPENAI_CHAT.is_error(frames[-1])
    assert len(frames) > 2
    assert not any(map(OPENAI_CHAT.is_end, frames))
    assert call.trace.usage is None
    assert (await provider(Clock())(chat(model="sim-error-stream"))).status == 500


async def test_a_slow_model_takes_five_seconds_more() -> None:
    clock = Clock()
    await provider(clock)(chat(model="sim-slow"))
    assert clock.now - 1000 == SLOW == 5


async def test_a_repeated_prefix_is_read_in_steps_of_128_and_forgotten_after_five_minutes() -> None:
    clock = Clock()
    handler = provider(clock)
    assert await cached(handler, chat("a", system=LONG)) == 0
    read = await cached(handler, chat("b", system=LONG))
    assert read >= 1024
    assert read % 128 == 0
    clock.now += 299
    assert await cached(handler, chat("c", system=LONG)) == read
    clock.now += 300
    assert await cached(handler, chat("d", system=LONG)) == 0


async def test_prefixes_are_apart_by_credential_and_model_and_nothing_short_is_kept() -> None:
    handler = provider(Clock())
    await handler(chat("a", system=LONG))
    assert await cached(handler, chat("a", system=LONG, credential="c2")) == 0
    assert await cached(handler, chat("a", system=LONG, model="sim-large")) == 0
    assert await cached(handler, chat("short")) == await cached(handler, chat("short")) == 0


async def test_siblings_read_nothing_before_the_first_token_of_the_first() -> None:
    clock = Clock()
    handler = provider(clock, STEADY)

    first, second, later = (streamed(text, system=LONG) for text in ("a", "b", "c"))
    together = [await handler(first), await handler(second)]
    for call, reply in zip((first, second), together, strict=True):
        await drained(reply)
        assert call.trace.usage is not None
        assert call.trace.usage.read == 0
    await drained(await handler(later))
    cold, warm = first.trace, later.trace
    assert warm.usage is not None
    assert warm.usage.read >= 1024
    assert warm.first_frame_seconds is not None
    assert cold.first_frame_seconds is not None
    assert cold.first_frame_seconds - warm.first_frame_seconds == pytest.approx(warm.usage.read / 1000, abs=0.01)


async def test_a_prompt_cache_that_lags_is_read_that_much_later() -> None:
    clock = Clock()
    handler = provider(clock, lag=2.0)
    assert await cached(handler, chat("a", system=LONG)) == 0
    clock.now += 1.9
    assert await cached(handler, chat("b", system=LONG)) == 0
    clock.now += 0.1
    assert await cached(handler, chat("c", system=LONG)) >= 1024


@pytest.mark.parametrize("model", ["sim-no-usage", "gpt-5.6-no-usage"])
async def test_a_model_that_tells_no_usage_is_cached_all_the_same(model: str) -> None:
    clock = Clock()
    handler = provider(clock, STEADY)
    for call in (chat("a", system=LONG, model=model), streamed("a", system=LONG, model=model)):
        begun = clock.now
        reply = await handler(call)
        assert reply.answer is not None
        if call.stream:
            frames = await drained(reply)
            assert OPENAI_CHAT.stream_usage(frames) is None
            assert OPENAI_CHAT.is_end(frames[-1])
        assert call.trace.usage is None
        assert reply.answer.usage() is None
        took = clock.now - begun
    first = (await provider(Clock(), STEADY)(chat("a", system=LONG))).answer
    assert first is not None
    usage = first.usage()
    assert usage is not None
    assert took < usage.prompt / 1000  # most of it was read


async def test_a_refusal_has_its_code() -> None:
    reply = await provider(Clock())(chat(model="gpt-5.6-sol", max_tokens=10))
    assert (reply.status, decoded(reply)["error"]["code"]) == (400, "unsupported_parameter")
    assert decoded(reply)["error"]["param"] == "max_tokens"


@pytest.mark.parametrize("header", [None, "", "Basic x", "Bearer ", "Bearer sk-revoked-1"])
async def test_no_answer_without_a_good_key(header: str | None) -> None:
    call = chat()
    call.headers = {} if header is None else {"authorization": header}
    reply = await provider(Clock())(call)
    assert reply.status == 401
    error = decoded(reply)["error"]
    assert error["type"] == "invalid_request_error"
    assert "sk-" not in error["message"]


@pytest.mark.parametrize(
    ("body", "param"),
    [(b"{", None), (b'{"model":"m","messages":[]}', "messages"), (b'{"model":"m","messages":[{}],"n":999}', "n")],
)
async def test_a_bad_request_is_400(body: bytes, param: str | None) -> None:
    call = chat()
    call.body, call.parsed = body, {}
    reply = await provider(Clock())(call)
    assert reply.status == 400
    assert decoded(reply)["error"]["param"] == param


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_bodies_may_come_in_chunks() -> None:
    handler = provider(Clock())
    call = chat()
    assert isinstance(call.body, bytes)
    split = Call("POST", call.target, call.headers, chunks(call.body[:20], call.body[20:]))
    assert (await handler(split)).body == (await handler(call)).body
    asked = Call("POST", "/embeddings", call.headers, chunks(b'{"model":"sim-embedding",', b'"input":["x","y"]}'))
    answer = decoded(await handler(asked))
    assert len(answer["data"]) == 2
    assert answer["usage"]["total_tokens"] == 2


async def test_embeddings_of_nothing_are_refused() -> None:
    handler = provider(Clock())
    for body in (b"[", b'{"model":"m","input":""}'):
        reply = await handler(Call("POST", "/embeddings", {"authorization": "Bearer k"}, body))
        assert reply.status == 400


async def test_models_are_listed_and_described() -> None:
    handler = provider(Clock())
    assert [card["id"] for card in decoded(await handler(get("/models?limit=5")))["data"]] == list(MODELS)
    assert decoded(await handler(get(f"/models/{MODELS[0]}")))["id"] == MODELS[0]
    missing = await handler(get("/models/none"))
    assert (missing.status, decoded(missing)["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize(
    "call",
    [get("/chat/completions"), get("/nothing"), Call("POST", "/audio/speech", {"authorization": "Bearer k"}, b"")],
)
async def test_everything_else_is_not_found(call: Call) -> None:
    reply = await provider(Clock())(call)
    assert (reply.status, decoded(reply)["error"]["type"]) == (404, "invalid_request_error")


async def test_the_answer_of_a_stream_is_one_of_this_dialect() -> None:
    reply = await provider(Clock())(streamed())
    assert isinstance(reply.answer, Answer)
    assert reply.answer.streamed
