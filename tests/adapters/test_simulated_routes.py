"""The simulated provider on the routes that it is given, from the credential to the last frame."""

from contextlib import aclosing
from typing import Any

import msgspec
import pytest
from anthropic.types import Message, MessageTokensCount, ModelInfo

from adapters.errors import Torn
from adapters.openai_chat import OPENAI_CHAT
from adapters.prompt import Billed
from adapters.simulated import INSTANT, SLOW, Simulated, Timing
from adapters.simulated_caching import Refusal
from adapters.simulated_models import MODELS
from adapters.simulated_speech import messages, responses
from adapters.sse import Frame
from adapters.usage import Usage
from adapters.vocabulary import Call, Form, Reply
from tests.adapters.standin import STAND_IN

STEADY = Timing(first_token=0.5, tokens_per_second=100.0, prefill_per_second=1000.0)
LONG = "The rules of the house are many and every one of them is written here in full. " * 200
MARK = {"type": "ephemeral"}
VERSION = ("anthropic-version", "2026-10-21")
NATIVE = dict([("x-api-key", "sk-test"), VERSION])
BEARER = dict([("authorization", "Bearer sk-test"), VERSION])


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def whole(body: Any, *, seed: int, billed: Billed) -> dict[str, Any]:
    return {"id": "resp_1", "content": [], "usage": {"input_tokens": billed.uncached, "output_tokens": 3}}


def unmodelled(body: Any) -> Refusal | None:
    return Refusal("no model", "model") if body["model"] == "none" else None


def provider(clock: Clock, timing: Timing = INSTANT) -> Simulated:
    routes = {
        "/messages": messages(STAND_IN, 0),
        "/responses": responses(STAND_IN, 0, objection=unmodelled, whole=whole),
    }
    return Simulated(OPENAI_CHAT, timing, sleep=clock.sleep, clock=clock, routes=routes)


def post(target: str, body: dict[str, Any], headers: dict[str, str] = NATIVE, credential: str = "c1") -> Call:
    raw = msgspec.json.encode(body)
    return Call("POST", target, headers, raw, dialect=STAND_IN, parsed=body, tenant="t", credential=credential)


def request(text: str = "Why is the sky blue?", *, system: str = "", **more: Any) -> dict[str, Any]:
    body = {"model": "sim-small", "max_tokens": 4000, "messages": [{"role": "user", "content": text}], **more}
    return {**body, "system": [{"type": "text", "text": system, "cache_control": MARK}]} if system else body


def asked(text: str = "Why is the sky blue?", **more: Any) -> Call:
    return post("/messages", request(text, **more))


def decoded(reply: Reply) -> Any:
    assert reply.form is Form.WHOLE
    assert reply.body is not None
    return msgspec.json.decode(reply.body)


async def drained(reply: Reply) -> list[Frame]:
    async with aclosing(reply.frames):
        return [frame async for frame in reply.frames]


async def test_a_whole_answer_comes_after_the_full_time_with_its_facts() -> None:
    clock, call = Clock(), asked(system=LONG)
    reply = await provider(clock, STEADY)(call)
    message = Message.model_validate(decoded(reply))
    usage = call.trace.usage
    assert usage is not None
    assert usage == Usage(
        uncached=message.usage.input_tokens, write_5m=usage.write_5m, output=message.usage.output_tokens
    )
    due = 0.5 + usage.prompt / 1000 + usage.output / 100
    assert clock.now - 1000 == call.trace.upstream_seconds == pytest.approx(due)
    assert (reply.status, call.trace.upstream_status, call.trace.attempts) == (200, 200, 1)
    headers = dict(reply.headers)
    assert headers["request-id"].startswith("req_")
    assert "x-request-id" not in headers


@pytest.mark.parametrize(
    "more",
    [{}, {"thinking": {"type": "adaptive"}}, {"tools": [{"name": "sky", "input_schema": {"type": "object"}}]}],
)
async def test_a_stream_folds_into_the_whole_answer(more: dict[str, Any]) -> None:
    whole_reply = await provider(Clock())(asked(**more))
    reply = await provider(Clock())(asked(stream=True, **more))
    assert reply.form is Form.EVENTS
    frames = await drained(reply)
    assert STAND_IN.fold(frames) == decoded(whole_reply)
    assert dict(reply.headers)["request-id"] == dict(whole_reply.headers)["request-id"]
    assert reply.answer is not None
    assert reply.answer.dialect is STAND_IN


async def test_a_breakpoint_saves_time_and_money_from_the_first_content_on() -> None:
    clock = Clock()
    handler = provider(clock, STEADY)
    first, sibling, later = (asked(text, system=LONG, stream=True) for text in ("a", "b", "c"))
    together = [await handler(first), await handler(sibling)]
    for reply in together:
        await drained(reply)
    await drained(await handler(later))
    usages = [call.trace.usage for call in (first, sibling, later)]
    assert [usage is not None and usage.read > 0 for usage in usages] == [False, False, True]
    cold, _, warm = usages
    assert cold is not None
    assert warm is not None
    assert cold.write_5m == warm.read > 3000
    assert warm.write_5m == 0
    assert (first.trace.first_frame_seconds, later.trace.first_frame_seconds) == pytest.approx(
        (0.5 + cold.prompt / 1000, 0.5 + warm.uncached / 1000)
    )


