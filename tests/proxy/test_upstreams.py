"""Several upstreams behind one proxy: who is asked, in whose language, with whose key, and what if one fails."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from proxy.config_file import loads
from tests.fakes import CHAT, Provider, Script, Seen, answer, answers, provider, send, until
from tests.running import Proxy, proxy, serving

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-5-5",
    "content": [{"type": "text", "text": "Paris."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 10,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 2000,
        "output_tokens": 5,
    },
}
EVENTS = [
    ("message_start", {"message": MESSAGE | {"content": [], "stop_reason": None}}),
    ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
    ("ping", {}),
    ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "Par"}}),
    ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "is."}}),
    ("content_block_stop", {"index": 0}),
    ("message_delta", {"delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 5}}),
    ("message_stop", {}),
]


def stream(events: list[tuple[str, dict[str, Any]]] = EVENTS) -> list[bytes]:
    return [f"event: {name}\ndata: {json.dumps({'type': name} | data)}\n\n".encode() for name, data in events]


async def anthropic(request: web.Request, seen: Seen) -> web.StreamResponse:
    """A provider with Anthropic's API."""
    if not seen.path.startswith("/v1/messages"):
        return web.json_response({"data": []})
    if json.loads(seen.body).get("stream"):
        return await send(request, stream())
    return web.json_response(MESSAGE, headers={"request-id": "req_a"})


def two(openai: str, claude: str, more: str = "") -> str:
    return f"""
upstreams:
  claude: {{base_url: "{claude}", speaks: anthropic, retries: 0}}
  other: {{base_url: "{openai}", headers: {{X-Team: search}}}}
routes:
  - {{model: "claude-*", upstream: claude}}
  - {{model: fast, upstream: other, send_as: gpt-4o-mini}}
{more}
"""


@asynccontextmanager
async def behind(
    first: Script, second: Script, config: Callable[[str, str], str]
) -> AsyncIterator[tuple[Provider, Provider, Proxy]]:
    """Two providers and the proxy in front of them; the first is its default."""
    async with (
        provider(first) as one,
        provider(second) as other,
        proxy(one.base_url, config=config(one.base_url, other.base_url)) as ours,
    ):
        yield one, other, ours


def claude(**more: Any) -> dict[str, Any]:
    return CHAT | {"model": "claude-opus-5-5"} | more


async def test_a_claude_model_through_an_openai_client() -> None:
    async with behind(answer, anthropic, two) as (openai, fake, ours):
        status, headers, body = await ours.chat(claude(temperature=0.3), key="sk-ant-1")
        again = await ours.chat(claude(temperature=0.7), key="sk-ant-1")
    said = json.loads(body)
    assert status == 200
    assert said["choices"][0]["message"]["content"] == "Paris."
    assert said["usage"]["prompt_tokens"] == 2010
    assert said["usage"]["prompt_tokens_details"]["cached_tokens"] == 2000
    assert headers["X-Request-ID"] == "req_a"
    assert headers["X-Warmgate-Warning"] == "temperature: dropped"
    # What was dropped asked the provider for nothing: the key is that of what it was asked.
    assert (again[1]["X-Cache-Status"], again[1]["X-Warmgate-Warning"]) == ("hit", "temperature: dropped")
    assert not openai.seen
    (seen,) = fake.seen
    assert seen.path == "/v1/messages"
    assert seen.headers["anthropic-version"] == "2026-10-21"
    assert seen.headers["Authorization"] == "Bearer sk-ant-1"
    assert json.loads(seen.body)["messages"][0]["role"] == "user"


