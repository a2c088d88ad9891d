"""Warm calls as a whole: what of the real request is in them, that providers take them, and that they warm.

The simulated provider stands for the real ones: its checks are theirs as far as they are documented, and its model of
Anthropic's cache says whether a sibling reads what a warm call has written.
"""

from __future__ import annotations

import json
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import simulated_answer, simulated_messages_check, simulated_responses
from adapters.breakpoint_cache import BreakpointCache
from adapters.breakpoint_prompt import UNMARKABLE, prompt_of
from adapters.marking import Place, legal, marked
from adapters.profiles import Profile, profile_of
from adapters.prompt_blocks import CHAT, CHAT_PARTS, MESSAGES, RESPONSES, RESPONSES_PARTS, blocks, paths, wire_of
from adapters.simulated_messages import thinks
from adapters.spans import Path, spans
from adapters.warm_call import LEFT_OUT, WarmBody, warm_call
from adapters.warm_call_form import Refusal
from tests.adapters.conversations import CALM, JUNK, ODD, chat_bodies, messages_bodies, responses_bodies, written

HEADERS = {"anthropic-version": "2023-06-01"}
ANTHROPIC = profile_of("anthropic", "claude-opus-4-8")


def objection(api: str, body: dict[str, Any]) -> Any:
    if api == MESSAGES:
        return simulated_messages_check.objection(body, HEADERS, seed=0)
    return simulated_answer.objection(body) if api == CHAT else simulated_responses.objection(body)


def warmed(raw: bytes | dict[str, Any], api: str, profile: Profile, path: Path, **more: Any) -> WarmBody | Refusal:
    body = json.dumps(raw).encode() if isinstance(raw, dict) else raw
    parsed = msgspec.json.decode(body)
    return warm_call(body, parsed, api=api, profile=profile, path_end=path, model=str(parsed.get("model")), **more)


def made(raw: bytes | dict[str, Any], api: str, profile: Profile, path: Path, **more: Any) -> WarmBody:
    warm = warmed(raw, api, profile, path, **more)
    assert isinstance(warm, WarmBody), warm
    return warm


# Everything in one request of each API: what stays, and what goes.


def test_anthropic() -> None:
    body = {
        "model": "claude-opus-4-8",
        "stream": True,
        "max_tokens": 4096,
        "metadata": {"user_id": "u"},
        "stop_sequences": ["x"],
        "cache_control": {"type": "ephemeral"},
        "service_tier": "auto",
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "low"},
        "tool_choice": {"type": "auto"},
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
        "system": "s",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "doc"}, {"type": "text", "text": "q"}]}],
    }
    mark = {"type": "ephemeral", "ttl": "1h"}
    warm = made(body, MESSAGES, ANTHROPIC, ("messages", 0, "content", 0), life="1h")
    assert warm.parsed == {
        "model": "claude-opus-4-8",
        "max_tokens": 0,
        "metadata": {"user_id": "u"},
        "service_tier": "auto",
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "low"},
        "tool_choice": {"type": "auto"},
        "tools": body["tools"],
        "system": "s",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "doc", "cache_control": mark}]}],
    }
    assert json.loads(warm.body) == warm.parsed
    assert warm[0] == "/messages"
    assert warm[3:] == ("max_tokens 0", 0, 0)


def test_chat() -> None:
    body = {
        "model": "gpt-5.6-sol",
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "n": 4,
        "logprobs": True,
        "top_logprobs": 2,
        "stop": ["x"],
        "store": True,
        "metadata": {"a": "b"},
        "max_tokens": 5,
        "max_completion_tokens": 700,
        "prediction": {"type": "content", "content": "x"},
        "reasoning_effort": "high",
        "verbosity": "low",
        "parallel_tool_calls": False,
        "response_format": {"type": "json_object"},
        "service_tier": "flex",
        "prompt_cache_key": "k",
    }
    warm = made(body, CHAT, profile_of("openai", "gpt-5.6-sol"), ("messages", 0, "content"))
    text = {"type": "text", "text": "s", "prompt_cache_breakpoint": {"mode": "explicit"}}
    assert warm.parsed == {
        "model": "gpt-5.6-sol",
        "messages": [{"role": "system", "content": [text]}, {"role": "user", "content": "."}],
        "max_completion_tokens": 16,
        "reasoning_effort": "high",
        "verbosity": "low",
        "parallel_tool_calls": False,
        "response_format": {"type": "json_object"},
        "service_tier": "flex",
        "prompt_cache_key": "k",
        "prompt_cache_options": {"mode": "explicit"},
    }
    assert (warm.target, warm.output, warm.placeholder_tokens) == ("/chat/completions", 16, 5)


