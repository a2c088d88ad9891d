"""The identity of a request: what counts, what does not, and that nothing can be made to look like something else."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.openai_chat import OPENAI_CHAT
from adapters.question import PLACEHOLDER
from adapters.vocabulary import Call, Controls, Sent
from cache.key import IGNORED, STEERING_HEADERS, canonical, counted, item_keys, key_of, scope_of

USER = {"role": "user", "content": "What is the capital of France?"}
BODY: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "system", "content": "Be brief."}, USER]}

COUNTS, DOES_NOT = "counts", "does not"

PARAMETERS: dict[str, tuple[str, Any, Any]] = {
    "messages": (COUNTS, [USER], [USER, USER]),
    "model": (COUNTS, "gpt-4o-mini", "gpt-4o-2024-08-06"),
    "audio": (COUNTS, {"voice": "ash", "format": "wav"}, {"voice": "ash", "format": "mp3"}),
    "frequency_penalty": (COUNTS, 0.5, 0.25),
    "function_call": (COUNTS, "auto", "none"),
    "functions": (COUNTS, [{"name": "f"}], [{"name": "g"}]),
    "logit_bias": (COUNTS, {"50256": -100}, {"50256": 100}),
    "logprobs": (COUNTS, True, False),
    "max_completion_tokens": (COUNTS, 16, 17),
    "max_tokens": (COUNTS, 16, 17),
    "metadata": (COUNTS, {"job": "a"}, {"job": "b"}),
    "modalities": (COUNTS, ["text"], ["text", "audio"]),
    "moderation": (COUNTS, {"mode": "a"}, {"mode": "b"}),
    "n": (COUNTS, 1, 2),
    "parallel_tool_calls": (COUNTS, True, False),
    "prediction": (COUNTS, {"type": "content", "content": "a"}, {"type": "content", "content": "b"}),
    "presence_penalty": (COUNTS, 0.5, 0.25),
    "prompt_cache_key": (DOES_NOT, "session-1", "session-2"),
    "prompt_cache_options": (DOES_NOT, {"mode": "explicit"}, {"mode": "implicit", "ttl": "30m"}),
    "prompt_cache_retention": (DOES_NOT, "in_memory", "24h"),
    "reasoning_effort": (COUNTS, "low", "high"),
    "response_format": (COUNTS, {"type": "json_object"}, {"type": "text"}),
    "safety_identifier": (COUNTS, "u1", "u2"),
    "seed": (COUNTS, 1, 2),
    "service_tier": (COUNTS, "auto", "flex"),
    "stop": (COUNTS, ["\n"], ["\n\n"]),
    "store": (COUNTS, True, False),
    "stream": (DOES_NOT, True, False),
    "stream_options": (DOES_NOT, {"include_usage": True}, {"include_obfuscation": False}),
    "temperature": (COUNTS, 0, 1),
    "tool_choice": (COUNTS, "auto", "required"),
    "tools": (COUNTS, [{"type": "function", "function": {"name": "f"}}], []),
    "top_logprobs": (COUNTS, 1, 2),
    "top_p": (COUNTS, 0.5, 1),
    "user": (COUNTS, "u1", "u2"),
    "verbosity": (COUNTS, "low", "high"),
    "web_search_options": (COUNTS, {}, {"search_context_size": "low"}),
    # No parameters of OpenAI's:
    "cache": (DOES_NOT, {"ttl": 60}, {"no-store": True}),
    "top_k": (COUNTS, 1, 2),
    "guided_json": (COUNTS, {"a": 1}, {"b": 1}),
    "of_next_year": (COUNTS, None, ""),
}
"""Every parameter of a chat completion (OpenAI's request schema, read 2026-11) with two values for it."""


def call_of(body: dict[str, Any], **more: Any) -> Call:
    values = {"tenant": "t", "headers": {}, "target": "/chat/completions", "dialect": OPENAI_CHAT} | more
    return Call("POST", body=b"", parsed=body, **values)


def key(body: dict[str, Any], **more: Any) -> bytes:
    return key_of(call_of(body, **more))


def scope(body: dict[str, Any], **more: Any) -> bytes | None:
    return scope_of(call_of(body, **more))


def test_the_ignored_members_are_these_and_no_others() -> None:
    assert set(IGNORED) == {
        "stream",
        "stream_options",
        "prompt_cache_key",
        "prompt_cache_retention",
        "prompt_cache_options",
        "cache",
    }
    assert all(len(reason) > 20 for reason in IGNORED.values()), "each has its reason"
    assert {name for name, (counts, *_) in PARAMETERS.items() if counts == DOES_NOT} == set(IGNORED)


def test_the_steering_headers_are_these_and_no_others() -> None:
    assert (
        *("openai-organization", "openai-project", "openai-beta"),
        *("anthropic-version", "anthropic-beta", "anthropic-workspace-id"),
    ) == STEERING_HEADERS


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_counts_unless_the_table_names_it(name: str) -> None:
    counts, one, other = PARAMETERS[name]
    absent = {member: value for member, value in BODY.items() if member != name}
    keys = {key(absent), key(absent | {name: one}), key(absent | {name: other})}
    assert len(keys) == (3 if counts == COUNTS else 1)


@pytest.mark.parametrize("name", [name for name in PARAMETERS if name not in BODY])
def test_a_parameter_that_is_null_is_not_one_that_is_absent(name: str) -> None:
    counts = PARAMETERS[name][0] == COUNTS
    assert (key(BODY | {name: None}) != key(BODY)) is counts


@pytest.mark.parametrize("name", IGNORED)
def test_an_ignored_name_counts_everywhere_but_at_the_top(name: str) -> None:
    inside = copy.deepcopy(BODY)
    inside["messages"][0][name] = "x"
    assert key(inside) != key(BODY)
    assert key(BODY | {"metadata": {name: "x"}}) != key(BODY | {"metadata": {}})


RICH: dict[str, Any] = {
    "model": "gpt-4o",
    "temperature": 1,
    "tools": [
        {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "required": ["a", "b"]}}},
        {"type": "function", "function": {"name": "g"}},
    ],
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}},
        ]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"arguments": '{"a":1}'}}]},
        {"role": "tool", "tool_call_id": "1", "content": "12"},
        {"role": "user", "content": "And this: a  b\tc"},
    ],
}  # fmt: skip