@pytest.mark.parametrize("usage", [True, False])
async def test_its_stream_and_what_it_serves_afterwards(usage: bool) -> None:
    options = {"stream": True} | ({"stream_options": {"include_usage": True}} if usage else {})
    async with provider(anthropic) as fake, proxy(fake.base_url, config=two(fake.base_url, fake.base_url)) as ours:
        _, first, body = await ours.chat(claude(**options))
        whole = await ours.chat(claude())
        again = await ours.chat(claude(**options))
        native = await ours.chat({"max_tokens": 9} | claude(), path="/messages")
    assert body.endswith(b"data: [DONE]\n\n")
    assert (b'"prompt_tokens":2010' in body) is usage
    assert first["Content-Type"].startswith("text/event-stream")
    assert json.loads(whole[2])["choices"][0]["message"]["content"] == "Paris."
    assert [each[1]["X-Cache-Status"] for each in (whole, again, native)] == ["hit", "hit", "miss"]
    assert (b'"prompt_tokens":2010' in again[2]) is usage
    assert native[2] == json.dumps(MESSAGE).encode()


async def test_an_anthropic_client_gets_its_bytes_and_a_cache() -> None:
    raw = json.dumps({"max_tokens": 9} | claude(), indent=2).encode()
    async with behind(answer, anthropic, two) as (_openai, fake, ours):
        posts = {"path": "/messages?beta=true", "x_api_key": "sk-ant-1", "anthropic_version": "2023-06-01"}
        first = await ours.chat(raw, **posts)
        second = await ours.chat(raw, **posts)
        other = await ours.chat(raw, **(posts | {"anthropic_version": "2026-10-21"}))
    assert first[2] == second[2] == json.dumps(MESSAGE).encode()
    assert [each[1]["X-Cache-Status"] for each in (first, second, other)] == ["miss", "hit", "miss"]
    assert fake.seen[0].body == raw
    assert fake.seen[0].path == "/v1/messages?beta=true"
    assert fake.seen[0].headers["x-api-key"] == "sk-ant-1"
    assert fake.seen[0].headers["anthropic-version"] == "2023-06-01"
    assert "X-Warmgate-Modified" not in first[1]


async def test_an_anthropic_client_on_an_openai_provider() -> None:
    async with behind(answer, anthropic, two) as (openai, fake, ours):
        asked = CHAT | {"max_tokens": 9}
        whole = await ours.chat(asked, path="/messages", x_api_key="sk-1", anthropic_version="2026-10-21")
        stream = await ours.chat(asked | {"stream": True, "system": "x"}, path="/messages")
    assert json.loads(whole[2])["content"] == [{"type": "text", "text": "Paris."}]
    assert json.loads(whole[2])["usage"]["cache_read_input_tokens"] == 1024
    assert b"event: message_stop" in stream[2]
    assert b"[DONE]" not in stream[2]
    assert [seen.path for seen in openai.seen] == ["/v1/chat/completions"] * 2
    assert "anthropic-version" not in {name.lower() for name in openai.seen[0].headers}
    assert not fake.seen


async def test_a_model_under_another_name() -> None:
    async with behind(answer, answer, lambda first, second: two(second, second)) as (openai, other, ours):
        _, headers, _ = await ours.chat(CHAT | {"model": "fast"})
        named = await ours.chat(CHAT | {"model": "gpt-4o-mini"})
    assert json.loads(other.seen[0].body)["model"] == "gpt-4o-mini"
    assert other.seen[0].headers["X-Team"] == "search"
    assert headers["X-Warmgate-Cost"].startswith("cost=0.000")
    assert named[1]["X-Cache-Status"] == "miss"
    assert len(openai.seen) == len(other.seen) == 1


async def test_what_only_the_other_provider_knows_to_be_its_own_doing_is_not_kept() -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    async with provider(anthropic) as fake, proxy(fake.base_url, config=two(fake.base_url, fake.base_url)) as ours:
        for _ in range(2):
            status, headers, _ = await ours.chat(claude(tools=[search]))
            assert (status, headers["X-Cache-Status"]) == (200, "bypass")
    assert len(fake.seen) == 2


async def test_what_can_not_be_said_there_is_refused_before_anything_is_asked() -> None:
    async with provider(anthropic) as fake, proxy(fake.base_url, config=two(fake.base_url, fake.base_url)) as ours:
        for body, path, param in (
            (claude(logprobs=True), "/chat/completions", "logprobs"),
            ({"model": "claude-1", "input": "x"}, "/responses", "model"),
            ({"model": "claude-1", "input": "x"}, "/embeddings", "model"),
        ):
            status, _, told = await ours.chat(body, path=path)
            assert (status, json.loads(told)["error"]["param"]) == (400, param)
    assert not fake.seen