def test_responses() -> None:
    body = {
        "model": "gpt-5.6-sol",
        "instructions": "i",
        "input": [{"role": "developer", "content": "d"}, {"role": "user", "content": "q"}],
        "stream": True,
        "background": True,
        "include": ["reasoning.encrypted_content"],
        "top_logprobs": 3,
        "store": True,
        "reasoning": {"effort": "high"},
        "text": {"format": {"type": "json_object"}, "verbosity": "low"},
        "prompt_cache_options": {"ttl": "12h", "comparison_response_id": "resp_1"},
        "prompt_cache_key": "k",
    }
    warm = made(body, RESPONSES, profile_of("openai", "gpt-5.6-sol"), ("input", 0, "content"), life="12h")
    text = {"type": "input_text", "text": "d", "prompt_cache_breakpoint": {"mode": "explicit"}}
    assert warm.parsed == {
        "model": "gpt-5.6-sol",
        "instructions": "i",
        "input": [{"role": "developer", "content": [text]}],
        "store": False,
        "reasoning": {"effort": "high"},
        "text": {"format": {"type": "json_object"}, "verbosity": "low"},
        "prompt_cache_options": {"ttl": "12h", "prewarm": True, "mode": "explicit"},
        "prompt_cache_key": "k",
    }
    assert warm[0] == "/responses"
    assert warm[3:] == ("prompt_cache_options.prewarm true", 0, 0)


def test_an_older_model_of_openai_has_no_breakpoints() -> None:
    body = {"model": "gpt-5.5", "input": [{"role": "developer", "content": "d"}, {"role": "user", "content": "q"}]}
    warm = made(body, RESPONSES, profile_of("openai", "gpt-5.5"), ("input", 0, "content"))
    kept = [{"role": "developer", "content": "d"}, {"role": "user", "content": "."}]
    assert warm.parsed == {"model": "gpt-5.5", "input": kept, "max_output_tokens": 16, "store": False}


