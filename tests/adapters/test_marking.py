"""Breakpoints in bytes: what is added is added at the end of its block, and nothing else is touched."""

from __future__ import annotations

import copy
import itertools
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.marking import OPTIONS, Place, explicit, free_slots, is_marked, legal, marked
from adapters.prompt_blocks import CHAT, MESSAGES, RESPONSES, Wire, paths
from adapters.simulated_messages_check import objection
from adapters.spans import spans, value_at
from tests.adapters.conversations import CALM, JUNK, ODD, chat_bodies, messages_bodies, responses_bodies, written

FIVE, HOUR = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}
EXPLICIT = {"mode": "explicit"}
MARKED_INPUT = {"type": "input_text", "text": "x", "prompt_cache_breakpoint": EXPLICIT}


def placed(raw: bytes, *places: Place, api: str = MESSAGES, wire: Wire | None = None) -> bytes:
    return marked(raw, msgspec.json.decode(raw), api=api, places=places, wire=wire)


MARKED: list[tuple[str, Wire | None, bytes, Place, bytes]] = [
    (
        MESSAGES, None,
        b'{"system": "a\\u0041" , "messages":[]}', Place(("system",)),
        b'{"system": [{"type":"text","text":"a\\u0041","cache_control":{"type":"ephemeral"}}] , "messages":[]}',
    ),
    (
        MESSAGES, None,
        b'{"tools":[ {"name":"a"} , {"name":"b", "n":1.0 } ]}', Place(("tools", 1), "1h"),
        b'{"tools":[ {"name":"a"} , {"name":"b", "n":1.0,"cache_control":{"type":"ephemeral","ttl":"1h"} } ]}',
    ),
    (
        MESSAGES, None,
        b'{"messages":[{"content":"hi","role":"user"}]}', Place(("messages", 0, "content"), "5m"),
        b'{"messages":[{"content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}],"role":"user"}]}',
    ),
    (
        MESSAGES, None,
        b'{"messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"text","text":"r"}]}]}]}',
        Place(("messages", 0, "content", 0)),
        b'{"messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"text","text":"r"}],'
        b'"cache_control":{"type":"ephemeral"}}]}]}',
    ),
    # Null is no mark, and a name can't be added twice.
    (
        MESSAGES, None,
        b'{"system":[{"cache_control": null, "type":"text","text":"a"}]}', Place(("system", 0)),
        b'{"system":[{"cache_control": {"type":"ephemeral"}, "type":"text","text":"a"}]}',
    ),
    # A life that is not Anthropic's is not asked for.
    (
        MESSAGES, None,
        b'{"system":[{"type":"text","text":"a"}]}', Place(("system", 0), "12h"),
        b'{"system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}',
    ),
    (
        CHAT, None,
        b'{"messages":[{"role":"system","content":"s"}]}', Place(("messages", 0, "content")),
        b'{"messages":[{"role":"system","content":[{"type":"text","text":"s",'
        b'"prompt_cache_breakpoint":{"mode":"explicit"}}]}]}',
    ),
    (
        CHAT, "cache_control",
        b'{"messages":[{"role":"user","content":[{"type":"text","text":"s"},{"type":"text","text":"t"}]}]}',
        Place(("messages", 0, "content", 0), "1h"),
        b'{"messages":[{"role":"user","content":[{"type":"text","text":"s","cache_control":{"type":"ephemeral",'
        b'"ttl":"1h"}},{"type":"text","text":"t"}]}]}',
    ),
    (
        RESPONSES, None,
        b'{"model":"m","input":"text"}', Place(("input",)),
        b'{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"text",'
        b'"prompt_cache_breakpoint":{"mode":"explicit"}}]}]}',
    ),
    (
        RESPONSES, None,
        b'{"input":[{"role":"developer","content":"d"}]}', Place(("input", 0, "content"), "12h"),
        b'{"input":[{"role":"developer","content":[{"type":"input_text","text":"d",'
        b'"prompt_cache_breakpoint":{"mode":"explicit","ttl":"12h"}}]}]}',
    ),
    # A breakpoint lives as long as the request says, unless it says so itself.
    (
        RESPONSES, None,
        b'{"input":[{"role":"user","content":[{"type":"input_image"}]}],"prompt_cache_options":{"ttl":"12h"}}',
        Place(("input", 0, "content", 0), "30m"),
        b'{"input":[{"role":"user","content":[{"type":"input_image","prompt_cache_breakpoint":{"mode":"explicit",'
        b'"ttl":"30m"}}]}],"prompt_cache_options":{"ttl":"12h"}}',
    ),
    (
        RESPONSES, None,
        b'{"input":[{"type":"function_call_output","call_id":"c","output":"r"}]}', Place(("input", 0, "output")),
        b'{"input":[{"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"r",'
        b'"prompt_cache_breakpoint":{"mode":"explicit"}}]}]}',
    ),
]  # fmt: skip


