"""The official client on the routes that only pass through, and what it raises: the same with the proxy as without."""

from __future__ import annotations

import io
import json
from collections.abc import Awaitable, Callable
from typing import Any

import openai
import pytest
from aiohttp import web
from openai._legacy_response import HttpxBinaryResponseContent

from tests.fakes import Seen, completion, provider, send
from tests.running import proxy

Ask = Callable[[openai.AsyncOpenAI], Awaitable[Any]]

MODEL = {"id": "gpt-x", "object": "model", "created": 1, "owned_by": "me", "brand_new": {"a": 1}}
FILE = {
    "id": "f-1",
    "object": "file",
    "bytes": 5,
    "created_at": 1,
    "filename": "a.jsonl",
    "purpose": "batch",
    "status": "ok",
}
BATCH = {
    "id": "b/1",
    "object": "batch",
    "completion_window": "24h",
    "created_at": 1,
    "endpoint": "/v1/chat/completions",
    "input_file_id": "f-1",
    "status": "in_progress",
}
SOUND = bytes(range(256)) * 900
PART = {"type": "output_text", "text": "Paris.", "annotations": []}
ITEM = {"id": "m", "type": "message", "role": "assistant", "status": "completed", "content": [PART]}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1.0,
    "model": "gpt-x",
    "output": [ITEM],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "status": "completed",
    "usage": {
        "input_tokens": 9,
        "output_tokens": 2,
        "total_tokens": 11,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens_details": {"reasoning_tokens": 0},
    },
}
EVENTS = [
    {"type": "response.created", "sequence_number": 0, "response": RESPONSE | {"status": "in_progress", "output": []}},
    {"type": "response.output_item.added", "sequence_number": 1, "output_index": 0,
     "item": ITEM | {"status": "in_progress", "content": []}},
    {"type": "response.content_part.added", "sequence_number": 2, "item_id": "m", "output_index": 0, "content_index": 0,
     "part": PART | {"text": ""}},
    {"type": "response.output_text.delta", "sequence_number": 3, "item_id": "m", "output_index": 0, "content_index": 0,
     "delta": "Paris.", "logprobs": []},
    {"type": "response.completed", "sequence_number": 4, "response": RESPONSE},
]  # fmt: skip
ANSWERS: dict[tuple[str, str], Any] = {
    ("GET", "/v1/models"): {"object": "list", "data": [MODEL]},
    ("GET", "/v1/models/ft:gpt%2Fx"): MODEL,
    ("POST", "/v1/embeddings"): {
        "object": "list",
        "model": "e",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.1, -2.5e-7]}],
        "usage": {"prompt_tokens": 1, "total_tokens": 1},
    },
    ("POST", "/v1/files"): FILE,
    ("POST", "/v1/batches"): BATCH,
    ("GET", "/v1/batches?after=b%2F0&limit=2"): {"object": "list", "data": [BATCH], "has_more": False},
    ("POST", "/v1/moderations"): {"id": "mod", "model": "omni", "results": []},
    ("DELETE", "/v1/files/f-1"): {"id": "f-1", "object": "file", "deleted": True},
}


async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
    headers = {"x-request-id": "req_7"}
    if seen.path == "/v1/audio/speech":
        return web.Response(body=SOUND, headers=headers | {"Content-Type": "audio/mpeg"})
    if seen.path == "/v1/responses":
        if not json.loads(seen.body).get("stream"):
            return web.json_response(RESPONSE, headers=headers)
        named = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in EVENTS]
        return await send(request, named)
    return web.json_response(ANSWERS[request.method, seen.path], headers=headers)


async def models(client: openai.AsyncOpenAI) -> Any:
    return [model async for model in client.models.list()]


async def batches(client: openai.AsyncOpenAI) -> Any:
    return (await client.batches.list(after="b/0", limit=2)).data