def test_a_gateway_gets_the_marks_of_the_provider_behind_it() -> None:
    body = {"model": "anthropic/claude-opus-4.6", "messages": [{"role": "system", "content": "s"}], "max_tokens": 400}
    warm = made(body, CHAT, profile_of("openrouter", body["model"]), ("messages", 0, "content"), life="5m")
    text = {"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}
    assert warm.parsed == {
        "model": "anthropic/claude-opus-4.6",
        "messages": [{"role": "system", "content": [text]}, {"role": "user", "content": "."}],
        "max_tokens": 10,
    }


def test_a_client_that_has_chosen_a_mode_is_followed() -> None:
    options = {"mode": "implicit"}
    body = {"model": "gpt-5.6", "input": [{"role": "user", "content": "u"}], "prompt_cache_options": options}
    warm = made(body, RESPONSES, profile_of("openai", "gpt-5.6"), ("input", 0, "content"))
    assert warm.parsed["prompt_cache_options"] == {"mode": "implicit", "prewarm": True}


# Marks of the client's


def content(*marks: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": "x"} | ({"cache_control": mark} if mark else {}) for mark in marks]


FIVE, HOUR = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}


@pytest.mark.parametrize(
    ("marks", "place", "life", "expected"),
    [
        ([None, None], 0, "1h", [HOUR]),
        ([FIVE, None, FIVE], 1, "", [FIVE, FIVE]),
        # The client's own stands there, or a shorter one in front of it.
        ([FIVE, None], 0, "1h", [FIVE]),
        ([FIVE, None], 1, "1h", [FIVE, FIVE | {"ttl": "5m"}]),
        # What is cut away takes no place.
        ([FIVE, FIVE, FIVE, None, FIVE], 3, "5m", [FIVE, FIVE, FIVE, FIVE]),
        ([FIVE, FIVE, FIVE, FIVE, None], 3, "5m", [FIVE, FIVE, FIVE, FIVE]),
        ([FIVE, FIVE, FIVE, FIVE, None], 4, "5m", "no breakpoint is left"),
    ],
)
def test_marks_of_the_client(marks: list[Any], place: int, life: str, expected: list[Any] | str) -> None:
    body = {"model": "claude-opus-4-8", "max_tokens": 9, "messages": [{"role": "user", "content": content(*marks)}]}
    warm = warmed(body, MESSAGES, ANTHROPIC, ("messages", 0, "content", place), life=life)
    if isinstance(warm, Refusal):
        assert warm.why == expected
        return
    told = [block.get("cache_control") for block in warm.parsed["messages"][0]["content"]]
    assert [{"ttl": "5m", **mark} for mark in told if mark] == [{"ttl": "5m", **mark} for mark in expected]
    assert objection(MESSAGES, warm.parsed) is None


# What can't be warmed


IMAGE = {"type": "image", "source": {"type": "url", "url": "https://a/b"}}
CITED = {"type": "document", "source": {"type": "url", "url": "https://a"}, "citations": {"enabled": True}}


@pytest.mark.parametrize(
    ("api", "provider", "body", "path", "why"),
    [
        (MESSAGES, "anthropic", {"system": ""}, ("system",), "no such block"),
        (MESSAGES, "anthropic", {"messages": []}, ("messages", 0, "content"), "no such block"),
        (MESSAGES, "anthropic", {"messages": [{"role": "assistant", "content": [{"type": "thinking"}]}]},
         ("messages", 0, "content", 0), "no breakpoint can stand there"),
        (RESPONSES, "openai", {"instructions": "i", "input": "x"}, ("instructions",), "no breakpoint can stand there"),
        (CHAT, "vllm", {"messages": [{"role": "user", "content": "x"}]}, ("messages", 0, "content"),
         "no form is known"),
        # These count for all of the conversation, wherever they stand.
        (MESSAGES, "anthropic", {"messages": [{"role": "user", "content": [*content(None), IMAGE]}]},
         ("messages", 0, "content", 0), "images behind the prefix"),
        (MESSAGES, "anthropic", {"system": "s", "messages": [{"role": "user", "content": [*content(None), CITED]}]},
         ("system",), "citations behind the prefix"),
    ],
)  # fmt: skip
def test_no_warm_call(api: str, provider: str, body: dict[str, Any], path: Path, why: str) -> None:
    model = "gpt-5.6" if provider == "openai" else "claude-opus-4-8"
    assert warmed(body | {"model": model}, api, profile_of(provider, model), path) == Refusal(why)


@pytest.mark.parametrize(
    ("content_", "path"),
    [
        ([IMAGE, *content(None, None)], ("messages", 0, "content", 1)),
        ([*content(None), IMAGE], ("system",)),
    ],
)
def test_images_in_front_or_at_another_level_do_no_harm(content_: list[Any], path: Path) -> None:
    body = {"model": "claude-opus-4-8", "system": "s", "messages": [{"role": "user", "content": content_}]}
    assert made(body, MESSAGES, ANTHROPIC, path).output == 10


def test_leading_instructions_are_the_system_prompt() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://a/b"}}
    asked = [{"role": "user", "content": "u"}, {"role": "user", "content": [image]}]
    body = {"model": "gpt-4.1", "messages": [{"role": "developer", "content": "d"}, *asked]}
    profile = profile_of("openai", "gpt-4.1")
    assert made(body, CHAT, profile, ("messages", 0, "content")).output == 10
    refused = warmed(body, CHAT, profile, ("messages", 1, "content"))
    assert refused == Refusal("images behind the prefix")


def test_a_forced_tool_does_not_count_for_the_system_prompt() -> None:
    tools = [{"name": name, "input_schema": {"type": "object"}} for name in ("f", "g")]
    body = {
        "model": "claude-opus-4-6",
        "max_tokens": 100,
        "tools": tools,
        "system": "s",
        "tool_choice": {"type": "tool", "name": "g"},
        "messages": [{"role": "user", "content": "u"}],
    }
    profile = profile_of("anthropic", "claude-opus-4-6")
    for path, output, chosen in (
        (("tools", 0), 10, False),
        (("system",), 10, False),
        (("messages", 0, "content"), 10, True),
    ):
        warm = made(body, MESSAGES, profile, path)
        assert (warm.output, "tool_choice" in warm.parsed) == (output, chosen)
        assert objection(MESSAGES, warm.parsed) is None


# Properties


def slices(raw: bytes, name: str) -> list[bytes]:
    value = msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).get(name)
    if value is None:
        return []
    text = bytes(value)
    return [bytes(item) for item in msgspec.json.decode(text, type=list[msgspec.Raw])] if text[:1] == b"[" else [text]