TEXTS = copy.deepcopy(RICH)
"""The same without its image."""
TEXTS["messages"][1]["content"][1] = {"type": "text", "text": "And that?"}


def reversed_members(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: reversed_members(value[name]) for name in reversed(value)}
    return [reversed_members(item) for item in value] if isinstance(value, list) else value


def test_the_order_of_members_does_not_count_at_any_depth() -> None:
    turned = reversed_members(RICH)
    assert json.dumps(turned) != json.dumps(RICH)
    assert key(turned) == key(RICH)
    assert scope(reversed_members(TEXTS)) == scope(TEXTS) is not None


def part(body: dict[str, Any], place: int) -> dict[str, Any]:
    return body["messages"][1]["content"][place]  # type: ignore[no-any-return]


CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "1 is not 1.0": lambda b: b.update(temperature=1.0),
    "1 is not true": lambda b: b.update(temperature=True),
    "1 is not '1'": lambda b: b.update(temperature="1"),
    "letter case of the model": lambda b: b.update(model="GPT-4o"),
    "letter case in a text": lambda b: part(b, 0).update(text="what is this?"),
    "white space inside a text": lambda b: b["messages"][4].update(content="And this: a b\tc"),
    "white space behind a text": lambda b: part(b, 0).update(text="What is this? "),
    "a combining character": lambda b: part(b, 0).update(text="What is this\u0323?"),
    "order of the tools": lambda b: b["tools"].reverse(),
    "order of the messages": lambda b: b["messages"].insert(0, b["messages"].pop(1)),
    "order of the parts": lambda b: b["messages"][1]["content"].reverse(),
    "order in a required list": lambda b: b["tools"][0]["function"]["parameters"]["required"].reverse(),
    "a message twice": lambda b: b["messages"].append(b["messages"][-1]),
    "a role": lambda b: b["messages"][0].update(role="developer"),
    "a name": lambda b: b["messages"][0].update(name="x"),
    "one byte of an image": lambda b: part(b, 1)["image_url"].update(url="data:image/png;base64,iVBORw0KGgp="),
    "detail of an image": lambda b: part(b, 1)["image_url"].update(detail="high"),
    "a breakpoint": lambda b: part(b, 0).update(prompt_cache_breakpoint={"mode": "explicit"}),
    "white space in tool arguments": lambda b: b["messages"][2]["tool_calls"][0]["function"].update(
        arguments='{"a": 1}'
    ),
    "content null against absent": lambda b: b["messages"][2].pop("content"),
    "content as a part": lambda b: b["messages"][0].update(content=[{"type": "text", "text": "Be brief."}]),
    "an empty tool list": lambda b: b.update(functions=[]),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_any_change_of_the_body_is_another_key(what: str) -> None:
    body = copy.deepcopy(RICH)
    CHANGES[what](body)
    assert body != RICH or json.dumps(body) != json.dumps(RICH), "the change changes something"
    assert key(body) != key(RICH)


