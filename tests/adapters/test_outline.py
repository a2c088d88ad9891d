import copy
import gzip
import json
import os
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.breakpoint_prompt import prompt_of
from adapters.outline import LONG, STEP, minimum_of, outline, too_short
from adapters.profiles import Profile, profile_of
from adapters.prompt import Point, Prompt
from adapters.tokens import IMAGE

DATA = Path(os.environ.get("WARMGATE_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")

CLAUDE = profile_of("anthropic", "claude-opus-5")
NEW = profile_of("openai", "gpt-5.6")
OLD = profile_of("openai", "gpt-5.4")
DEEPSEEK = profile_of("deepseek", "deepseek-chat")
WAYS = [
    ("anthropic-messages", CLAUDE),
    ("openai-chat", NEW),
    ("openai-chat", OLD),
    ("openai-chat", profile_of("openrouter", "anthropic/claude-opus-5")),
    ("openai-responses", NEW),
    ("openai-responses", DEEPSEEK),
]
LISTS = {"anthropic-messages": "messages", "openai-chat": "messages", "openai-responses": "input"}
MARKS = {"cache_control": {"type": "ephemeral"}, "prompt_cache_breakpoint": {"mode": "explicit"}}


def made(body: dict[str, Any], api: str, profile: Profile, **other: Any) -> Prompt:
    """The outline of what a client's bytes decode to."""
    return outline(msgspec.json.decode(msgspec.json.encode(body)), api=api, profile=profile, **{"salt": b"s"} | other)


def digests(prompt: Prompt) -> list[bytes]:
    return [point.digest for point in prompt.points]


# Bodies

TEXTS = st.sampled_from(["", "a", "b", "ab", "\u00e9\u4e2d", "x" * (LONG - 1), "x" * (LONG + 1), "xy" * 3 * STEP])
ROLES = st.sampled_from(["user", "assistant", "system"])


def parts(kinds: list[str]) -> st.SearchStrategy[Any]:
    part = st.fixed_dictionaries({"type": st.sampled_from(kinds), "text": TEXTS})
    return TEXTS | st.lists(part, min_size=1, max_size=3)


CALLS = st.just({"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "function": {"name": "f"}}]})
CHAT = st.fixed_dictionaries({"role": ROLES, "content": parts(["text"])}) | CALLS
ITEM = st.fixed_dictionaries({"role": ROLES, "content": parts(["input_text"])}) | st.sampled_from(
    [
        {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": "done"},
        {"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "zzz"},
    ]
)
SHORT = st.sampled_from(
    [
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"q": 1}},
        {"type": "tool_use", "id": "t2", "name": "f", "input": {"q": 2}},
        {"type": "tool_result", "tool_use_id": "t1", "content": "here"},
        {"type": "tool_result", "tool_use_id": "t2", "content": [{"type": "text", "text": "here"}]},
        {"type": "thinking", "thinking": "so", "signature": "zz"},
        {"type": "text", "text": ""},
        {"type": "text", "text": "a"},
    ]
)
BLOCK = st.fixed_dictionaries({"type": st.just("text"), "text": TEXTS}) | SHORT
TURN = st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": TEXTS | st.lists(BLOCK)})
TURNS = {"anthropic-messages": TURN, "openai-chat": CHAT, "openai-responses": ITEM}
TOOLS = st.lists(st.sampled_from([{"name": "f", "input_schema": {"a": 1, "b": 2}}, {"name": "g"}]), max_size=2)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[str, Profile, dict[str, Any], list[Any]]:
    """An API, a profile, a body, and messages that may follow."""
    api, profile = draw(st.sampled_from(WAYS))
    body: dict[str, Any] = {"model": "m", LISTS[api]: draw(st.lists(TURNS[api], max_size=4))}
    if tools := draw(TOOLS):
        body["tools"] = tools
    if api == "anthropic-messages":
        body["system"] = draw(TEXTS | st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": TEXTS})))
    if api == "openai-responses" and draw(st.booleans()):
        body["instructions"] = draw(TEXTS)
    return api, profile, body, draw(st.lists(TURNS[api], max_size=3))


@settings(max_examples=200)
@given(conversations())
def test_a_conversation_that_goes_on_keeps_the_points_it_had(given_: tuple[str, Profile, dict[str, Any], Any]) -> None:
    api, profile, body, more = given_
    before = made(body, api, profile)
    after = made({**body, LISTS[api]: [*body[LISTS[api]], *more]}, api, profile)
    assert digests(after)[: len(before.points)] == digests(before)
    assert [point.tokens for point in after.points][: len(before.points)] == [point.tokens for point in before.points]
    assert before.shares(after) == after.shares(before) == len(before.points)


@settings(max_examples=200)
@given(conversations(), st.data())
def test_a_change_is_seen_from_where_it_is_on(
    given_: tuple[str, Profile, dict[str, Any], Any], data: st.DataObject
) -> None:
    api, profile, body, more = given_
    messages = [*body[LISTS[api]], *more, {"role": "user", "content": "end"}]
    place = data.draw(st.integers(0, len(messages) - 1))
    one = made({**body, LISTS[api]: messages}, api, profile)
    before = len(made({**body, LISTS[api]: messages[:place]}, api, profile).points)
    changed = [*messages[:place], {"role": "user", "content": "something else"}, *messages[place + 1 :]]
    other = made({**body, LISTS[api]: changed}, api, profile)
    assert one.shares(other) == before
    assert not set(digests(one)[before:]) & set(digests(other)[before:])


@settings(max_examples=200)
@given(conversations(), st.data())
def test_marks_change_no_digest(given_: tuple[str, Profile, dict[str, Any], Any], data: st.DataObject) -> None:
    api, profile, body, _ = given_
    marked = copy.deepcopy(body)
    for block in markable(marked, api):
        if data.draw(st.booleans()):
            name = "cache_control" if api == "anthropic-messages" else data.draw(st.sampled_from(sorted(MARKS)))
            members = (
                [(name, MARKS[name]), *block.items()] if data.draw(st.booleans()) else [*block.items(), (name, {})]
            )
            block.clear()
            block.update(members)
    assert digests(made(marked, api, profile)) == digests(made(body, api, profile))


def markable(body: dict[str, Any], api: str) -> list[dict[str, Any]]:
    """Whatever could hold a mark, whether it may or not."""
    messages = [message for message in body[LISTS[api]] if isinstance(message, dict)]
    contents = [body.get("system"), *(message.get("content") for message in messages)]
    found = [block for content in contents if isinstance(content, list) for block in content]
    inner = [block.get("content") for block in found]
    found += [block for content in inner if isinstance(content, list) for block in content]
    return [*body.get("tools", []), *found, *(messages if api != "anthropic-messages" else [])]


@settings(max_examples=200)
@given(conversations())
def test_a_text_is_the_same_as_one_block_that_holds_it(given_: tuple[str, Profile, dict[str, Any], Any]) -> None:
    api, profile, body, _ = given_
    blocks = copy.deepcopy(body)
    for message in blocks[LISTS[api]]:
        if isinstance(message.get("content"), str) and (message["content"] or api != "anthropic-messages"):
            kind = "text"
            if api == "openai-responses":
                kind = "output_text" if message["role"] == "assistant" else "input_text"
            message["content"] = [{"text": message["content"], "type": kind}]
    plain, other = made(body, api, profile), made(blocks, api, profile)
    for a, b in zip(plain.points, other.points, strict=True):
        assert a == b


@settings(max_examples=100)
@given(conversations())
def test_points_go_upward_and_only_ends_can_be_marked(given_: tuple[str, Profile, dict[str, Any], Any]) -> None:
    api, profile, body, _ = given_
    prompt = made(body, api, profile)
    assert len(set(digests(prompt))) == len(prompt.points)
    assert all(len(point.digest) == 16 for point in prompt.points)
    for a, b in pairwise(prompt.points):
        assert a.tokens <= b.tokens
        assert a.place <= b.place
    for point in prompt.points:
        assert not (point.edge == "step" and (point.markable or point.mark))
        assert not (point.mark and not point.markable)
    tools = [point.edge for point in prompt.points].count("tools")
    assert tools == bool(body.get("tools"))


@pytest.mark.parametrize(("api", "profile"), WAYS)
def test_white_space_and_escapes_of_the_body_count_for_nothing(api: str, profile: Profile) -> None:
    body = {"model": "m", LISTS[api]: [{"role": "user", "content": "\u00e9 \u4e2d/"}], "tools": [{"name": "f"}]}
    forms = [json.dumps(body), json.dumps(body, indent=3, ensure_ascii=False), json.dumps(body).replace("/", "\\/")]
    outlines = {outline(msgspec.json.decode(form), api=api, profile=profile, salt=b"") for form in forms}
    assert len(outlines) == 1


def test_what_keeps_caches_apart_keeps_digests_apart() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    plain = set(digests(made(body, "openai-chat", NEW)))
    assert not plain & set(digests(made(body, "openai-chat", NEW, salt=b"other")))
    assert not plain & set(digests(made({**body, "model": "n"}, "openai-chat", NEW)))
    assert not plain & set(digests(made({**body, "tools": [{"name": "f"}]}, "openai-chat", NEW)))
    assert not plain & set(digests(made({**body, "tools": {"name": "f"}}, "openai-chat", NEW)))


def test_pieces_do_not_run_into_each_other() -> None:
    """Two prompts may be glued to the same text and are not the same."""

    def chat(*contents: Any) -> set[bytes]:
        messages = [{"role": "user", "content": content} for content in contents]
        return set(digests(made({"messages": messages}, "openai-chat", DEEPSEEK)))

    forms = [chat("ab"), chat("a", "b"), chat([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])]
    assert len(set.union(*forms)) == 1 + 2 + 1  # the first message of the second is the first part of the third
    named = {"messages": [{"role": "user", "name": "n", "content": ""}]}
    assert not chat('{"name":"n"}') & set(digests(made(named, "openai-chat", DEEPSEEK)))
    assert not chat({"a": 1}) & chat([{"a": 1}])
    assert not chat(5) & chat([5])
    assert not chat(None) & chat("")


# Against the exact one


@st.composite
def messages_bodies(draw: st.DrawFn) -> dict[str, Any]:
    marks = st.none() | st.sampled_from([{"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}, {"ttl": "9h"}, 5])

    def marked(block: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
        return marks.map(lambda mark: block if mark is None else {**block, "cache_control": mark})

    texts = st.sampled_from(["", "a", "b"])
    image = {"type": "image", "source": {"type": "base64", "data": "AAAA"}}
    cited = {"type": "document", "source": {"type": "text", "data": "x"}, "citations": {"enabled": True}}
    inside = {"type": "tool_result", "tool_use_id": "t", "content": [draw(marked(image)), "odd"]}
    block = (SHORT | st.sampled_from([image, cited, inside])).flatmap(marked) | st.sampled_from([7, None, "text"])
    turn = st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant"]), "content": texts | st.lists(block, max_size=3) | st.none()}
    )
    body: dict[str, Any] = {"model": draw(st.sampled_from(["m", "n"])), "messages": draw(st.lists(turn, max_size=3))}
    options = {
        "tools": TOOLS.flatmap(lambda tools: st.tuples(*map(marked, tools)).map(list)) | st.none(),
        "system": texts | st.lists(SHORT.flatmap(marked), max_size=2),
        "cache_control": marks,
        "speed": st.sampled_from(["fast", "standard"]),
        "tool_choice": st.sampled_from([{"type": "auto"}, {"type": "any"}]),
        "thinking": st.sampled_from([{"type": "disabled"}, {"type": "enabled", "budget_tokens": 9}]),
        "output_config": st.sampled_from([{"effort": "high"}, {"effort": "low"}, {"format": {"type": "json"}}, {}]),
    }
    return body | draw(st.fixed_dictionaries({}, optional=options))


AS_TOLD = msgspec.structs.replace(
    CLAUDE, breaks=CLAUDE.breaks | {"thinking": ("messages",), "effort": ("messages",), "model": ("tools",)}
)
"""With the levels that `prompt_of` knows; thinking and effort break earlier ones on some models only."""


@settings(max_examples=250)
@given(
    messages_bodies(), messages_bodies(), st.sets(st.sampled_from(["model", "messages", "tools", "system", "speed"]))
)
def test_an_outline_agrees_with_the_exact_prompt(a: dict[str, Any], b: dict[str, Any], kept: set[str]) -> None:
    b = {name: value for name, value in (b | {name: a.get(name) for name in kept}).items() if value is not None}
    exact = [prompt_of(body, salt=b"", minimum=0) for body in (a, b)]
    quick = [made(body, "anthropic-messages", AS_TOLD) for body in (a, b)]
    for one, other in zip(exact, quick, strict=True):
        assert [(point.place, point.mark) for point in one.points] == [
            (point.place, point.mark) for point in other.points
        ]
    assert exact[0].shares(exact[1]) == quick[0].shares(quick[1])
    same = [set(digests(one)) & set(digests(other)) for one, other in (exact, quick)]
    assert len(same[0]) == len(same[1])


# Tokens, steps, the minimum


def test_tokens_are_bytes_by_the_bytes_of_a_token_and_constants() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
    body = {"messages": [{"role": "user", "content": [{"type": "text", "text": "\u4e2d" * 100}, image]}]}
    assert [point.tokens for point in made(body, "openai-chat", NEW).points] == [75, 75 + IMAGE]
    assert [point.tokens for point in made(body, "openai-chat", NEW, per_token=3.0).points] == [100, 100 + IMAGE]


def test_long_texts_have_steps_where_a_cache_may_end_anywhere() -> None:
    long = "".join(map(chr, range(97, 117))) * 1000
    body = {"messages": [{"role": "user", "name": "n", "content": long}, {"role": "user", "content": "x"}]}
    points = made(body, "openai-chat", OLD).points
    assert [point.edge for point in points] == ["step"] * 4 + ["message"] * 2
    assert [point.place for point in points] == [1] * 5 + [2]
    name = len('{"name":"n"}')
    assert [point.tokens for point in points[:4]] == [round((name + STEP * n) / 4) for n in range(1, 5)]
    assert points[4].tokens == round((name + 20_000) / 4)
    assert not any(point.markable for point in points[:4])
    assert [point.edge for point in made(body, "openai-chat", NEW).points] == ["message"] * 2
    ended = {"messages": [{"role": "user", "name": "n", "content": long[:STEP]}]}
    assert made(body, "openai-chat", OLD).shares(made(ended, "openai-chat", OLD)) == 0  # there the message is over
    later = {"messages": [{"role": "user", "name": "n", "content": long[:15_000] + "!" + long[15_000:]}]}
    assert made(body, "openai-chat", OLD).shares(made(later, "openai-chat", OLD)) == 15_000 // STEP


@pytest.mark.parametrize(("size", "steps"), [(LONG, 0), (LONG + 1, 2), (3 * STEP, 2), (3 * STEP + 1, 3)])
def test_no_step_stands_at_the_end_of_a_text(size: int, steps: int) -> None:
    points = made({"messages": [{"role": "user", "content": "x" * size}]}, "openai-chat", OLD).points
    assert len(points) == steps + 1
    assert points[-1].tokens == round(size / 4)


def test_bytes_of_images_have_no_steps() -> None:
    image = {"type": "image_url", "image_url": {"url": "A" * 100_000}}
    body = {"messages": [{"role": "user", "content": [image]}]}
    assert [point.edge for point in made(body, "openai-chat", OLD).points] == ["message"]


@pytest.mark.parametrize(
    ("provider", "model", "minimum"),
    [
        ("anthropic", "claude-opus-5", 512),
        ("openai", "gpt-5.6", 1024),
        ("mistral", "x", 64),
        ("deepseek", "x", 1024),
        ("unheard-of", "x", 1024),
        ("sglang", "x", 1),
    ],
)
def test_the_minimum_is_the_profiles_or_a_guess(provider: str, model: str, minimum: int) -> None:
    profile = profile_of(provider, model)
    assert minimum_of(profile) == minimum
    assert made({}, "openai-chat", profile) == Prompt((), minimum)
    assert too_short(b"x" * (2 * minimum - 1), profile)
    assert not too_short(b"x" * 2 * minimum, profile)
    assert not too_short(b"x" * minimum, profile, per_token=1.0)


# How much is shared


@given(st.lists(st.integers(0, 3), max_size=8), st.lists(st.integers(0, 3), max_size=8))
def test_what_two_prompts_share_is_found_by_halves(a: list[int], b: list[int]) -> None:
    def prompt(choices: list[int]) -> Prompt:
        return Prompt(tuple(Point(bytes(choices[: n + 1]), n) for n in range(len(choices))), 0)

    agree = next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    assert prompt(a).shares(prompt(b)) == agree


# Whatever comes

NAMES = (
    "type",
    "text",
    "content",
    "source",
    "input",
    "cache_control",
    "prompt_cache_breakpoint",
    "role",
    "tools",
    "output",
    "mode",
    "ttl",
    "citations",
    "effort",
    "tool_calls",
    "image_url",
    "detail",
    "defer_loading",
    "x",
)
MEMBERS = (
    "model",
    "messages",
    "input",
    "instructions",
    "system",
    "tools",
    "cache_control",
    "prompt_cache_options",
    "thinking",
    "output_config",
    "tool_choice",
    "text",
    "reasoning",
    "response_format",
    "service_tier",
    "functions",
    "previous_response_id",
    "verbosity",
    "speed",
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(NAMES),
            inner | st.sampled_from(["text", "tool_result", "document", "thinking", "image", "function_call_output"]),
            max_size=5,
        )
    ),
    max_leaves=25,
)


@settings(max_examples=300)
@given(
    st.sampled_from([*WAYS, ("openai-embeddings", OLD)]), st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=6)
)
def test_no_body_is_too_strange(way: tuple[str, Profile], body: dict[str, Any]) -> None:
    prompt = outline(body, api=way[0], profile=way[1], salt=b"")
    assert prompt.minimum == minimum_of(way[1])
    assert all(a.tokens <= b.tokens for a, b in pairwise(prompt.points))


@pytest.mark.parametrize(("api", "profile"), WAYS)
@pytest.mark.parametrize("messages", [None, "x", 5, {}, {"role": "user"}])
def test_messages_that_are_no_list_have_no_points(api: str, profile: Profile, messages: Any) -> None:
    expected = 1 if api == "openai-responses" and messages == "x" else 0
    assert len(made({LISTS[api]: messages}, api, profile).points) == expected


def test_what_cannot_be_encoded_stops_nothing() -> None:
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]
    for value in (deep, "\ud800"):
        message = {"role": "user", "content": [{"type": "text", "text": value, "more": 1}]}
        for api, profile in WAYS:
            assert outline({LISTS[api]: [message]}, api=api, profile=profile, salt=b"") == Prompt(
                (), minimum_of(profile)
            )
    while isinstance(deep, list):  # taken apart by hand: not every Python frees such a thing without recursion
        deep = deep.pop()


# Recordings


@pytest.mark.parametrize(("name", "requests"), [("tau_airline", 1400), ("mini_swe", 300), ("pi", 120)])
def test_recorded_conversations_keep_their_points(name: str, requests: int) -> None:
    path = DATA / "sessions" / f"{name}.delta.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"measurement data is not at {DATA}")
    last: dict[str, tuple[dict[str, Any], dict[tuple[str, str], Prompt]]] = {}
    went_on = 0
    with gzip.open(path, "rt") as lines:
        for record in map(json.loads, islice(lines, requests)):
            request = record["request"]
            earlier, outlines = last.get(record["session"], ({"messages": []}, {}))
            keep = request.pop("keep")
            messages = [*earlier["messages"][:keep], *request.pop("append")]
            body = {**earlier, **request, "messages": messages}
            found = {(api, profile.provider + profile.boundary): made(body, api, profile) for api, profile in WAYS[1:3]}
            if outlines and keep == len(earlier["messages"]) and not request:
                went_on += 1
                for way, prompt in found.items():
                    assert outlines[way].shares(prompt) == len(outlines[way].points) < len(prompt.points)
            elif outlines and not request:
                for way, prompt in found.items():
                    assert outlines[way].shares(prompt) < len(outlines[way].points)
            last[record["session"]] = (body, found)
    assert went_on > requests / 2
