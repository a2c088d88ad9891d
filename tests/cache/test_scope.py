"""Who may be compared with whom: scopes of all dialects, of translated requests, and marks of context."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.anthropic_messages import ANTHROPIC_MESSAGES
from adapters.chat_over_messages import CHAT_OVER_MESSAGES
from adapters.messages_over_chat import MESSAGES_OVER_CHAT
from adapters.openai_chat import OPENAI_CHAT
from adapters.openai_embeddings import OPENAI_EMBEDDINGS
from adapters.openai_responses import OPENAI_RESPONSES
from adapters.question import PLACEHOLDER, Question
from adapters.translation import Terms, Translation
from adapters.vocabulary import Call, Dialect, Sent
from cache.key import key_of, scope_of
from cache.scope import MARKERS, marked, without_text


def user(text: Any, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": text} | more


def chat(text: Any, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "system", "content": "Be brief."}, user(text)]} | more


def claude(text: Any, **more: Any) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 9, "system": "Be brief.", "messages": [user(text)]} | more


def responses(text: Any, **more: Any) -> dict[str, Any]:
    return {"model": "m", "instructions": "Be brief.", "input": text} | more


def call_of(dialect: Dialect | None, body: dict[str, Any], sent: Sent | None = None, **more: Any) -> Call:
    values: dict[str, Any] = {"tenant": "t", "headers": {}, "target": "/x"} | more
    return Call("POST", body=b"", parsed=body, dialect=dialect, sent=sent, **values)


def scope(dialect: Dialect, body: dict[str, Any], sent: Sent | None = None) -> bytes | None:
    found = scope_of(call_of(dialect, body, sent))
    assert found is None or len(found) == 32
    return found


DIALECTS = [(OPENAI_CHAT, chat), (ANTHROPIC_MESSAGES, claude), (OPENAI_RESPONSES, responses)]


@pytest.mark.parametrize(("dialect", "make"), DIALECTS)
def test_in_every_dialect_a_scope_is_all_but_the_question(dialect: Dialect, make: Any) -> None:
    usual = scope(dialect, make("a"))
    assert usual is not None
    assert usual == scope(dialect, make("b")) == scope(dialect, make(PLACEHOLDER + " b", stream=True))
    others = [
        scope(dialect, make("a", model="n")),
        scope(dialect, make("a", seed=1)),
        scope(dialect, make("a", never_heard_of=None)),
        scope(dialect, make("a", tools=[{"type": "function", "name": "f", "function": {}}])),
        scope(dialect, make("a", instructions="Be long.", system="Be long.")),
        scope_of(call_of(dialect, make("a"), tenant="u")),
    ]
    if dialect is ANTHROPIC_MESSAGES:
        others[3] = scope(dialect, make("a", tools=[{"name": "f"}]))
    assert None not in others
    assert len({usual, *others}) == 7


def test_a_string_is_another_scope_than_a_part_and_a_list() -> None:
    text = {"type": "input_text", "text": "a"}
    forms = ["a", [user("a")], [user([text])], [user("a", type="message")], [user([{**text, "detail": 1}])]]
    assert len({scope(OPENAI_RESPONSES, responses(given)) for given in forms} - {None}) == 5


def test_what_nobody_reads_has_no_scope() -> None:
    assert scope_of(call_of(None, chat("a"))) is None
    assert scope(OPENAI_EMBEDDINGS, {"model": "m", "input": "a"}) is None


@pytest.mark.parametrize("body", [chat("a", n=2), chat(""), chat([user("a")]), chat("a", store=True), {}])
def test_where_only_an_identical_request_will_do_there_is_none(body: dict[str, Any]) -> None:
    call = call_of(OPENAI_CHAT, body)
    assert scope_of(call) is None
    assert scope_of(call) is None
    assert len(key_of(call)) == 32


class Counting:
    """Chat completions, counting how often the question was looked for."""

    def __init__(self) -> None:
        self.asked = 0

    def question(self, body: dict[str, Any]) -> Question:
        self.asked += 1
        return OPENAI_CHAT.question(body)


@pytest.mark.parametrize(("text", "known"), [("a", True), ("", False)])
def test_the_scope_of_a_body_is_computed_once_for_all_who_send_it(text: str, known: bool) -> None:
    dialect, body = Counting(), chat(text)
    digests: dict[object, bytes] = {}
    calls = [call_of(dialect, body, tenant=tenant, digests=digests) for tenant in "tu"]  # type: ignore[arg-type]
    scopes = [scope_of(call) for call in (*calls, *calls)]
    assert dialect.asked == 1
    assert len(set(scopes)) == (2 if known else 1)
    assert (None in scopes) is not known
    assert scopes[0] == scope(OPENAI_CHAT, body)


def test_a_question_that_is_known_need_not_be_read_again() -> None:
    dialect, body = Counting(), chat("a")
    found = scope_of(call_of(dialect, body), OPENAI_CHAT.question(body))  # type: ignore[arg-type]
    assert found == scope(OPENAI_CHAT, body)
    assert dialect.asked == 0


# Where the provider speaks another dialect

TERMS = Terms("claude-sonnet-5", max_tokens=99)
TRANSLATED: list[tuple[Translation, Any]] = [(CHAT_OVER_MESSAGES, chat), (MESSAGES_OVER_CHAT, claude)]


def through(translation: Translation, body: dict[str, Any], terms: Terms = TERMS) -> bytes | None:
    return scope(translation.client, body, translation.request(body, terms))


@pytest.mark.parametrize(("translation", "make"), TRANSLATED)
def test_of_a_translated_request_both_sides_count(translation: Translation, make: Any) -> None:
    usual = through(translation, make("a"))
    assert usual is not None
    assert usual == through(translation, make(" And then?\n")) != scope(translation.client, make("a"))
    others = [
        through(translation, make("a", frequency_penalty=0.5)),  # dropped on the way
        through(translation, make("a", seed=1)),  # the same
        through(translation, make("a"), TERMS._replace(model="claude-opus-5-5")),
        through(translation, make("a") | {"messages": [user("z"), user("a")]}),
    ]
    assert None not in others
    assert len({usual, *others}) == 5


def test_what_the_configuration_adds_counts() -> None:
    body = {name: value for name, value in claude("a").items() if name != "max_tokens"}
    scopes = {through(MESSAGES_OVER_CHAT, body, TERMS._replace(max_tokens=most)) for most in (9, 10)}
    assert len(scopes - {None}) == 2


def test_a_text_that_follows_the_results_of_tools() -> None:
    function = {"type": "function", "function": {"name": "f"}}
    calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]

    def talk(result: str, text: str) -> dict[str, Any]:
        tool = {"role": "tool", "tool_call_id": "c", "content": result}
        called = {"role": "assistant", "content": None, "tool_calls": calls}
        return {"model": "m", "tools": [function], "messages": [user("x"), called, tool, user(text)]}

    scopes = [through(CHAT_OVER_MESSAGES, talk(*said)) for said in (("1", "a"), ("1", "b"), ("2", "a"), ("b", "b"))]
    assert None not in scopes
    assert scopes[0] == scopes[1]
    assert len(set(scopes)) == 3


@given(st.text(max_size=6), st.sampled_from(TRANSLATED), st.sampled_from([user("z"), user(PLACEHOLDER)]))
def test_no_question_changes_the_scope_of_a_translated_request(text: str, way: Any, before: dict[str, Any]) -> None:
    translation, _ = way
    bodies = [{"model": "m", "max_tokens": 5, "messages": [before, user(each)]} for each in ("q", f"q{text}")]
    assert through(translation, bodies[0]) == through(translation, bodies[1]) is not None


def test_a_model_of_another_name_is_another_scope() -> None:
    body = responses("a")
    sent = [Sent("/responses", b"", body | {"model": name}) for name in ("x", "y")]
    scopes = [scope(OPENAI_RESPONSES, body, each) for each in (None, *sent)]
    assert len(set(scopes) - {None}) == 3
    moved = sent[0]._replace(parsed=responses("b", model="x"))
    assert scope(OPENAI_RESPONSES, responses("b"), moved) == scopes[1]


@pytest.mark.parametrize("sent", [
    Sent("/x", b"", chat("another text")),
    Sent("/x", b"", chat(["a"])),
    Sent("/x", b"", {"model": "m"}),
    Sent("/x", b"", chat("a"), stateful="server tools"),
], ids=str)  # fmt: skip
def test_where_the_provider_is_asked_something_else_there_is_no_scope(sent: Sent) -> None:
    assert scope(OPENAI_CHAT, chat("a"), Sent("/x", b"", chat("a"))) is not None
    assert scope(OPENAI_CHAT, chat("a"), sent) is None


@pytest.mark.parametrize(("body", "expected"), [
    ({"input": "a"}, {"input": PLACEHOLDER}),
    ({"input": "b"}, None),
    ({"messages": [user("a"), user("a")]}, {"messages": [user("a"), user(PLACEHOLDER)]}),
    ({"messages": [user("b")]}, None),
    ({"messages": [user([{"text": "a"}, {"text": "a", "k": 1}])]},
     {"messages": [user([{"text": "a"}, {"text": PLACEHOLDER, "k": 1}])]}),
    ({"messages": [user([{"text": "a"}, {"text": "b"}])]}, None),
    ({"messages": [user([])]}, None),
    ({"messages": [user(None)]}, None),
    ({"messages": [user(["a"])]}, None),
    ({"messages": ["a"]}, None),
    ({"messages": []}, None),
    ({"messages": {"content": "a"}}, None),
    ({}, None),
], ids=str)  # fmt: skip
def test_the_text_is_taken_out_where_it_stands_last(body: dict[str, Any], expected: dict[str, Any] | None) -> None:
    before = json.dumps(body)
    assert without_text(body, "a") == expected
    assert json.dumps(body) == before


# Data that nobody on this project wrote

DATA = Path(os.environ.get("WARMGATE_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")
STRUCTURAL = {
    "response_format_changed",
    "same_followup_no_context",
    "same_followup_other_context",
    "system_prompt_changed",
    "tools_changed",
}
"""Kinds of pairs whose questions are alike and whose requests are not."""


def test_conversations_that_differ_never_meet() -> None:
    path = DATA / "semantic" / "multiturn_pairs.jsonl.gz"
    if not path.exists():
        pytest.skip(f"no {path.name} below {DATA}: name the folder in WARMGATE_DATA")
    met: Counter[tuple[str, int, bool]] = Counter()
    for line in gzip.decompress(path.read_bytes()).splitlines():
        pair = json.loads(line)
        one, other = (scope(OPENAI_CHAT, {"model": "m"} | pair[name]) for name in "ab")
        assert one is not None
        assert other is not None
        met[pair["kind"], pair["label"], one == other] += 1
    kinds = {kind for kind, _, _ in met}
    assert kinds >= STRUCTURAL
    assert [kind for kind in STRUCTURAL if met[kind, 0, True]] == []
    # Nothing that has to be found is lost: positives that need not be found are the only ones in another scope.
    assert [kind for kind in kinds if met[kind, 1, False] and not kind.endswith("_optional")] == []


# Marks of context


@pytest.mark.parametrize(("text", "marker"), [
    ("<context>Paris has 2 million inhabitants.</context> How many?", "<context>"),
    ("<Documents>\n<document index=\"1\">", "<document>"),
    ("<document\nid='1'/>", "<document>"),
    ("<memory/> who am I?", "<memory>"),
    ("see ## retrieved passages", "## Retrieved"),
    ("What does <contextual> mean?", ""),
    ("In this context: nothing", ""),
    ("Is context good?", ""),
    ("documents", ""),
    ("", ""),
])  # fmt: skip
def test_a_marker_in_the_question(text: str, marker: str) -> None:
    found = marked(OPENAI_CHAT.question(chat(f"{text} x")))
    assert (found in ("<document>", "<documents>")) if marker == "<document>" else found == marker


INSTRUCTED = [
    (OPENAI_CHAT, {"messages": [{"role": "system", "content": "<user_profile>"}, user("a")]}),
    (OPENAI_CHAT, {"messages": [{"role": "developer", "content": [{"type": "text", "text": "<memory>"}]}, user("a")]}),
    (ANTHROPIC_MESSAGES, claude("a", system="x <search_results>")),
    (ANTHROPIC_MESSAGES, claude("a", system=[{"type": "text", "text": "x"}, {"type": "text", "text": "<context>"}])),
    (ANTHROPIC_MESSAGES, claude("a") | {"messages": [user("b"), {"role": "system", "content": "<memory>"}, user("a")]}),
    (OPENAI_RESPONSES, responses("a", instructions="## Retrieved")),
    (OPENAI_RESPONSES, responses([{"role": "system", "content": "<memories>"}, user("a")])),
]


@pytest.mark.parametrize(("dialect", "body"), INSTRUCTED)
def test_a_marker_in_the_instructions(dialect: Dialect, body: dict[str, Any]) -> None:
    assert marked(dialect.question(body)) in MARKERS
    assert marked(dialect.question(body), ("another",)) == ""


def test_what_was_said_before_is_not_looked_at() -> None:
    before = [user("<context>"), {"role": "assistant", "content": "<memory>"}, user("a")]
    assert marked(OPENAI_CHAT.question({"messages": before})) == ""


def test_markers_are_literal_and_an_empty_one_marks_nothing() -> None:
    question = OPENAI_CHAT.question(chat("a+b (c) [d]"))
    assert marked(question, ("", "a.b", "(C)")) == "(C)"
    assert marked(question, ("",)) == marked(question, ()) == ""
    lines = OPENAI_CHAT.question(chat("Answer.\n\nCONTEXT:\r\nParis"))
    assert marked(lines, ("Context:\n",)) == "Context:\n"


VALUES = st.recursive(
    st.none() | st.integers() | st.sampled_from(["system", "<memory>"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "content", "text"]), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["system", "instructions", "messages", "input"]), VALUES))
def test_any_json_may_stand_around(body: dict[str, Any]) -> None:
    assert marked(Question("a", body)) in ("", "<memory>")
    assert without_text(body, "no such text") is None