async def upload(client: openai.AsyncOpenAI) -> Any:
    return await client.files.create(file=("ä.jsonl", io.BytesIO(b"\r\n--x\0" * 100_000)), purpose="batch")


async def batch(client: openai.AsyncOpenAI) -> Any:
    return await client.batches.create(
        completion_window="24h", endpoint="/v1/chat/completions", input_file_id="f-1", metadata={"a": "b"}
    )


async def speech(client: openai.AsyncOpenAI) -> Any:
    create = client.audio.speech.with_streaming_response.create
    async with create(model="tts", voice="alloy", input="x") as reply:
        return reply.headers["content-type"], b"".join([piece async for piece in reply.iter_bytes(1000)])


async def speech_at_once(client: openai.AsyncOpenAI) -> Any:
    made = await client.audio.speech.create(model="tts", voice="alloy", input="x")
    assert isinstance(made, HttpxBinaryResponseContent)
    return made.content


async def streamed(client: openai.AsyncOpenAI) -> Any:
    return [event async for event in await client.responses.create(model="gpt-x", input="x", stream=True)]


async def helped(client: openai.AsyncOpenAI) -> Any:
    async with client.responses.stream(model="gpt-x", input="x") as stream:
        return [event.type async for event in stream], (await stream.get_final_response()).to_dict()


ASKS: dict[str, Ask] = {
    "models": models,
    "model": lambda client: client.models.retrieve("ft:gpt/x"),
    "embeddings": lambda client: client.embeddings.create(model="e", input=["x"], encoding_format="float"),
    "embeddings in base64": lambda client: client.embeddings.create(model="e", input=["x"]),
    "upload": upload,
    "delete": lambda client: client.files.delete("f-1"),
    "batch": batch,
    "batches": batches,
    "moderation": lambda client: client.moderations.create(input="x"),
    "speech": speech,
    "speech at once": speech_at_once,
    "response": lambda client: client.responses.create(model="gpt-x", input="x"),
    "response in events": streamed,
    "response with the helper": helped,
}


def client(base_url: str, key: str = "sk-test") -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0, timeout=20)


def dump(found: Any) -> Any:
    if isinstance(found, list):
        return [dump(item) for item in found]
    return (type(found), found.model_dump(), found.to_dict()) if hasattr(found, "to_dict") else found


@pytest.mark.parametrize("name", ASKS)
async def test_other_routes_give_the_same_objects(name: str) -> None:
    async with provider(script) as fake, proxy(fake.base_url) as ours:
        async with client(fake.base_url) as made:
            direct = await ASKS[name](made)
        async with client(ours.base_url) as made:
            proxied = await ASKS[name](made)
        assert dump(proxied) == dump(direct)
        assert getattr(proxied, "_request_id", None) == getattr(direct, "_request_id", None)
        asked, forwarded = fake.seen
    assert (forwarded.method, forwarded.path) == (asked.method, asked.path)
    if name != "upload":  # the client draws a new boundary each time
        assert forwarded.body == asked.body
    else:
        assert len(forwarded.body) == len(asked.body) > 500_000
    own = {"host", "connection"} | ({"content-type"} if name == "upload" else set())
    if "response" in name or "embeddings" in name:  # these are read, so that no coding may hide them
        own |= {"accept-encoding"}
        assert forwarded.headers["Accept-Encoding"] == "identity"
    assert lines(forwarded, own) == lines(asked, own)


def lines(seen: Seen, left_out: set[str]) -> list[tuple[str, str]]:
    """A length of nothing is the same as none."""
    kept = [line for line in seen.headers.items() if line[0].lower() not in left_out]
    return sorted(line for line in kept if line != ("Content-Length", "0"))


RAISED = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    409: openai.ConflictError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
    500: openai.InternalServerError,
    503: openai.InternalServerError,
}


