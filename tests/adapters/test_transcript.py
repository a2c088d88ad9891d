"""Conversations as hooks see them: the same in all three APIs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.tokens import IMAGE
from adapters.transcript import APIS, Piece, Sizes, Transcript, shape, transcript_of
from tests.adapters import talks
from tests.adapters.talks import read, shell, talk

STEPS: list[talks.Step] = [
    ("system", "be brief"),
    ("user", "first"),
    *read("c1", "/a.py", "print(1)"),
    *shell("c2", "ls", "no such thing", failed=True),
    ("say", "done"),
    ("look",),
    ("say", "seen"),
    ("user", "newest"),
]


def of(body: dict[str, Any], api: str, **more: Any) -> Transcript:
    transcript = transcript_of(body, api, **more)
    assert transcript is not None
    return transcript


def told(pieces: tuple[Piece, ...]) -> list[tuple[Any, ...]]:
    """What must be the same whatever the API, system prompt and texts of failures aside."""
    return [
        (piece.kind, piece.role, piece.tool, piece.call_id, piece.paths, piece.failed, piece.locked)
        for piece in pieces
        if piece.role != "system"
    ]


@pytest.mark.parametrize("api", talks.APIS)
def test_a_conversation_reads_the_same_in_every_api(api: str) -> None:
    transcript = of(talk(api, STEPS), api)
    assert told(transcript.pieces) == [
        ("text", "user", "", "", (), False, "first user message"),
        ("call", "assistant", "read", "c1", ("/a.py",), False, ""),
        ("result", "tool", "read", "c1", ("/a.py",), False, ""),
        ("call", "assistant", "bash", "c2", (), False, ""),
        ("result", "tool", "bash", "c2", (), True, ""),
        ("text", "assistant", "", "", (), False, "assistant"),
        ("text", "user", "", "", (), False, ""),
        ("image", "user", "", "", (), False, ""),
        ("text", "assistant", "", "", (), False, "assistant"),
        ("text", "user", "", "", (), False, "newest user message"),
    ]
    assert all(piece.tokens > 0 for piece in transcript.pieces)
    assert next(piece.tokens for piece in transcript.pieces if piece.kind == "image") == IMAGE


@pytest.mark.parametrize("api", talks.APIS)
def test_paths_lead_to_what_an_edit_replaces(api: str) -> None:
    body = talk(api, STEPS)
    for piece in of(body, api).pieces:
        value: Any = body
        for name in piece.path:
            value = value[name]
        if piece.kind in ("text", "result"):
            assert value == piece.text
        elif piece.kind == "call":
            assert (json.loads(value) if isinstance(value, str) else value) == json.loads(piece.text)


@pytest.mark.parametrize("api", talks.APIS)
def test_what_no_answer_followed_yet_is_the_newest_message(api: str) -> None:
    steps: list[talks.Step] = [("user", "1"), ("say", "2"), ("user", "a document"), ("user", "a question about it")]
    assert [piece.locked for piece in of(talk(api, steps), api).pieces] == [
        "first user message",
        "assistant",
        "newest user message",
        "newest user message",
    ]


@pytest.mark.parametrize("api", talks.APIS)
def test_a_result_behind_the_newest_message_is_open_and_the_message_is_not(api: str) -> None:
    steps: list[talks.Step] = [("user", "1"), ("say", "2"), ("user", "newest"), *read("c1", "/a", "text")]
    pieces = of(talk(api, steps), api).pieces
    assert [piece.locked for piece in pieces] == ["first user message", "assistant", "newest user message", "", ""]


def test_thoughts_system_prompts_and_documents_are_locked() -> None:
    blocks = [
        {"type": "document", "source": {"type": "text", "data": "words and words"}},
        {"type": "search_result", "source": "s"},
        {"type": "text", "text": "x"},
    ]
    steps: list[talks.Step] = [("user", "0"), ("think", "hm"), ("user", "2"), ("say", "3"), ("user", "4")]
    body = talk("anthropic-messages", steps)
    body["messages"][2]["content"] = blocks
    locked = [(piece.kind, piece.locked) for piece in of(body, "anthropic-messages").pieces]
    assert locked[1:5] == [("thinking", "thinking"), ("document", "document"), ("other", "other"), ("text", "")]
    chat = of(talk("openai-chat", [("system", "s"), ("user", "u"), ("think", "t")]), "openai-chat")
    assert [(piece.kind, piece.locked) for piece in chat.pieces] == [
        ("text", "system"),
        ("text", "first user message"),
        ("thinking", "thinking"),
        ("text", "assistant"),
    ]


def test_a_mark_on_a_text_that_an_edit_would_drop_locks_the_result() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    plain, marked = {"type": "text", "text": "a"}, {"type": "text", "text": "b"} | mark
    for parts, locked in (([marked, plain], ""), ([plain, plain], ""), ([plain, marked], "marked"), ([], "empty")):
        body = talk("anthropic-messages", [("user", "u"), *shell("c", "ls", "x")])
        body["messages"][2]["content"][0]["content"] = parts
        assert of(body, "anthropic-messages").pieces[-1].locked == locked


def test_ids_that_come_again_belong_to_the_call_before_them() -> None:
    steps = [("user", "u"), *read("call_0", "/a", "1"), *read("call_0", "/b", "2")]
    results = [piece for piece in of(talk("openai-chat", steps), "openai-chat").pieces if piece.kind == "result"]
    assert [piece.paths for piece in results] == [("/a",), ("/b",)]


# Digests


def digests(body: dict[str, Any], api: str, salt: bytes = b"") -> tuple[bytes, ...]:
    return of(body, api, salt=salt).digests


@pytest.mark.parametrize("api", talks.APIS)
def test_digests_of_a_conversation_that_goes_on_stay(api: str) -> None:
    early, late = talk(api, STEPS[:4]), talk(api, STEPS)
    count = len(digests(early, api))
    assert digests(late, api)[:count] == digests(early, api)
    assert len(set(digests(late, api))) == len(digests(late, api))


@pytest.mark.parametrize("api", talks.APIS)
def test_digests_differ_from_the_first_difference_on(api: str) -> None:
    ours, theirs = digests(talk(api, STEPS), api), digests(talk(api, [*STEPS[:2], ("user", "x"), *STEPS[3:]]), api)
    same = [one == other for one, other in zip(ours, theirs, strict=True)]
    assert same == sorted(same, reverse=True)
    assert any(same)
    assert not all(same)
    assert not set(digests(talk(api, STEPS), api, b"a")) & set(digests(talk(api, STEPS), api, b"b"))


def test_marks_that_move_and_clocks_in_system_prompts_leave_digests_alone() -> None:
    plain = talk("anthropic-messages", STEPS)
    marked = json.loads(json.dumps(plain))
    marked["messages"][0]["content"] = [{"type": "text", "text": "first", "cache_control": {"type": "ephemeral"}}]
    marked["messages"][2]["content"][0]["cache_control"] = {"type": "ephemeral", "ttl": "1h"}
    marked["system"][0]["text"] = "it is 12:00"
    assert digests(marked, "anthropic-messages") == digests(plain, "anthropic-messages")
    early, late = talk("openai-chat", STEPS), talk("openai-chat", [("system", "it is 12:00"), *STEPS[1:]])
    assert digests(early, "openai-chat") == digests(late, "openai-chat")


def test_marks_inside_of_results_leave_digests_alone() -> None:
    body = talk("anthropic-messages", [("user", "u"), ("call", "c", "t", {}), ("shot", "c", "text")])
    marked = json.loads(json.dumps(body))
    marked["messages"][2]["content"][0]["content"][0]["cache_control"] = {"type": "ephemeral"}
    assert digests(marked, "anthropic-messages") == digests(body, "anthropic-messages")
    marked["messages"][2]["content"][0]["content"][0]["text"] = "other"
    assert digests(marked, "anthropic-messages") != digests(body, "anthropic-messages")


# Sizes


@pytest.mark.parametrize("api", talks.APIS)
def test_remembered_sizes_change_nothing(api: str) -> None:
    sizes = Sizes()
    body = talk(api, STEPS, tools=[{"name": "t", "description": "does this and that"}], instructions="x y z")
    assert of(body, api, sizes=sizes) == of(body, api, sizes=sizes) == of(body, api)
    assert of(body, api).head > of(talk(api, STEPS), api).head


def test_sizes_are_bounded() -> None:
    sizes = Sizes(limit=8)
    for number in range(100):
        sizes.put(b"%d" % number, (number,))
        assert sizes.get(b"%d" % number) == (number,)
    assert sum(sizes.get(b"%d" % number) is not None for number in range(100)) <= 8


@pytest.mark.parametrize("api", talks.APIS)
def test_starts_add_up(api: str) -> None:
    transcript = of(talk(api, STEPS), api)
    starts = transcript.starts()
    assert starts == sorted(starts)
    assert starts[0] == transcript.head
    assert starts[-1] >= transcript.head + sum(piece.tokens for piece in transcript.pieces)
    assert transcript.answered == max(p.message for p in transcript.pieces if p.role == "assistant") + 1


# What anybody may send

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        *("role", "content", "type", "text", "tool_calls", "function", "arguments", "input", "id", "call_id", "output"),
        *("tool_use_id", "source", "cache_control", "summary", "thinking", "image_url", "name", "is_error", "path"),
    ]
)
VALUES = st.recursive(
    JSON | st.sampled_from(["user", "assistant", "tool", "text", "tool_use", "tool_result", "image", "message", "{}"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=25,
)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(talks.APIS), VALUES, VALUES)
def test_any_json_can_be_read(api: str, conversation: Any, rest: Any) -> None:
    member = APIS[api][0]
    body = {"model": "m", "tools": rest, "system": rest, member: conversation}
    transcript = of(body, api)
    for index, message in enumerate(conversation if isinstance(conversation, list) else []):
        pieces = [piece for piece in transcript.pieces if piece.message == index]
        assert [(piece.kind, piece.role, piece.call_id) for piece in pieces] == shape(message, api)


@pytest.mark.parametrize(
    ("body", "api"),
    [
        ({"input": "x"}, "openai-embeddings"),
        ({"input": [], "previous_response_id": "r"}, "openai-responses"),
        ({"input": [], "conversation": {"id": "c"}}, "openai-responses"),
    ],
)
def test_what_is_no_whole_conversation_is_left_alone(body: dict[str, Any], api: str) -> None:
    assert transcript_of(body, api) is None


def test_a_text_alone_is_a_conversation() -> None:
    (piece,) = of({"input": "hello"}, "openai-responses").pieces
    assert (piece.path, piece.text, piece.locked) == (("input",), "hello", "first user message")