def test_numbers_and_texts_keep_what_they_are() -> None:
    values: list[Any] = [0, 0.0, -0.0, False, None, "", "0", 2**64, 1e22, 10**22, 0.1, 0.1 + 2**-56, [], {}, [[]], [{}]]
    forms = [canonical(value) for value in values]
    assert len(set(forms)) == len(values), forms
    assert canonical({"b": 1, "a": [1.0, "A b"], "": None}) == b'{"":null,"a":[1.0,"A b"],"b":1}'


@pytest.mark.parametrize("change", [
    {"tenant": "u"},
    {"tenant": ""},
    {"controls": Controls(namespace="n")},
    {"target": "/chat/completions?api-version=1"},
    {"target": "/chat/completions/"},
    *[{"headers": {name: "x"}} for name in STEERING_HEADERS],
], ids=str)  # fmt: skip
def test_what_stands_beside_the_body_counts_in_key_and_scope(change: dict[str, Any]) -> None:
    assert key(BODY, **change) != key(BODY)
    assert scope(BODY, **change) != scope(BODY)


def test_one_steering_header_is_not_another() -> None:
    assert len({key(BODY, headers={name: "x"}) for name in STEERING_HEADERS}) == len(STEERING_HEADERS)


@pytest.mark.parametrize("change", [
    {"controls": Controls(no_cache=True, no_store=True, only_if_cached=True, max_age=1, ttl=2)},
    {"headers": {"User-Agent": "x", "Authorization": "Bearer x", "X-Request-Id": "1", "Cache-Control": "no-cache"}},
    {"stream": True, "wants_usage": False, "credential": "c"},
], ids=str)  # fmt: skip
def test_what_does_not_say_whose_answer_it_is_does_not_count(change: dict[str, Any]) -> None:
    assert key(BODY, **change) == key(BODY)


GLUED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"tenant": "a", "controls": Controls(namespace="bc")},
        {"tenant": "ab", "controls": Controls(namespace="c")},
    ),
    (
        {"tenant": "1:a", "controls": Controls(namespace="")},
        {"tenant": "", "controls": Controls(namespace="1:a")},
    ),
    (
        {"tenant": "a", "controls": Controls(namespace="b"), "target": "/c"},
        {"tenant": "a1:b2:/c0:0:0:", "controls": Controls(namespace=""), "target": ""},
    ),
    (
        {"headers": {"openai-organization": "ab", "openai-project": "c"}},
        {"headers": {"openai-organization": "a", "openai-project": "bc"}},
    ),
    (
        {"headers": {"openai-organization": "a0:"}},
        {"headers": {"openai-organization": "a", "openai-project": "0:"}},
    ),
]