def failing(status: int) -> Callable[[web.Request, Seen], Awaitable[web.StreamResponse]]:
    async def fails(request: web.Request, seen: Seen) -> web.StreamResponse:
        error = {"message": f"no: {status}", "type": "t", "param": "messages[0]", "code": "c", "brand_new": [1]}
        return web.json_response(
            {"error": error}, status=status, headers={"x-request-id": "req_9", "Retry-After": "77"}
        )

    return fails


def told(error: openai.APIStatusError) -> Any:
    facts = (error.status_code, error.body, error.request_id, error.message, error.code, error.param, error.type)
    return type(error), *facts, error.response.headers["retry-after"], error.response.content


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", RAISED)
async def test_an_error_is_the_providers_own(status: int, stream: bool) -> None:
    async def ask(made: openai.AsyncOpenAI) -> Any:
        with pytest.raises(openai.APIStatusError) as caught:
            await made.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}], stream=stream)
        return told(caught.value)

    async with provider(failing(status)) as fake, proxy(fake.base_url, config="upstream: {retries: 0}") as ours:
        async with client(fake.base_url) as made:
            direct = await ask(made)
        async with client(ours.base_url) as made:
            assert await ask(made) == direct
            assert await ask(made) == direct
        assert fake.calls == 3  # an error is never answered from memory
    assert direct[0] is RAISED[status]


@pytest.mark.parametrize("status", RAISED)
async def test_an_error_on_another_route_is_the_providers_own(status: int) -> None:
    async def ask(made: openai.AsyncOpenAI) -> Any:
        with pytest.raises(openai.APIStatusError) as caught:
            await made.embeddings.create(model="m", input="x")
        return told(caught.value)

    async with provider(failing(status)) as fake, proxy(fake.base_url, config="upstream: {retries: 0}") as ours:
        async with client(fake.base_url) as made:
            direct = await ask(made)
        async with client(ours.base_url) as made:
            assert await ask(made) == direct
    assert direct[0] is RAISED[status]


async def test_an_error_inside_a_stream_is_raised_where_it_stands() -> None:
    async def breaks(request: web.Request, seen: Seen) -> web.StreamResponse:
        first = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": []}
        failed = {"error": {"message": "overloaded", "type": "server_error", "param": None, "code": "busy"}}
        return await send(request, [b"data: " + json.dumps(event).encode() + b"\n\n" for event in (first, failed)])

    async def ask(made: openai.AsyncOpenAI) -> Any:
        chunks = []
        messages: Any = [{"role": "user", "content": "x"}]
        stream = await made.chat.completions.create(model="m", messages=messages, stream=True)
        with pytest.raises(openai.APIError, match="overloaded") as caught:  # noqa: PT012 - it raises while it iterates
            async for chunk in stream:
                chunks.append(chunk.to_dict())
        return chunks, type(caught.value), caught.value.body, caught.value.code

    async with provider(breaks) as fake, proxy(fake.base_url) as ours:
        async with client(fake.base_url) as made:
            direct = await ask(made)
        async with client(ours.base_url) as made:
            assert await ask(made) == direct
    assert len(direct[0]) == 1


async def test_the_clients_own_retries_see_what_the_provider_says() -> None:
    """A client that retries by itself finds the answer behind the failures that were handed on to it."""
    failures = iter([429, 503])

    async def recovers(request: web.Request, seen: Seen) -> web.StreamResponse:
        status = next(failures, 200)
        body = completion() if status == 200 else {"error": {"message": "later"}}
        return web.json_response(body, status=status, headers={"retry-after-ms": "1"})

    async with provider(recovers) as fake, proxy(fake.base_url, config="upstream: {retries: 0}") as ours:
        made = openai.AsyncOpenAI(base_url=ours.base_url, api_key="sk-test", max_retries=2, timeout=20)
        async with made:
            found = await made.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
        assert found.choices[0].message.content == "Paris."
        assert [seen.headers["x-stainless-retry-count"] for seen in fake.seen] == ["0", "1", "2"]
