"""The other APIs through the proxy: every recorded pair to the byte, both official clients, and a conversation with
tools in translation against the same one spoken natively."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from aiohttp import web
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from adapters.anthropic_messages import ANTHROPIC_MESSAGES
from adapters.openai_responses import OPENAI_RESPONSES
from adapters.sse import Frame, Splitter
from adapters.vocabulary import Answer, Dialect
from cache.policy import Policy
from tests.fakes import KEY, Seen, provider, send
from tests.running import proxy

DATA = Path(__file__).parents[1] / "adapters" / "data"
LANGUAGES: dict[str, tuple[str, Dialect, dict[str, Any]]] = {
    "anthropic": ("/messages", ANTHROPIC_MESSAGES, {"max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}),
    "responses": ("/responses", OPENAI_RESPONSES, {"input": "x"}),
}
PAIRS = [(language, path.stem) for language in LANGUAGES for path in sorted((DATA / language).glob("*.sse"))]
NATIVE = "upstream: {speaks: both}"


async def recorded(request: web.Request, seen: Seen) -> web.StreamResponse:
    """Sends the pair that the model names."""
    language = "anthropic" if "/messages" in seen.path else "responses"
    body = json.loads(seen.body)
    path = DATA / language / body["model"]
    if not body.get("stream"):
        return web.Response(body=path.with_suffix(".json").read_bytes(), content_type="application/json")
    return await send(request, pieces(path.with_suffix(".sse").read_bytes()))


def pieces(raw: bytes) -> list[bytes]:
    """One for each event; the last may end in a CR that could be half of a line's end."""
    splitter = Splitter()
    found = [frame.raw for frame in splitter.feed(raw)]
    return [each for each in (*found, splitter.rest()) if each]


def whole(language: str, name: str) -> Any:
    return json.loads((DATA / language / f"{name}.json").read_bytes())


def kept(language: str, name: str) -> bool:
    """Whether a whole answer may be kept and told again as a stream."""
    dialect = LANGUAGES[language][1]
    answer = Answer(dialect, body=(DATA / language / f"{name}.json").read_bytes())
    return not Policy().objection(answer)


@pytest.mark.parametrize(("language", "name"), PAIRS)
async def test_every_recorded_pair_passes_to_the_byte_and_is_told_again(language: str, name: str) -> None:
    path, dialect, more = LANGUAGES[language]
    body = {"model": name} | more
    async with provider(recorded) as fake, proxy(fake.base_url, config=NATIVE) as ours:
        plain = (DATA / language / f"{name}.json").read_bytes()
        first = await ours.chat(body, path=path)
        assert first[2] == plain
        again = await ours.chat(body, path=path)
        assert again[2] == plain
        assert (again[1]["X-Cache-Status"] == "hit") is kept(language, name)
        told = await ours.chat(body | {"stream": True}, path=path)
        if again[1]["X-Cache-Status"] == "hit":
            assert told[1]["X-Cache-Status"] == "hit"
            assert dialect.fold(Splitter().feed(told[2])) == json.loads(plain)


@pytest.mark.parametrize(("language", "name"), PAIRS)
async def test_every_recorded_stream_passes_to_the_byte_and_serves_whole_requests(language: str, name: str) -> None:
    path, _, more = LANGUAGES[language]
    body = {"model": name} | more
    raw = (DATA / language / f"{name}.sse").read_bytes()
    async with provider(recorded) as fake, proxy(fake.base_url, config=NATIVE) as ours:
        _, headers, told = await ours.chat(body | {"stream": True}, path=path)
        sent = pieces(raw)
        end = next((place for place, each in enumerate(sent) if LANGUAGES[language][1].is_end(Frame(each))), len(sent))
        assert told.startswith(b"".join(sent[: end + 1]))
        assert headers["X-Cache-Status"] == "miss"
        status, headers, answer = await ours.chat(body, path=path)
        assert status == 200
        assert json.loads(answer) == whole(language, name)


def shaped(draw: st.DrawFn, members: tuple[tuple[str, str], ...]) -> bytes:
    space, number = st.text(" \t\n\r", max_size=2), st.sampled_from(["1.0", "1e2", "-0", "0.10", '"\\u00e9"', "[ ]"])
    names = draw(st.lists(st.sampled_from(["u_a", "u_b", "u_c"]), unique=True, max_size=3))
    pairs = draw(st.permutations([*members, *[(name, draw(number)) for name in names]]))
    inner = ",".join(f'{draw(space)}"{name}"{draw(space)}:{draw(space)}{value}{draw(space)}' for name, value in pairs)
    return ("{" + inner + "}" + draw(space)).encode()