@pytest.mark.parametrize(("one", "other"), GLUED)
def test_parts_cannot_be_glued_to_look_like_others(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert key(BODY, **one) != key(BODY, **other)
    assert scope(BODY, **one) != scope(BODY, **other)


@given(*[st.tuples(*[st.text("ab01:/{", max_size=5)] * 3)] * 2)
def test_other_parts_are_another_key(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    keys = [
        key({}, tenant=tenant, controls=Controls(namespace=namespace), target=target)
        for tenant, namespace, target in (one, other)
    ]
    assert (keys[0] == keys[1]) is (one == other)


def test_bytes_of_a_query_that_are_no_utf8_still_have_a_key() -> None:
    first, second = ("/chat/completions?" + byte.decode(errors="surrogateescape") for byte in (b"\xff", b"\xfe"))
    assert key(BODY, target=first) != key(BODY, target=second)


def test_the_key_is_computed_once_and_carried_on_the_call() -> None:
    call = call_of(dict(BODY))
    first = key_of(call)
    assert call.key == first
    call.parsed["model"] = "other"
    assert key_of(call) == first
    assert call.apart().key == first


def test_the_key_is_what_it_was() -> None:
    """Entries on disk are found by it: whoever changes this value on purpose changes VERSION too."""
    call = call_of(RICH, tenant="t", controls=Controls(namespace="n"), headers={"openai-project": "p"})
    assert key_of(call).hex() == "16ab823c44892600c73251b3e58d37668929f928c2ccccb6c199a8a789849189"
    found = scope_of(call_of(TEXTS, tenant="t", controls=Controls(namespace="n"), headers={"openai-project": "p"}))
    assert found is not None
    assert found.hex() == "0b52a584cd97ca1c93aebfd159e3a34f0ef7e8e2f8d554331cc6e2e6b4f73136"


# Scope


def asking(text: Any, **last: Any) -> dict[str, Any]:
    return BODY | {"messages": [BODY["messages"][0], {"role": "user", "content": text} | last]}


@pytest.mark.parametrize("text", ["And of Spain?", "x" * 10_000, PLACEHOLDER, "\x00a", "user", "text"])
def test_the_text_of_the_last_user_message_is_no_part_of_the_scope(text: str) -> None:
    assert scope(asking(text)) == scope(asking("What is the capital of France?")) is not None
    assert key(asking(text)) != key(asking("What is the capital of France?"))


LAST_PARTS = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]


@pytest.mark.parametrize("body", [
    {},
    {"messages": None},
    {"messages": []},
    {"messages": {"role": "user", "content": "a"}},
    {"messages": ["a"]},
    {"messages": [{"role": "user"}]},
    {"messages": [{"role": "user", "content": None}]},
    {"messages": [{"role": "user", "content": ""}]},
    {"messages": [{"role": "user", "content": " \n\u3000"}]},
    {"messages": [{"role": "user", "content": "?!"}]},
    {"messages": [{"role": "user", "content": LAST_PARTS[:1] * 2}]},
    {"messages": [{"role": "user", "content": LAST_PARTS}]},
    {"messages": [{"content": "a"}]},
    {"messages": [USER, {"role": "assistant", "content": "a"}]},
    {"messages": [USER, {"role": "tool", "content": "a"}]},
    {"messages": [USER, {"role": "system", "content": "a"}]},
], ids=str)  # fmt: skip
def test_where_no_user_text_stands_last_there_is_no_scope(body: dict[str, Any]) -> None:
    assert scope(body) is None


@pytest.mark.parametrize("what", [name for name in CHANGES if "image" not in name])
def test_any_other_change_of_the_body_is_another_scope(what: str) -> None:
    body = copy.deepcopy(TEXTS)
    CHANGES[what](body)
    assert scope(TEXTS) is not None
    assert (scope(body) == scope(TEXTS)) is (what == "white space inside a text")
    assert scope(body) is not None or what == "order of the messages"


@pytest.mark.parametrize("what", ["one byte of an image", "detail of an image"])
def test_images_count_also_around_a_question_that_only_an_identical_request_answers(what: str) -> None:
    body = copy.deepcopy(RICH)
    CHANGES[what](body)
    one, other = OPENAI_CHAT.question(RICH), OPENAI_CHAT.question(body)
    assert one.exact == other.exact == "images"
    assert canonical(one.around) != canonical(other.around)
    assert scope(RICH) is scope(body) is None


@pytest.mark.parametrize("name", [name for name in PARAMETERS if name != "messages"])
def test_a_parameter_counts_in_the_scope_as_it_does_in_the_key(name: str) -> None:
    counts, one, other = PARAMETERS[name]
    absent = {member: value for member, value in BODY.items() if member != name}
    scopes = [scope(absent), scope(absent | {name: one}), scope(absent | {name: other})]
    known = [found for found in scopes if found is not None]
    assert len(set(known)) == (len(known) if counts == COUNTS else 1)


def test_the_last_message_counts_but_for_its_text() -> None:
    assert scope(asking("a", name="x")) != scope(asking("a"))
    assert scope(asking("a", name="x")) == scope(asking("b", name="x"))


def test_an_earlier_text_is_never_taken_for_the_placeholder() -> None:
    first, second = ({"role": "user", "content": text} for text in ("a", PLACEHOLDER))
    assert scope({"messages": [first, USER]}) != scope({"messages": [second, USER]})


@pytest.mark.parametrize("text", ["a", PLACEHOLDER])
def test_a_scope_is_never_an_exact_key(text: str) -> None:
    assert scope(asking(text)) != key(asking(text))
    assert scope(asking(text)) != key(asking(PLACEHOLDER))


def test_the_scope_leaves_the_call_as_it_was() -> None:
    call = call_of(copy.deepcopy(BODY))
    scope_of(call)
    assert call.parsed == BODY
    assert call.key == b""


# Properties

NAMES = st.sampled_from(["model", "messages", "stream", "cache", "n", "seed", "a", "b", ""])
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 1),
    st.integers(),
    st.sampled_from([0.0, -0.0, 1.0, 0.5, 1e300]),
    st.text("aA b\n\"\\é😀", max_size=3),
)  # fmt: skip
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)
BODIES = st.dictionaries(NAMES, VALUES, max_size=5)


