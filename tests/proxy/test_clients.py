"""The official client sees the same objects with the proxy as without it, in every form and in every order."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterable
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from aiohttp import web
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel

from adapters.openai_fold import DONE, fold
from adapters.sse import frame_of
from tests.fakes import Seen, answers, completion, provider, send
from tests.recorded import PAIRS, events, recorded, whole
from tests.running import proxy

MESSAGES: Any = [{"role": "user", "content": "x"}]

WHOLE: dict[str, Any] = {}
STREAM: dict[str, Any] = {"stream": True}
COUNTED: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
FORMS = {"whole": WHOLE, "stream": STREAM, "counted": COUNTED}

UNASKED = {"deepseek_reasoning", "gemini_tools", "openrouter_reasoning"}
"""Streams that carry `usage` whether or not it was asked for. A hit carries it only where it was: an entry does not
know what its provider does unasked."""

COUNTS_ELSEWHERE = {"groq_text"}
"""Streams with usage, unasked too, in a member of another name; a hit has it where OpenAI has it, if asked."""

NEVER_STREAMED: dict[str, tuple[str, ...]] = {
    "azure_filters": ("annotations",),
    "deepseek_reasoning": (),
    "gemini_tools": (),
    "groq_text": (),
    "openai_audio": ("annotations",),
    "openai_citations": (),
    "openai_custom_tool": ("annotations",),
    "openai_logprobs": ("annotations",),
    "openai_refusal": ("annotations",),
    "openai_text": ("annotations",),
    "openai_tools": ("annotations",),
    "openai_two_choices": ("annotations",),
    "openrouter_reasoning": (),
    "vllm_text": (),
}
"""Members of a whole answer's messages that the same provider's stream never mentions, so that no whole answer made of
it can have them. All of them are empty lists."""

NOT_JOINED_BY_THE_CLIENT = {"gemini_tools", "openai_custom_tool"}
"""Streams on which the client's own helper raises, with the proxy as without it: calls without index or function."""

MISREAD_BY_THE_CLIENT: dict[str, tuple[str, ...]] = {
    "azure_filters": ("id", "created", "model", "content_filter_results", "prompt_filter_results"),
    "openrouter_reasoning": ("role", "format", "native_finish_reason"),
}
"""Members that the helper reads wrongly from the provider's own chunks (it takes the first chunk's empty id, and joins
what is repeated) and rightly from ours."""


@asynccontextmanager
async def client(base_url: str) -> Any:
    async with openai.AsyncOpenAI(base_url=base_url, api_key="sk-test", max_retries=0, timeout=20) as made:
        yield made


async def ask(base_url: str, name: str, **form: Any) -> tuple[Any, Any]:
    """What the client hands out (a completion, or the list of its chunks) and the headers."""
    async with client(base_url) as made:
        raw = await made.chat.completions.with_raw_response.create(model=name, messages=MESSAGES, **form)
        found = raw.parse()
        return ([chunk async for chunk in found] if form.get("stream") else found), raw.headers


def dump(found: Any) -> Any:
    """Every member, also those that the client's types don't know, and which of them were there at all."""
    if isinstance(found, list):
        return [dump(chunk) for chunk in found]
    return found.model_dump(), found.to_dict(), found.model_extra


def read(found: ChatCompletion | list[ChatCompletionChunk]) -> dict[str, Any]:
    """What an application reads off a completion, or off the chunks it joins."""
    objects: list[Any] = found if isinstance(found, list) else [found]
    said: dict[int, dict[str, Any]] = {}
    usage: Any = None
    for one in objects:
        usage = one.usage.to_dict() if one.usage else usage
        for choice in one.choices:
            part = choice.delta if isinstance(found, list) else choice.message
            told = said.setdefault(
                choice.index, {"calls": [], "texts": {}, "notes": [], "tokens": [], "audio": [b"", ""]}
            )
            told["finish"] = choice.finish_reason or told.get("finish")
            _join(told, part.to_dict())
            told["tokens"] += [token.to_dict() for token in (choice.logprobs and choice.logprobs.content) or []]
    names = {
        name: next((v for one in objects if (v := getattr(one, name))), None) for name in ("id", "created", "model")
    }
    return {"choices": said, "usage": usage} | names


def _join(told: dict[str, Any], part: dict[str, Any]) -> None:
    for name in ("content", "refusal", "reasoning_content", "reasoning"):
        told["texts"][name] = told["texts"].get(name, "") + (part.get(name) or "")
    told["notes"] += part.get("annotations") or []
    audio = part.get("audio") or {}
    told["audio"][0] += base64.b64decode(audio.get("data") or "")
    told["audio"][1] += audio.get("transcript") or ""
    for place, call in enumerate(part.get("tool_calls") or []):
        if call.get("id"):
            told["calls"].append([call["id"], "", ""])
        mine = told["calls"][call.get("index", place)] if not call.get("id") else told["calls"][-1]
        for kind, grows in (("function", "arguments"), ("custom", "input")):
            mine[1] += (call.get(kind) or {}).get("name") or ""
            mine[2] += (call.get(kind) or {}).get(grows) or ""