@st.composite
def written(draw: st.DrawFn) -> tuple[str, bytes]:
    """A request as somebody may have written it, and where it goes."""
    model = ("model", '"m"')
    path, members = draw(
        st.sampled_from(
            [
                ("/messages", (model, ("messages", '[ {"role":"user" ,"content":"x"}]'), ("max_tokens", "9"))),
                ("/responses", (model, ("input", '"x" '))),
                ("/embeddings", (model, ("input", '[ "x","y"]'))),
            ]
        )
    )
    return path, shaped(draw, members)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(st.lists(written(), min_size=5, max_size=10))
def test_a_request_of_any_api_reaches_the_provider_as_it_was_sent(bodies: list[tuple[str, bytes]]) -> None:
    async def nothing(request: web.Request, seen: Seen) -> web.StreamResponse:
        return web.json_response({})

    async def run() -> None:
        async with provider(nothing) as fake, proxy(fake.base_url, config=NATIVE) as ours:
            for path, raw in bodies:
                status, headers, _ = await ours.chat(raw, path=path, Cache_Control="no-cache")
                assert status == 200
                assert "X-Warmgate-Modified" not in headers
                assert fake.seen[-1].body == raw

    asyncio.run(run())


# ---------------------------------------------------------------- a conversation with tools, natively and translated

TURNS = 10
WEATHER = {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}


def said(turn: int) -> dict[str, Any]:
    """What the model says: it thinks, it speaks, it calls two tools at once; at the end it only speaks."""
    thought = {"type": "thinking", "thinking": f"Thought {turn}.", "signature": f"signed-{turn}=="}
    text = {"type": "text", "text": f"Turn {turn}: “naïve” 🌧"}
    calls = [
        {
            "type": "tool_use",
            "id": f"toolu_{turn}_{n}",
            "name": "weather",
            "input": {"z": 1.0, "place": f"P{n}", "a": []},
        }
        for n in range(2)
    ]
    last = turn == TURNS - 1
    return {
        "id": f"msg_{turn}",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5-5",
        "content": [thought, text] if last else [thought, text, *calls],
        "stop_reason": "end_turn" if last else "tool_use",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 5,
            "cache_read_input_tokens": 7,
            "cache_creation_input_tokens": 0,
            "output_tokens": 3,
        },
    }


async def claude(request: web.Request, seen: Seen) -> web.StreamResponse:
    body = json.loads(seen.body)
    message = said(sum(one["role"] == "assistant" for one in body["messages"]))
    if not body.get("stream"):
        return web.json_response(message)
    return await send(request, [frame.raw for frame in ANTHROPIC_MESSAGES.unfold(message, usage=True)])


async def natively(base_url: str) -> None:
    async with anthropic.AsyncAnthropic(base_url=base_url, api_key=KEY, max_retries=0, timeout=20) as client:
        messages: list[Any] = [{"role": "user", "content": [{"type": "text", "text": "Go."}]}]
        tool = {"name": "weather", "description": "d", "input_schema": WEATHER}
        for _ in range(TURNS):
            answer = await client.messages.create(
                model="claude-sonnet-5-5", max_tokens=900, system=[{"type": "text", "text": "S"}],
                tools=[tool], messages=messages,  # type: ignore[list-item]
            )  # fmt: skip
            blocks = [block.model_dump(exclude_none=True) for block in answer.content]
            results = [
                {"type": "tool_result", "tool_use_id": block["id"], "content": f"rain in {block['input']['place']}"}
                for block in blocks
                if block["type"] == "tool_use"
            ]
            messages += [{"role": "assistant", "content": blocks}, {"role": "user", "content": results}]


async def translated(base_url: str, *, stream: bool) -> None:
    async with openai.AsyncOpenAI(base_url=base_url, api_key=KEY, max_retries=0, timeout=20) as client:
        messages: list[Any] = [{"role": "system", "content": "S"}, {"role": "user", "content": "Go."}]
        tool = {"type": "function", "function": {"name": "weather", "description": "d", "parameters": WEATHER}}
        shared: dict[str, Any] = {"model": "claude-sonnet-5-5", "max_tokens": 900, "tools": [tool]}
        for _ in range(TURNS):
            if stream:
                message = await _streamed(client, messages, shared)
            else:
                answer = await client.chat.completions.create(messages=messages, **shared)
                message = answer.choices[0].message.model_dump(exclude_none=True)
            messages.append(message)
            for call in message.get("tool_calls") or ():
                place = json.loads(call["function"]["arguments"])["place"]
                messages.append({"role": "tool", "tool_call_id": call["id"], "content": f"rain in {place}"})