def form(value: Any) -> Any:
    """What two JSON values must have in common to be the same: a reference that knows nothing of encoders."""
    if isinstance(value, dict):
        return "object", frozenset((name, form(item)) for name, item in value.items())
    if isinstance(value, list):
        return "array", tuple(form(item) for item in value)
    return type(value).__name__, repr(value)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two bodies, near to each other more often than not."""
    one = draw(BODIES)
    if draw(st.booleans()):
        other = {name: one[name] for name in draw(st.permutations(list(one)))}
        changed = draw(st.dictionaries(NAMES, VALUES, max_size=1))
        return one, reversed_members(other | changed)
    return one, draw(BODIES)


@settings(max_examples=300)
@given(pairs())
def test_keys_are_equal_exactly_where_everything_that_counts_is(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    one, other = pair
    same = form(counted(one)) == form(counted(other))
    assert (key(one) == key(other)) is same
    assert (canonical(counted(one)) == canonical(counted(other))) is same


@given(BODIES)
def test_counted_drops_what_the_table_names_and_nothing_else(body: dict[str, Any]) -> None:
    left = counted(body)
    assert {name: left.get(name, body[name]) for name in body} == body
    assert set(body) - set(left) == set(body) & set(IGNORED)


@given(pairs(), st.text(max_size=5), st.text(max_size=5))
def test_scopes_are_equal_exactly_where_all_but_the_last_text_is(
    pair: tuple[dict[str, Any], dict[str, Any]], one: str, other: str
) -> None:
    # Of several choices there is no scope at all.
    bodies = [{name: value for name, value in body.items() if name != "n"} for body in pair]
    texts = ([{"role": "user", "content": f"q{text}"}] for text in (one, other))
    asked = [body | {"messages": messages} for body, messages in zip(bodies, texts, strict=True)]
    rest = [form(counted(body | {"messages": []})) for body in bodies]
    scopes = [scope(body) for body in asked]
    assert None not in scopes
    assert (scopes[0] == scopes[1]) is (rest[0] == rest[1])


WORDS = st.sampled_from(["a", "b", PLACEHOLDER, "user"])
CONTENTS = WORDS | WORDS.map(lambda text: [{"type": "text", "text": text}])
LAST = st.fixed_dictionaries({"role": st.just("user"), "content": CONTENTS}, optional={"name": WORDS})
TALKS = st.tuples(st.lists(st.fixed_dictionaries({"role": st.just("user"), "content": CONTENTS}), max_size=2), LAST)


def without(last: dict[str, Any]) -> dict[str, Any]:
    """A reference: the last message without its text, and where that stood."""
    content = last["content"]
    return {**last, "content": None if isinstance(content, str) else [{**content[0], "text": None}]}


@settings(max_examples=500)
@given(TALKS, TALKS)
def test_no_text_that_a_client_writes_is_taken_for_the_place_of_the_question(
    one: tuple[list[Any], dict[str, Any]], other: tuple[list[Any], dict[str, Any]]
) -> None:
    same = form([*one[0], without(one[1])]) == form([*other[0], without(other[1])])
    assert (scope({"messages": [*one[0], one[1]]}) == scope({"messages": [*other[0], other[1]]})) is same


def test_a_tenant_that_shares_a_body_shares_no_key() -> None:
    call = call_of(RICH)
    others = [replace(call, tenant=f"t{n}", key=b"") for n in range(100)]
    assert len({key_of(other) for other in others}) == 100


@given(BODIES, st.lists(VALUES, max_size=4), st.sampled_from(["input", "a", "~", "\x00", "é"]), st.text(max_size=5))
def test_the_key_of_an_item_is_that_of_the_request_for_it_alone(
    body: dict[str, Any], items: list[Any], member: str, tenant: str
) -> None:
    call = call_of(body | {member: items}, tenant=tenant)
    assert item_keys(call, member, items) == [key(body | {member: item}, tenant=tenant) for item in items]


def test_items_are_those_of_what_the_provider_is_asked() -> None:
    sent = Sent("/e", b"", {"input": ["a"], "m": 1})
    call = call_of({"input": ["a"], "model": "m", "dropped": 1}, sent=sent)
    alone = call_of({}, sent=sent._replace(parsed={"input": "a", "m": 1}))
    assert item_keys(call, "input", ["a"]) == [key_of(alone)]
    assert call.key == b""