async def test_a_leader_can_be_followed_as_soon_as_it_speaks() -> None:
    clock = Clock()
    handler = provider(clock, STEADY)
    reply = await handler(asked("a", system=LONG, stream=True))
    await anext(reply.frames)
    follower = asked("b", system=LONG, stream=True)
    await drained(await handler(follower))
    assert follower.trace.usage is not None
    assert follower.trace.usage.read > 3000


async def test_warming_writes_and_says_nothing() -> None:
    handler = provider(Clock())
    warming = decoded(await handler(asked("warmup", system=LONG, max_tokens=0)))
    assert (warming["content"], warming["stop_reason"], warming["usage"]["output_tokens"]) == ([], "max_tokens", 0)
    after = decoded(await handler(asked("a", system=LONG)))
    assert after["usage"]["cache_read_input_tokens"] == warming["usage"]["cache_creation_input_tokens"] > 3000
    assert (await handler(asked(max_tokens=0, stream=True))).status == 400


async def test_caches_are_apart_by_credential_and_what_is_refused_writes_nothing() -> None:
    handler = provider(Clock())
    for model, status in (("sim-error-429", 429), ("sim-error-529", 529)):
        assert (await handler(asked("a", system=LONG, model=model))).status == status
    assert (await handler(asked("a", system=LONG, temperature=1))).status == 400
    await handler(asked("a", system=LONG))
    other = decoded(await handler(post("/messages", request("a", system=LONG), credential="c2")))
    assert other["usage"]["cache_read_input_tokens"] == 0


async def test_a_conversation_with_thinking_and_tools_goes_on_to_its_end() -> None:
    handler = provider(Clock())
    tools = [{"name": "get_weather", "input_schema": {"type": "object", "properties": {}}}]
    more = {"tools": tools, "thinking": {"type": "enabled", "budget_tokens": 1024}}
    first = decoded(await handler(asked("get_weather please", **more)))
    assert [block["type"] for block in first["content"]] == ["thinking", "tool_use"]
    assert first["stop_reason"] == "tool_use"
    result = {"type": "tool_result", "tool_use_id": first["content"][1]["id"], "content": "sunny"}

    def goes_on(content: list[dict[str, Any]]) -> Call:
        body = request("get_weather please", **more)
        body["messages"] += [{"role": "assistant", "content": content}, {"role": "user", "content": [result]}]
        return post("/messages", body)

    last = decoded(await handler(goes_on(first["content"])))
    assert last["stop_reason"] == "end_turn"
    lost = await handler(goes_on(first["content"][1:]))
    changed = await handler(goes_on([first["content"][0] | {"thinking": "else"}, first["content"][1]]))
    for reply, said in ((lost, "Expected `thinking`"), (changed, "Invalid `signature` in `thinking` block")):
        assert reply.status == 400
        assert said in decoded(reply)["error"]["message"]