@pytest.mark.parametrize(("api", "wire", "raw", "place", "expected"), MARKED)
def test_a_mark(api: str, wire: Wire | None, raw: bytes, place: Place, expected: bytes) -> None:
    assert placed(raw, place, api=api, wire=wire) == expected
    assert placed(expected, place, api=api, wire=wire) == expected


@pytest.mark.parametrize(
    ("api", "raw", "place"),
    [
        (MESSAGES, b'{"system":[{"type":"text","text":"a","cache_control":{"ttl":"5m"}}]}', Place(("system", 0), "1h")),
        (MESSAGES, b'{"system":[{"type":"text","text":"a","cache_control":"odd"}]}', Place(("system", 0))),
        (MESSAGES, b'{"system":[{"type":"text","text":""}]}', Place(("system", 0))),
        (MESSAGES, b'{"messages":[{"content":[{"type":"thinking"}]}]}', Place(("messages", 0, "content", 0))),
        (MESSAGES, b'{"tools":[{"name":"a","defer_loading":true}]}', Place(("tools", 0))),
        (MESSAGES, b'{"messages":[{"role":"user","content":""}]}', Place(("messages", 0, "content"))),
        (MESSAGES, b'{"messages":[]}', Place(("messages", 0, "content"))),
        (MESSAGES, b'{"metadata":{"role":"x"}}', Place(("metadata",))),
        (CHAT, b'{"tools":[{"type":"function"}]}', Place(("tools", 0))),
        (CHAT, b'{"messages":[{"role":"assistant","content":"a"}]}', Place(("messages", 0, "content"))),
        (RESPONSES, b'{"instructions":"i"}', Place(("instructions",))),
        (RESPONSES, b'{"input":[{"type":"reasoning"}]}', Place(("input", 0))),
    ],
)  # fmt: skip
def test_left_alone(api: str, raw: bytes, place: Place) -> None:
    assert placed(raw, place, api=api) == raw


def without(value: Any, member: str) -> Any:
    """A body without marks, and with a text for each list of one text block: what is rendered of it."""
    if isinstance(value, list):
        kept = [without(item, member) for item in value]
        one = kept[0] if len(kept) == 1 and isinstance(kept[0], dict) else {}
        return one["text"] if set(one) == {"type", "text"} and str(one["type"]).endswith("text") else kept
    if isinstance(value, dict):
        if isinstance(value.get("input"), str):
            value = value | {"input": [{"role": "user", "content": value["input"]}]}
        return {name: without(inner, member) for name, inner in value.items() if name != member}
    return value


def outside(raw: bytes, places: list[Place]) -> list[bytes]:
    """The bytes between the blocks."""
    found = sorted(spans(raw, [place.path for place in places]).values())
    return [raw[end:start] for (_, end), (start, _) in itertools.pairwise([(0, 0), *found, (len(raw), 0)])]


BODIES = st.one_of(
    *(
        st.tuples(st.just(api), st.just(wire), written(bodies), st.randoms(use_true_random=False))
        for api, wire, bodies in [
            (MESSAGES, "cache_control", messages_bodies()),
            (CHAT, "prompt_cache_breakpoint", chat_bodies()),
            (CHAT, "cache_control", chat_bodies()),
            (RESPONSES, "prompt_cache_breakpoint", responses_bodies()),
        ]
    )
)


@given(BODIES)
@CALM
def test_only_the_marked_blocks_change(drawn: tuple[str, Wire, bytes, Any]) -> None:
    api, wire, raw, random = drawn
    parsed = msgspec.json.decode(raw)
    open_ = [path for path in paths(parsed, api, wire) if path is not None]
    places = [Place(path) for path in random.sample(open_, min(4, len(open_)))]
    result = marked(raw, parsed, api=api, places=places, wire=wire)
    assert outside(result, places) == outside(raw, places)
    # Every block has its mark, none other has one, and nothing else says anything else.
    again = msgspec.json.decode(result)
    assert result.count(wire.encode()) == raw.count(wire.encode()) + len(places)
    assert without(again, wire) == without(parsed, wire)
    for place in places:
        value = value_at(again, place.path)
        if isinstance(value, list) and place.path == ("input",):
            value = value[0]["content"]
        block = value[-1] if isinstance(value, list) else value
        assert is_marked(block)
        assert list(block)[-1] == wire
    # Once is enough, and the same places give the same bytes.
    assert marked(result, again, api=api, places=places, wire=wire) == result
    assert marked(raw, parsed, api=api, places=places[::-1], wire=wire) == result