SURFACES = [
    (MESSAGES, "anthropic", "claude-opus-4-8", messages_bodies()),
    (MESSAGES, "bedrock", "claude-opus-4-8", messages_bodies()),
    (CHAT, "openai", "gpt-5.6-sol", chat_bodies()),
    (CHAT, "openai", "gpt-4.1", chat_bodies("gpt-4.1")),
    (CHAT, "openrouter", "anthropic/claude-opus-4.6", chat_bodies("anthropic/claude-opus-4.6")),
    (CHAT, "deepseek", "deepseek-chat", chat_bodies("deepseek-chat")),
    (RESPONSES, "openai", "gpt-5.6-sol", responses_bodies()),
    (RESPONSES, "openai", "gpt-5.5", responses_bodies("gpt-5.5")),
]


@pytest.mark.parametrize(("api", "provider", "model", "bodies"), SURFACES)
@given(data=st.data())
@CALM
def test_providers_take_it_and_siblings_share_its_bytes(
    api: str, provider: str, model: str, bodies: st.SearchStrategy[dict[str, Any]], data: st.DataObject
) -> None:
    raw = data.draw(written(bodies))
    parsed, profile = msgspec.json.decode(raw), profile_of(provider, model)
    wire = wire_of(api, profile)
    every = list(blocks(parsed, api, wire))
    for number, block in enumerate(every):
        if not block.markable:
            continue
        warm = warmed(raw, api, profile, block.path)
        if isinstance(warm, Refusal):
            assert warm.why == "the prefix ends where no request can"  # DeepSeek's, inside a group of results
            assert provider == "deepseek"
            continue
        assert objection(api, warm.parsed) is None, (block.path, warm.parsed)
        assert "stream" not in warm.parsed
        assert orphans(api, warm.parsed) == []
        place = [Place(block.path)] if profile.breakpoints else []
        sibling = marked(raw, parsed, api=api, places=legal(parsed, place, api=api, wire=wire), wire=wire)
        kept = [before.path for before in every[: number + 1]]
        here, there = spans(warm.body, kept), spans(sibling, kept)
        assert [warm.body[a:b] for a, b in map(here.get, kept)] == [sibling[a:b] for a, b in map(there.get, kept)]
        untouched = set(parsed) - {"tools", "system", "instructions", "messages", "input", "prompt_cache_options"}
        for name in untouched & set(warm.parsed):
            assert warm.parsed[name] == parsed[name] or name in ("max_tokens", "store") or name.endswith("_tokens")


def orphans(api: str, body: dict[str, Any]) -> list[Any]:
    """Calls without results, which OpenAI's APIs refuse; the check of Anthropic's knows them itself."""
    if api == CHAT:
        called = [call["id"] for message in body["messages"] for call in message.get("tool_calls") or ()]
        return [name for name in called if name not in [message.get("tool_call_id") for message in body["messages"]]]
    items = body["input"] if api == RESPONSES and isinstance(body["input"], list) else []
    outputs = [item["call_id"] for item in items if item.get("type") == "function_call_output"]
    return [item["call_id"] for item in items if item.get("type") == "function_call" and item["call_id"] not in outputs]