@pytest.mark.parametrize(
    ("model", "status", "kind"),
    [
        ("sim-error-429", 429, "rate_limit_error"),
        ("error-500", 500, "api_error"),
        ("sim-error-529", 529, "overloaded_error"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_models_that_fail(model: str, status: int, kind: str, stream: bool) -> None:
    call = asked(model=model, stream=stream)
    reply = await provider(Clock())(call)
    assert (reply.status, reply.answer, call.trace.upstream_status) == (status, None, status)
    assert decoded(reply)["error"]["type"] == kind
    assert dict(reply.headers).get("retry-after") == ("1" if status == 429 else None)


async def test_chat_is_overloaded_in_its_own_words() -> None:
    body = {"model": "sim-error-529", "messages": [{"role": "user", "content": "x"}]}
    reply = await provider(Clock())(post("/chat/completions", body, BEARER))
    assert (reply.status, decoded(reply)["error"]["type"]) == (503, "server_error")


async def test_a_stream_that_breaks_off_tells_and_is_torn() -> None:
    reply = await provider(Clock())(asked(model="sim-error-stream", stream=True))
    with pytest.raises(Torn) as torn:
        await drained(reply)
    assert torn.value.told
    assert reply.answer is not None
    assert [frame.event for frame in reply.answer.frames] == ["message_start", "content_block", "error"]
    assert reply.answer.frames[-1].json()["error"]["type"] == "overloaded_error"
    whole_reply = await provider(Clock())(asked(model="sim-error-stream"))
    assert (whole_reply.status, decoded(whole_reply)["error"]["type"]) == (500, "api_error")


async def test_a_slow_model_takes_five_seconds_more_until_it_can_be_read_too() -> None:
    clock = Clock()
    handler = provider(clock)
    await drained(await handler(asked("a", system=LONG, model="sim-slow")))
    assert clock.now - 1000 == SLOW
    clock = Clock()
    handler = provider(clock)
    await handler(asked("a", system=LONG, model="sim-slow", stream=True))
    early = asked("b", system=LONG, model="sim-slow")
    await handler(early)
    assert early.trace.usage is not None
    assert early.trace.usage.read == 0


@pytest.mark.parametrize(
    ("target", "headers", "status", "kind"),
    [
        ("/messages", NATIVE, 200, ""),
        ("/messages", BEARER, 200, ""),
        ("/messages", {"authorization": "Basic x", **NATIVE}, 200, ""),
        ("/messages", dict([VERSION]), 401, "authentication_error"),
        ("/messages", {**NATIVE, "x-api-key": " "}, 401, "authentication_error"),
        ("/messages", {**NATIVE, "x-api-key": "sk-revoked"}, 401, "authentication_error"),
        ("/messages", {"authorization": "Bearer sk-revoked"}, 401, "authentication_error"),
        ("/messages", {"authorization": "Bearer sk-test"}, 400, "invalid_request_error"),
        ("/messages/count_tokens", {}, 401, "authentication_error"),
        ("/chat/completions", NATIVE, 401, "invalid_request_error"),
        ("/responses", NATIVE, 401, "invalid_request_error"),
    ],
)
async def test_credentials(target: str, headers: dict[str, str], status: int, kind: str) -> None:
    reply = await provider(Clock())(post(target, request(), headers))
    assert reply.status == status
    if kind:
        error = decoded(reply)["error"]
        assert error["type"] == kind
        assert "sk-" not in error["message"]


async def test_tokens_are_counted_at_once_and_as_they_are_billed() -> None:
    clock = Clock()
    handler = provider(clock, STEADY)
    body = request(system=LONG)
    del body["max_tokens"]
    reply = await handler(post("/messages/count_tokens", body))
    counted = MessageTokensCount.model_validate(decoded(reply))
    assert clock.now == 1000
    call = asked(system=LONG)
    await handler(call)
    assert call.trace.usage is not None
    assert counted.input_tokens == call.trace.usage.prompt
    assert call.trace.usage.read == 0
    wrong = await handler(post("/messages/count_tokens", request()))
    assert (wrong.status, "max_tokens" in decoded(wrong)["error"]["message"]) == (400, True)
    nothing = await handler(post("/chat/completions/count_tokens", request(), BEARER))
    assert nothing.status == 404


async def test_a_body_that_the_dialect_refuses() -> None:
    for raw in (b"{", b'{"model":5}'):
        reply = await provider(Clock())(Call("POST", "/messages", NATIVE, raw))
        assert (reply.status, decoded(reply)["error"]["type"]) == (400, "invalid_request_error")


async def test_models_in_the_manner_of_who_asks() -> None:
    handler = provider(Clock())
    listed = decoded(await handler(Call("GET", "/models?limit=9", NATIVE, b"")))
    assert [ModelInfo.model_validate(each).id for each in listed["data"]] == list(MODELS)
    assert decoded(await handler(Call("GET", "/models", {"authorization": "Bearer k"}, b"")))["object"] == "list"
    told = decoded(await handler(Call("GET", "/models/claude-opus-5-5", NATIVE, b"")))
    assert told["capabilities"]["thinking"]["types"]["disabled"] == {"supported": False}
    missing = await handler(Call("GET", "/models/gpt-9", NATIVE, b""))
    assert (missing.status, decoded(missing)["error"]["type"]) == (404, "not_found_error")
    unknown = await handler(Call("GET", "/models/claude-opus-5-5", {"authorization": "Bearer k"}, b""))
    assert (unknown.status, decoded(unknown)["error"]["code"]) == (404, "model_not_found")


async def test_unknown_routes_in_the_manner_of_who_asks() -> None:
    handler = provider(Clock())
    for headers, kind in ((NATIVE, "not_found_error"), ({"authorization": "Bearer k"}, "invalid_request_error")):
        reply = await handler(post("/messages/batches", {}, headers))
        assert (reply.status, decoded(reply)["error"]["type"]) == (404, kind)
    assert (await handler(Call("GET", "/messages", NATIVE, b""))).status == 404


async def test_without_routes_only_chat_is_spoken() -> None:
    clock = Clock()
    handler = Simulated(OPENAI_CHAT, INSTANT, sleep=clock.sleep, clock=clock)
    reply = await handler(post("/messages", request(), BEARER))
    assert (reply.status, decoded(reply)["error"]["code"]) == (404, "unknown_url")


async def test_responses_go_the_same_way() -> None:
    handler = provider(Clock())
    call = post("/responses", {"model": "sim", "instructions": LONG, "input": "x"}, BEARER)
    reply = await handler(call)
    assert decoded(reply)["id"] == "resp_1"
    assert dict(reply.headers)["x-request-id"].startswith("req_")
    cold = decoded(reply)["usage"]["input_tokens"]
    assert decoded(await handler(call))["usage"]["input_tokens"] < cold - 1024
    assert (await handler(post("/responses", {"model": "none"}, BEARER))).status == 400