@given(written(messages_bodies()), st.randoms(use_true_random=False))
@CALM
def test_the_tokens_of_texts_are_kept(raw: bytes, random: Any) -> None:
    """Also where one is escaped in a way of its own: it is what the provider renders."""
    raw = raw.replace(b'"Hi"', b'"\\u0048i"')
    parsed = msgspec.json.decode(raw)
    places = [Place(path) for path in paths(parsed, MESSAGES) if path is not None and random.random() < 0.5]
    assert placed(raw, *places).count(b'"\\u0048i"') == raw.count(b'"\\u0048i"')


def test_a_conversation_that_grows_keeps_its_bytes() -> None:
    turns = [{"role": ("user", "assistant")[n % 2], "content": f"turn {n}"} for n in range(7)]
    fixed = [Place(("system",)), Place(("messages", 0, "content"))]
    sent = [
        placed(json.dumps({"model": "m", "system": "s", "messages": turns[:count]}).encode(), *fixed)
        for count in (1, 3, 5, 7)
    ]
    for earlier, later in itertools.pairwise(sent):
        assert later.startswith(earlier[: earlier.rindex(b"]")])


@pytest.mark.parametrize("api", [MESSAGES, CHAT, RESPONSES])
@given(
    body=ODD,
    odd=JUNK,
    path=st.lists(st.sampled_from(["messages", "input", "content", "tools", "system", 0, 1]), max_size=4),
)
@CALM
def test_whatever_stands_anywhere(api: str, body: dict[str, Any], odd: Any, path: list[Any]) -> None:
    for parsed in (body, body | {"messages": [odd], "input": [odd], "system": odd}):
        raw = json.dumps(parsed).encode()
        places = [Place(tuple(path), "1h"), *(Place(p, "1h") for p in paths(parsed, api) if p is not None)]
        result = marked(raw, parsed, api=api, places=legal(parsed, places, api=api))
        assert without(msgspec.json.decode(result), "x") is not None
        assert 0 <= free_slots(parsed, api) <= 4
        msgspec.json.decode(explicit(raw, parsed))


# How many, and in which order


def block(mark: Any = None, text: str = "x") -> dict[str, Any]:
    return {"type": "text", "text": text} | ({"cache_control": mark} if mark is not None else {})


def said(*blocks: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


def body_of(*marks: Any, automatic: Any = None) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": "claude-opus-4-8",
        "max_tokens": 10,
        "messages": [{"role": "user", "content": [block(mark) for mark in marks]}],
    }
    return body | ({"cache_control": automatic} if automatic is not None else {})


@pytest.mark.parametrize(
    ("body", "api", "wire", "free"),
    [
        (body_of(None, None), MESSAGES, None, 4),
        (body_of(FIVE, None), MESSAGES, None, 3),
        (body_of(FIVE, None, automatic=FIVE), MESSAGES, None, 2),
        (body_of(FIVE, FIVE, FIVE, FIVE, FIVE), MESSAGES, None, 0),
        ({"tools": [{"name": "a", "cache_control": FIVE}], "system": [block(HOUR)]}, MESSAGES, None, 2),
        (
            said({"type": "tool_result", "content": [block(FIVE), block(FIVE)]}),
            MESSAGES, None, 2,
        ),
        (
            said({"type": "document", "source": {"content": [block(FIVE)]}}),
            MESSAGES, None, 3,
        ),
        # Of a tool's schema nothing is a mark.
        ({"tools": [{"name": "a", "input_schema": {"properties": {"cache_control": {}}}}]}, MESSAGES, None, 4),
        ({"messages": []}, CHAT, None, 3),
        ({"messages": [], OPTIONS: {"mode": "implicit"}}, CHAT, None, 3),
        ({"messages": [], OPTIONS: {"mode": "explicit"}}, CHAT, None, 4),
        ({"messages": [], OPTIONS: 7}, CHAT, None, 3),
        ({"messages": []}, CHAT, "cache_control", 4),
        (
            said({"type": "text", "text": "x", "prompt_cache_breakpoint": EXPLICIT}),
            CHAT, None, 2,
        ),
        (
            {"input": [{"type": "function_call_output", "output": [MARKED_INPUT]}]},
            RESPONSES, None, 2,
        ),
    ],
)  # fmt: skip
def test_free_slots(body: dict[str, Any], api: str, wire: Wire | None, free: int) -> None:
    assert free_slots(body, api, wire) == free