@given(written(messages_bodies()), st.sampled_from(["5m", "1h"]), st.sampled_from(["", "adaptive"]))
@CALM
def test_siblings_read_what_it_has_written(raw: bytes, life: str, thinking: str) -> None:
    """From a model of Anthropic's cache: all of the prefix, and nothing but the prefix."""
    parsed = msgspec.json.decode(raw) | ({"thinking": {"type": thinking}} if thinking else {})
    raw = msgspec.json.encode(parsed)
    points = prompt_of(parsed, salt=b"", minimum=1, thinks=thinks(parsed)).points
    for place, path in enumerate(paths(parsed, MESSAGES)):
        if path is None:
            continue
        cache = BreakpointCache()
        warm = made(raw, MESSAGES, ANTHROPIC, path, life=life).parsed
        wrote = cache.lookup_and_store(prompt_of(warm, salt=b"", minimum=1, thinks=thinks(warm)), 0.0, 1.0)
        assert wrote.written == (wrote.write_1h if life == "1h" else wrote.write_5m) == points[place].tokens
        sibling = marked(raw, parsed, api=MESSAGES, places=[Place(path, life)])
        sibling = sibling.replace(b'"max_tokens":100', b'"max_tokens":7')
        read = cache.lookup(prompt_of(msgspec.json.decode(sibling), salt=b"", minimum=1, thinks=thinks(parsed)), 2.0)
        assert read.read == points[place].tokens


@pytest.mark.parametrize(
    ("api", "provider", "model"),
    [(MESSAGES, "anthropic", "claude-opus-5-5"), (CHAT, "openrouter", "anthropic/x"), (RESPONSES, "openai", "gpt-5.6")],
)
@given(body=ODD, odd=JUNK)
@CALM
def test_whatever_stands_anywhere(api: str, provider: str, model: str, body: dict[str, Any], odd: Any) -> None:
    profile = profile_of(provider, model)
    for parsed in (body, body | {"messages": [odd, odd], "input": [odd, odd], "tools": [odd]}):
        for path in [(), ("messages",), *(block.path for block in blocks(parsed, api))]:
            warm = warmed(parsed, api, profile, path)
            assert isinstance(warm, Refusal) or json.loads(warm.body) == warm.parsed


def test_the_types_of_the_official_clients_take_it() -> None:
    """The members of warm calls, and the parts that are marked: kinds as they are told by SDKs, never guessed."""
    types = pytest.importorskip("openai.types", reason="the official clients are not here")
    chat, responses = types.chat, types.responses
    anthropic = pytest.importorskip("anthropic.types", reason="the official clients are not here")
    for kind, param in (
        ("text", chat.ChatCompletionContentPartTextParam),
        ("image_url", chat.ChatCompletionContentPartImageParam),
        ("input_audio", chat.ChatCompletionContentPartInputAudioParam),
        ("file", chat.chat_completion_content_part_param.File),
        ("input_text", responses.ResponseInputTextParam),
        ("input_image", responses.ResponseInputImageParam),
        ("input_file", responses.ResponseInputFileParam),
    ):
        assert kind in CHAT_PARTS | RESPONSES_PARTS
        assert "prompt_cache_breakpoint" in get_type_hints(param)
    assert len(CHAT_PARTS | RESPONSES_PARTS) == 7
    assert "prompt_cache_breakpoint" not in get_type_hints(responses.ResponseOutputTextParam)
    assert "cache_control" in get_type_hints(anthropic.ToolParam)
    for param in get_args(anthropic.ContentBlockParam):
        members = get_type_hints(param)
        (kind,) = get_args(members["type"])
        assert ("cache_control" in members) == (kind not in UNMARKABLE), param


def test_members_that_the_official_clients_know() -> None:
    types = pytest.importorskip("openai.types", reason="the official clients are not here")
    params = types.responses.response_create_params
    assert "prewarm" in get_type_hints(params.PromptCacheOptions)
    assert "prewarm" not in get_type_hints(types.chat.completion_create_params.PromptCacheOptions)
    for options in (params.PromptCacheOptions, types.chat.completion_create_params.PromptCacheOptions):
        assert {"mode", "ttl"} <= get_type_hints(options).keys()
    assert LEFT_OUT[RESPONSES] - get_type_hints(params.ResponseCreateParamsNonStreaming).keys() == {"generate"}
    known = get_type_hints(types.chat.completion_create_params.CompletionCreateParamsNonStreaming).keys()
    assert LEFT_OUT[CHAT] - known == {"cache_control"}