async def _streamed(client: openai.AsyncOpenAI, messages: list[Any], shared: dict[str, Any]) -> dict[str, Any]:
    """A client that keeps what it was given, also what it does not know."""
    message: dict[str, Any] = {"role": "assistant", "content": "", "tool_calls": [], "thinking_blocks": []}
    async for chunk in await client.chat.completions.create(messages=messages, stream=True, **shared):
        for choice in chunk.choices:
            delta = choice.delta.model_dump(exclude_none=True)
            message["content"] += delta.get("content", "")
            message["thinking_blocks"] += delta.get("thinking_blocks", [])
            for part in delta.get("tool_calls", ()):
                if part["index"] == len(message["tool_calls"]):
                    message["tool_calls"].append({"id": part["id"], "type": "function", "function": part["function"]})
                else:
                    message["tool_calls"][part["index"]]["function"]["arguments"] += part["function"]["arguments"]
    return {name: value for name, value in message.items() if value}


def blocks(seen: Seen) -> list[dict[str, Any]]:
    """The turns as the provider sees them; a text and a list of one text are the same to it."""
    turns: list[dict[str, Any]] = json.loads(seen.body)["messages"]
    for turn in turns:
        for block in turn["content"]:
            if block["type"] == "tool_result" and isinstance(block["content"], str):
                block["content"] = [{"type": "text", "text": block["content"]}]
    return turns


@pytest.mark.parametrize("stream", [False, True])
async def test_ten_turns_with_parallel_tools_reach_the_provider_as_native_calls_do(stream: bool) -> None:
    async with provider(claude) as fake, proxy(fake.base_url, config="upstream: {speaks: anthropic}") as ours:
        await natively(ours.root)
        native, fake.seen[:] = list(fake.seen), []
        await translated(ours.base_url, stream=stream)
        foreign = list(fake.seen)
    assert len(native) == len(foreign) == TURNS
    for mine, theirs in zip(foreign, native, strict=True):
        assert blocks(mine) == blocks(theirs)
    # And each turn repeats the bytes of the one before: the provider's prompt cache goes on reading.
    for before, after in pairwise(foreign):
        start = before.body.index(b'"messages":')
        assert after.body[start:].startswith(before.body[start : before.body.rindex(b"}]}]") + 2])


async def test_the_same_question_of_two_clients_is_two_answers() -> None:
    """In their own languages: what is kept for one is no answer for the other."""
    async with provider(claude) as fake, proxy(fake.base_url, config="upstream: {speaks: anthropic}") as ours:
        ask = {"model": "claude-sonnet-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
        chat = json.loads((await ours.chat(ask))[2])
        native = json.loads((await ours.chat(ask, path="/messages"))[2])
    assert (chat["object"], native["type"]) == ("chat.completion", "message")
    assert len(fake.seen) == 2


# ---------------------------------------------------------------- rubbish

json_value = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "text", "role", "id"]), inner),
    max_leaves=5,
)
ROUTES: dict[str, dict[str, Any]] = {
    "/chat/completions": {"messages": [{"role": "user", "content": "x"}]},
    "/messages": {"messages": [{"role": "user", "content": "x"}], "max_tokens": 9},
    "/responses": {"input": "x"},
    "/embeddings": {"input": ["x", "y"]},
}
MEMBERS = [
    *("messages", "input", "tools", "system", "max_tokens", "thinking", "stop", "metadata", "stream_options", "text"),
    *("tool_choice", "response_format", "output_config", "n", "user", "cache", "encoding_format", "reasoning_effort"),
]


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(ROUTES)),
            st.sampled_from(["m", "claude-opus-5-5", "claude-haiku-4-5"]),
            st.dictionaries(st.sampled_from(MEMBERS), json_value, max_size=3),
            st.booleans(),
        ),
        min_size=5,
        max_size=10,
    )
)
def test_no_request_makes_it_fall_over(asked: list[tuple[str, str, dict[str, Any], bool]]) -> None:
    """Whatever stands where: an answer, or an error in the client's own words, and never ours to be ashamed of."""

    async def rubbish(request: web.Request, seen: Seen) -> web.StreamResponse:
        kind = "text/event-stream" if b"stream" in seen.body else "application/json"
        return web.Response(body=b'{"choices":[{"message":7}],"content":[{}],"usage":[]}\n\n', content_type=kind)

    async def run() -> None:
        async with provider(rubbish) as fake:
            config = f'{{upstreams: {{c: {{base_url: "{fake.base_url}", speaks: anthropic}}}},'
            config += ' routes: [{model: "claude-*", upstream: c}]}'
            async with proxy(fake.base_url, config=config) as ours:
                for path, model, members, stream in asked:
                    body = {"model": model} | ROUTES[path] | ({"stream": True} if stream else {}) | members
                    status, _, raw = await ours.chat(json.dumps(body).encode(), path=path)
                    assert status in (200, 400, 502), (status, raw)
                    if status == 400:
                        told = json.loads(raw)
                        assert told["error"]["message"]
                        assert ("type" in told) is (path == "/messages")

    asyncio.run(run())