def without(names: Iterable[str], value: Any) -> Any:
    if isinstance(value, list):
        return [without(names, item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: without(names, item) for name, item in value.items() if name not in names}


def test_every_pair_says_what_it_loses() -> None:
    assert list(NEVER_STREAMED) == PAIRS
    for name, lost in NEVER_STREAMED.items():
        messages = [choice["message"] for choice in json.loads(whole(name))["choices"]]
        assert all(message[member] == [] for member in lost for message in messages)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", PAIRS)
async def test_a_miss_is_what_the_provider_sent(name: str, form: str) -> None:
    async with provider(recorded) as fake, proxy(fake.base_url) as ours:
        direct, _ = await ask(fake.base_url, name, **FORMS[form])
        proxied, headers = await ask(ours.base_url, name, **FORMS[form])
    assert headers["X-Cache-Status"] == "miss"
    assert dump(proxied) == dump(direct)


@pytest.mark.parametrize("name", PAIRS)
async def test_whole_after_whole_is_the_same_object(name: str) -> None:
    async with provider(recorded) as fake, proxy(fake.base_url) as ours:
        direct, _ = await ask(fake.base_url, name)
        await ask(ours.base_url, name)
        hit, headers = await ask(ours.base_url, name)
    assert headers["X-Cache-Status"] == "hit"
    assert dump(hit) == dump(direct)
    assert hit._request_id == direct._request_id == "req_whole"


@pytest.mark.parametrize("usage", [False, True])
@pytest.mark.parametrize("name", PAIRS)
async def test_stream_after_whole_says_what_the_whole_answer_says(name: str, usage: bool) -> None:
    async with provider(recorded) as fake, proxy(fake.base_url) as ours:
        direct, _ = await ask(fake.base_url, name)
        await ask(ours.base_url, name)
        hit, headers = await ask(ours.base_url, name, **(COUNTED if usage else STREAM))
    assert headers["X-Cache-Status"] == "hit"
    assert {type(chunk) for chunk in hit} == {ChatCompletionChunk}
    expected = read(direct)
    assert read(hit) == expected if usage else read(hit) == expected | {"usage": None}
    # Nothing at all is missing from the chunks, known to the client or not.
    assert joined(hit) == (direct.to_dict() if usage else without(("usage",), direct.to_dict()))


def joined(chunks: list[ChatCompletionChunk]) -> dict[str, Any]:
    """The whole answer that these chunks amount to, as the client reads it."""
    frames = [frame_of(json.dumps(chunk.to_dict()).encode()) for chunk in chunks]
    return ChatCompletion.model_validate(fold([*frames, DONE])).to_dict()


@pytest.mark.parametrize(("first", "second"), [("stream", "stream"), ("counted", "counted"), ("counted", "stream")])
@pytest.mark.parametrize("name", PAIRS)
async def test_stream_after_stream_says_the_same(name: str, first: str, second: str) -> None:
    async with provider(recorded) as fake, proxy(fake.base_url) as ours:
        direct, _ = await ask(fake.base_url, name, **FORMS[second])
        await ask(ours.base_url, name, **FORMS[first])
        hit, headers = await ask(ours.base_url, name, **FORMS[second])
    assert headers["X-Cache-Status"] == "hit"
    left_out: tuple[str, ...] = ("x_groq",) if name in COUNTS_ELSEWHERE else ()
    if name in COUNTS_ELSEWHERE or (second == "stream" and name in UNASKED):
        left_out += ("usage",)
    assert without(left_out, read(hit)) == without(left_out, read(direct))
    assert without(left_out, joined(hit)) == without(left_out, joined(direct))
    if second == "stream":
        assert all(chunk.usage is None for chunk in hit)


@pytest.mark.parametrize("name", PAIRS)
async def test_whole_after_stream_is_the_whole_answer_as_far_as_streams_tell(name: str) -> None:
    async with provider(recorded) as fake, proxy(fake.base_url) as ours:
        direct, _ = await ask(fake.base_url, name)
        await ask(ours.base_url, name, **COUNTED)
        hit, headers = await ask(ours.base_url, name)
    assert headers["X-Cache-Status"] == "hit"
    assert hit.to_dict() == without(NEVER_STREAMED[name], direct.to_dict())
    assert read(hit) == read(direct)


@pytest.mark.parametrize("name", PAIRS)
async def test_a_stream_without_usage_serves_nobody_who_needs_it(name: str) -> None:
    """Unless its provider counts unasked: then there is usage to give."""
    counts = name in UNASKED | COUNTS_ELSEWHERE
    async with provider(recorded) as fake, proxy(fake.base_url) as ours:
        direct, _ = await ask(fake.base_url, name)
        await ask(ours.base_url, name, **STREAM)
        proxied, headers = await ask(ours.base_url, name)
        assert headers["X-Cache-Status"] == ("hit" if counts else "miss")
        assert fake.calls == 3 - counts
    assert dump(proxied) == dump(direct)


@pytest.mark.parametrize("name", sorted(set(PAIRS) - NOT_JOINED_BY_THE_CLIENT))
async def test_the_streaming_helper(name: str) -> None:
    """`stream()` with its own events, and the completion that the client makes of them."""
    async with provider(recorded) as fake, proxy(fake.base_url) as ours:
        direct, kinds = await helped(fake.base_url, name)
        miss, miss_kinds = await helped(ours.base_url, name)
        hit, hit_kinds = await helped(ours.base_url, name)
        assert fake.calls == 2
    assert (miss, miss_kinds) == (direct, kinds)
    misread = MISREAD_BY_THE_CLIENT.get(name, ())
    unheard = ("usage", "x_groq") if name in COUNTS_ELSEWHERE else ()
    assert without((*misread, *unheard), hit) == without((*misread, *unheard), direct)
    assert {kind for kind in kinds if kind.endswith("done")} == {kind for kind in hit_kinds if kind.endswith("done")}


async def helped(base_url: str, name: str) -> tuple[dict[str, Any], list[str]]:
    options: Any = {"include_usage": True}
    async with (
        client(base_url) as made,
        made.chat.completions.stream(model=name, messages=MESSAGES, stream_options=options) as stream,
    ):
        kinds = [event.type async for event in stream]
        return (await stream.get_final_completion()).to_dict(), kinds


class City(BaseModel):
    name: str
    people: int


async def structured(request: web.Request, seen: Seen) -> web.StreamResponse:
    """Answers by the schema, in either form."""
    body = json.loads(seen.body)
    assert body["response_format"]["json_schema"]["schema"]["title"] == "City"
    text = '{"name": "Bilbao", "people": 346000}'
    if not body.get("stream"):
        return await answers(completion(text))(request, seen)
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    deltas: list[Any] = [{"role": "assistant", "content": ""}, {"content": text[:9]}, {"content": text[9:]}]
    sent = [head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    sent.append(head | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return await send(request, [frame_of(json.dumps(chunk).encode()).raw for chunk in sent] + [DONE.raw])


async def test_structured_output_whole_and_streamed() -> None:
    async with provider(structured) as fake, proxy(fake.base_url) as ours:
        async with client(fake.base_url) as made:
            direct = await made.chat.completions.parse(model="m", messages=MESSAGES, response_format=City)
        async with client(ours.base_url) as made:
            for _ in range(2):
                parsed = await made.chat.completions.parse(model="m", messages=MESSAGES, response_format=City)
                assert parsed.choices[0].message.parsed == City(name="Bilbao", people=346000)
                assert parsed.model_dump(warnings=False) == direct.model_dump(warnings=False)
            assert fake.calls == 2
            async with made.chat.completions.stream(model="m", messages=MESSAGES, response_format=City) as stream:
                final = await stream.get_final_completion()
            assert final.choices[0].message.parsed == City(name="Bilbao", people=346000)
            assert fake.calls == 2


async def test_the_client_without_asyncio() -> None:
    def talk(base_url: str) -> list[Any]:
        with openai.OpenAI(base_url=base_url, api_key="sk-test", max_retries=0, timeout=20) as made:
            found = made.chat.completions.create(model="openai_tools", messages=MESSAGES)
            chunks = made.chat.completions.create(model="openai_tools", messages=MESSAGES, **STREAM)
            return [dump(found), read(list(chunks))]

    async with provider(recorded) as fake, proxy(fake.base_url) as ours:
        direct = await asyncio.to_thread(talk, fake.base_url)
        assert await asyncio.to_thread(talk, ours.base_url) == direct
        assert await asyncio.to_thread(talk, ours.base_url) == direct
        assert fake.calls == 3


async def test_arguments_still_come_in_pieces_on_a_hit() -> None:
    async with provider(recorded) as fake, proxy(fake.base_url) as ours:
        await ask(ours.base_url, "openai_tools")
        hit, _ = await ask(ours.base_url, "openai_tools", **STREAM)
    deltas = [call for chunk in hit for choice in chunk.choices for call in choice.delta.tool_calls or []]
    pieces = {index: [d.function.arguments for d in deltas if d.index == index] for index in (0, 1)}
    assert all(len(texts) > 2 and texts[0] == "" for texts in pieces.values())
    assert {i: "".join(texts) for i, texts in pieces.items()} == {0: '{"city": "Bilbao"}', 1: '{"zone": "CET"}'}


def test_the_script_leaves_usage_out_where_it_was_not_asked_for() -> None:
    assert len(events("openai_text", usage=True)) == len(events("openai_text", usage=False)) + 1
    assert b"usage" not in b"".join(events("openai_text", usage=False))