def at(index: int, life: str = "") -> Place:
    return Place(("messages", 0, "content", index), life)


@pytest.mark.parametrize(
    ("body", "places", "kept"),
    [
        (body_of(None, None), [at(1), at(0, "1h")], [at(0, "1h"), at(1)]),
        # Ours among themselves: the later one is shortened.
        (body_of(None, None), [at(0), at(1, "1h")], [at(0), at(1, "5m")]),
        # Behind a short one of the client's nothing long, in front of a long one nothing short.
        (body_of(FIVE, None), [at(1, "1h")], [at(1, "5m")]),
        (body_of(None, HOUR), [at(0, "5m")], []),
        (body_of(None, HOUR), [at(0, "1h")], [at(0, "1h")]),
        (body_of(HOUR, None, FIVE), [at(1, "1h")], [at(1, "1h")]),
        (body_of(HOUR, None, FIVE), [at(1, "5m")], [at(1, "5m")]),
        # What is marked or unknown is not marked again; the automatic breakpoint stands at the last block.
        (body_of(FIVE, None), [at(0), at(7), at(1), at(1)], [at(1)]),
        (body_of(None, None, automatic=FIVE), [at(0), at(1)], [at(0)]),
        (body_of(None, None, automatic=HOUR), [at(0, "5m")], []),
        # The most important ones come first.
        (body_of(FIVE, FIVE, None, None, None), [at(4), at(2), at(3)], [at(2), at(4)]),
        (body_of(FIVE, FIVE, FIVE, FIVE, None), [at(4)], []),
    ],
)
def test_what_is_legal(body: dict[str, Any], places: list[Place], kept: list[Place]) -> None:
    assert list(legal(body, places, api=MESSAGES)) == kept


LIVES = st.sampled_from([None, FIVE, HOUR])


@given(
    st.lists(LIVES, min_size=1, max_size=7),
    LIVES,
    st.lists(st.tuples(st.integers(0, 6), st.sampled_from(["", "5m", "1h"]))),
)
def test_what_is_legal_is_taken(client: list[Any], automatic: Any, wanted: list[tuple[int, str]]) -> None:
    """By the simulated provider, wherever it takes what the client has marked itself."""
    body = body_of(*client, automatic=automatic)
    headers = {"anthropic-version": "2023-06-01"}
    if objection(body, headers, seed=0) is not None:
        return
    raw = json.dumps(body).encode()
    places = legal(body, [at(*want) for want in wanted], api=MESSAGES)
    result = msgspec.json.decode(marked(raw, body, api=MESSAGES, places=places))
    assert objection(result, headers, seed=0) is None
    again = copy.deepcopy(result)
    for place in places:
        del value_at(again, place.path)["cache_control"]
    assert again == body


def test_lives_have_no_order_at_openai() -> None:
    body = {"input": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]}
    places = [Place(("input", 0, "content"), "30m"), Place(("input", 1, "content"), "12h")]
    assert list(legal(body, places, api=RESPONSES)) == places


@pytest.mark.parametrize(
    ("raw", "result"),
    [
        (b'{"model": "m" }', b'{"model": "m","prompt_cache_options":{"mode":"explicit"} }'),
        (b'{"prompt_cache_options":null,"model":"m"}', b'{"prompt_cache_options":{"mode":"explicit"},"model":"m"}'),
        (b'{"prompt_cache_options": {"ttl":"12h" }}', b'{"prompt_cache_options": {"ttl":"12h","mode":"explicit" }}'),
        (b'{"prompt_cache_options":{ }}', b'{"prompt_cache_options":{"mode":"explicit" }}'),
        (b'{"prompt_cache_options":{"mode":null}}', b'{"prompt_cache_options":{"mode":"explicit"}}'),
        # The client has chosen, or has written what nobody can read.
        (b'{"prompt_cache_options":{"mode":"implicit"}}', b'{"prompt_cache_options":{"mode":"implicit"}}'),
        (b'{"prompt_cache_options":{"mode":"explicit"}}', b'{"prompt_cache_options":{"mode":"explicit"}}'),
        (b'{"prompt_cache_options":[]}', b'{"prompt_cache_options":[]}'),
    ],
)
def test_explicit(raw: bytes, result: bytes) -> None:
    assert explicit(raw, msgspec.json.decode(raw)) == result