@pytest.mark.parametrize(
    ("status", "kind", "told", "error"),
    [
        (401, "authentication_error", 401, "authentication_error"),
        (429, "rate_limit_error", 429, "rate_limit_error"),
        (400, "invalid_request_error", 400, "invalid_request_error"),
        (529, "overloaded_error", 503, "overloaded_error"),
    ],
)
async def test_errors_are_told_in_the_clients_words(status: int, kind: str, told: int, error: str) -> None:
    body = {"type": "error", "error": {"type": kind, "message": "No, sorry."}, "request_id": "req_9"}
    script = answers(body, status, request_id="req_9")
    async with provider(script) as fake, proxy(fake.base_url, config=two(fake.base_url, fake.base_url)) as ours:
        code, headers, raw = await ours.chat(claude())
    assert code == told
    assert json.loads(raw)["error"]["message"] == "No, sorry."
    assert json.loads(raw)["error"]["code"] == error
    assert headers["X-Request-ID"] == "req_9"
    assert ("Retry-After" in headers) is (status == 529)


async def test_a_stream_that_fails_ends_with_the_clients_error_event_and_is_not_kept() -> None:
    fault = [*EVENTS[:4], ("error", {"error": {"type": "overloaded_error", "message": "Overloaded"}})]

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        return await send(request, stream(fault) if b'"stream":true' in seen.body else stream())

    async with provider(script) as fake, proxy(fake.base_url, config=two(fake.base_url, fake.base_url)) as ours:
        for _ in range(2):
            _, headers, body = await ours.chat(claude(stream=True))
            assert headers["X-Cache-Status"] == "miss"
            assert b'"error"' in body
            assert b"[DONE]" not in body


async def test_what_nobody_reads_goes_to_whose_client_asks() -> None:
    async with behind(answer, anthropic, two) as (openai, fake, ours):
        await ours.chat({"model": "x"}, path="/messages/count_tokens")
        await ours.chat({"model": "x"}, path="/audio/speech")
    assert [seen.path for seen in fake.seen] == ["/v1/messages/count_tokens"]
    assert [seen.path for seen in openai.seen] == ["/v1/audio/speech"]


def posted(fake: Provider) -> list[Seen]:
    """Without what the proxy asks for itself."""
    return [seen for seen in fake.seen if seen.method == "POST"]


def managed(first: str, second: str) -> str:
    return f"""
upstream: {{api_key_env: PROVIDER_KEY, retries: 0}}
upstreams:
  spare: {{base_url: "{second}", api_key_env: SPARE_KEY}}
  spare_claude: {{base_url: "{second}", speaks: anthropic, api_key_env: SPARE_KEY}}
routes:
  - {{model: "gpt-*", upstream: default, fallback: [{{upstream: spare, send_as: "openai/*"}}]}}
  - {{model: "o*", upstream: default, fallback: [{{upstream: spare_claude, send_as: claude-opus-5-5}}]}}
tenants: {{mode: managed, keys: [{{tenant: a, key: wg-team-a}}]}}
"""


async def test_a_provider_that_is_down_is_replaced_and_its_place_taken_for_the_conversation() -> None:
    down = True

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        return await (answers({"error": {}}, 503) if down else answer)(request, seen)

    async with behind(script, answer, managed) as (first, second, ours):
        status, headers, _ = await ours.chat(key="wg-team-a")
        down = False
        more = CHAT["messages"] + [{"role": "assistant", "content": "Paris."}, {"role": "user", "content": "And?"}]  # type: ignore[operator]
        await ours.chat(CHAT | {"messages": more}, key="wg-team-a")
        await ours.chat(CHAT | {"messages": [{"role": "user", "content": "Another"}]}, key="wg-team-a")
    assert status == 200
    assert headers["Cache-Status"].endswith('detail="fallback to spare"')
    assert (len(posted(first)), len(posted(second))) == (2, 2)
    assert {seen.headers["Authorization"] for seen in second.seen} == {"Bearer sk-spare"}
    assert json.loads(posted(second)[0].body)["model"] == "openai/gpt-4o"


async def test_a_fallback_may_speak_another_language() -> None:
    async with behind(answers({"error": {}}, 500), anthropic, managed) as (_first, second, ours):
        status, headers, body = await ours.chat(CHAT | {"model": "o3"}, key="wg-team-a")
        again = await ours.chat(CHAT | {"model": "o3"}, key="wg-team-a")
    assert status == 200
    assert headers["Cache-Status"].endswith('detail="fallback to spare_claude"')
    assert again[1]["X-Cache-Status"] == "miss"
    assert json.loads(body)["choices"][0]["message"]["content"] == "Paris."
    assert json.loads(posted(second)[0].body)["model"] == "claude-opus-5-5"


async def test_models_that_nobody_heard_of_are_asked_about_where_the_key_is_ours() -> None:
    told = {"id": "claude-opus-9", "max_tokens": 77, "capabilities": {}}

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        return web.json_response({"data": [told]} if seen.method == "GET" else MESSAGE)

    config = """
upstream: {speaks: anthropic, api_key_env: PROVIDER_KEY}
tenants: {mode: managed, keys: [{tenant: a, key: wg-team-a}]}
"""
    async with provider(script) as fake, proxy(fake.base_url, config=config) as ours:
        await until(lambda: bool(ours.app.upstreams.learned))
        await ours.chat(claude(model="claude-opus-9"), key="wg-team-a")
    asked, sent = fake.seen
    assert (asked.path, asked.headers["Authorization"]) == ("/v1/models?limit=1000", "Bearer sk-provider")
    assert json.loads(sent.body)["max_tokens"] == 77


async def test_each_upstream_is_asked_about_the_keys_it_knows() -> None:
    keys = {"sk-ant-1"}

    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        if seen.headers.get("Authorization", "").removeprefix("Bearer ") not in keys:
            return await answers({"type": "error", "error": {"type": "authentication_error", "message": "no"}}, 401)(
                request, seen
            )
        return await anthropic(request, seen)

    async with provider() as openai, provider(script) as fake:
        config = two(openai.base_url, fake.base_url, "tenants: {revalidate: 0}")
        async with proxy(openai.base_url, config=config) as ours:
            await ours.chat(claude(), key="sk-ant-1")
            assert (await ours.chat(claude(), key="sk-ant-1"))[1]["X-Cache-Status"] == "hit"
            keys.clear()
            assert (await ours.chat(claude(), key="sk-ant-1"))[0] == 401
    assert [seen.path for seen in fake.seen].count("/v1/messages") == 1
    assert not openai.seen


async def test_an_upstream_that_sends_a_whole_answer_for_a_stream_and_the_reverse() -> None:
    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        if json.loads(seen.body).get("stream"):
            return web.json_response(MESSAGE)
        return await send(request, stream())

    async with provider(script) as fake, proxy(fake.base_url, config=two(fake.base_url, fake.base_url)) as ours:
        _, _, streamed = await ours.chat(claude(stream=True))
        _, headers, whole = await ours.chat(claude(seed=1, user="x"))
    assert streamed.endswith(b"data: [DONE]\n\n")
    assert headers["Content-Type"] == "application/json"
    assert json.loads(whole)["choices"][0]["message"]["content"] == "Paris."


async def test_by_default_claude_models_are_anthropics_and_nothing_else_is_asked_for_them() -> None:
    async with serving(loads("", "test"), {"cache.multi_level.l2.enabled": False}) as ours:
        routing = ours.app.edge.readers["/messages"].routing
        assert routing.route("claude-opus-5-5").ways[0].upstream == "anthropic"
        assert routing.peers["anthropic"].base_url == "https://api.anthropic.com/v1"
        assert routing.route("gpt-4o").ways[0].upstream == "default"
