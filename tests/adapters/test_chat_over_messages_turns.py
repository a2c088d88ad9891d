"""Whole conversations: who speaks when, what is joined, and that a longer one begins as the shorter one did."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.capabilities import Capabilities, capabilities_of
from adapters.chat_over_messages_assistant import identity_of
from adapters.chat_over_messages_notes import Notes
from adapters.chat_over_messages_turns import Conversation, conversation
from adapters.errors import Refused

PREFILL = capabilities_of("claude-opus-4-5")
SYSTEM_TURNS = capabilities_of("claude-opus-4-8")
PLAIN = capabilities_of("claude-opus-4-6")


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def system(said: str, role: str = "system") -> dict[str, Any]:
    return {"role": role, "content": said}


def user(said: str = "u") -> dict[str, Any]:
    return {"role": "user", "content": said}


def assistant(said: str | None = "a", *ids: str, **members: Any) -> dict[str, Any]:
    calls = [{"id": one, "type": "function", "function": {"name": "f", "arguments": "{}"}} for one in ids]
    return {"role": "assistant", "content": said, "tool_calls": calls or None, **members}


def tool(identity: str, said: str = "r") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": identity, "content": said}


def read(*messages: Any, known: Capabilities = PREFILL, notes: Notes | None = None) -> Conversation:
    return conversation(list(messages), known, notes or Notes())


def turns(said: Conversation) -> list[tuple[str, list[str]]]:
    """Roles, and of each block the text, the result or the id of the call."""
    return [
        (turn["role"], [one.get("text") or one.get("content") or one.get("id") for one in turn["content"]])
        for turn in said.plain
    ]


def refused(*messages: Any, known: Capabilities = PREFILL, strict: bool = False) -> str | None:
    with pytest.raises(Refused) as caught:
        read(*messages, known=known, notes=Notes(strict=strict))
    assert caught.value.status == 400
    return caught.value.param


def test_leading_system_messages_are_texts_in_their_order() -> None:
    said = read(system("one"), system("two", "developer"), system(""), user())
    assert said.system == [text("one"), text("two")]
    assert turns(said) == [("user", ["u"])]


def test_users_and_assistants_stay_apart() -> None:
    said = read(user("1"), user("2"), assistant("3"), assistant("4"), user("5"))
    assert turns(said) == [
        ("user", ["1"]),
        ("user", ["2"]),
        ("assistant", ["3"]),
        ("assistant", ["4"]),
        ("user", ["5"]),
    ]


def test_results_and_what_the_user_says_next_are_one_turn() -> None:
    said = read(user(), assistant("a", "x", "y"), tool("x", "1"), tool("y", "2"), user("3"), user("4"), assistant())
    assert turns(said) == [
        ("user", ["u"]),
        ("assistant", ["a", "x", "y"]),
        ("user", ["1", "2", "3", "4"]),
        ("assistant", ["a"]),
    ]
    assert said.plain[2]["content"][0] == {"type": "tool_result", "tool_use_id": "x", "content": "1"}


def test_results_come_before_what_the_user_says_between_them() -> None:
    said = read(user(), assistant(None, "x", "y"), tool("x", "1"), user("3"), tool("y", "2"), user("4"))
    assert turns(said)[2] == ("user", ["1", "2", "3", "4"])


def test_an_id_that_the_provider_does_not_take_is_the_same_in_both_places() -> None:
    said = read(user(), assistant(None, "functions.f:0"), tool("functions.f:0"))
    call, result = said.plain[1]["content"][0], said.plain[2]["content"][0]
    assert call["id"] == result["tool_use_id"] == identity_of("functions.f:0")


def test_a_call_that_the_client_wrote_in_anthropics_form_can_be_answered() -> None:
    native = {"role": "assistant", "content": [{"type": "tool_use", "id": "x", "name": "f", "input": {}}]}
    odd = {"role": "assistant", "content": [{"type": "tool_use", "id": ["x"]}]}
    assert turns(read(user(), native, odd, tool("x", "1")))[-1] == ("user", ["1"])


def test_an_assistant_that_said_nothing_is_left_out() -> None:
    assert turns(read(user("1"), assistant(""), user("2"))) == [("user", ["1"]), ("user", ["2"])]


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([user(), system("s")], [("user", ["u"]), ("system", ["s"])]),
        (
            [user(), system("s"), assistant(), user()],
            [("user", ["u"]), ("system", ["s"]), ("assistant", ["a"]), ("user", ["u"])],
        ),
        ([user(), system("s"), system("t", "developer")], [("user", ["u"]), ("system", ["s", "t"])]),
        (
            [user(), assistant(None, "x"), tool("x"), system("s"), assistant(""), assistant(), user()],
            [
                ("user", ["u"]),
                ("assistant", ["x"]),
                ("user", ["r"]),
                ("system", ["s"]),
                ("assistant", ["a"]),
                ("user", ["u"]),
            ],
        ),
    ],
)
def test_later_system_messages_stay_where_they_may(messages: list[Any], expected: Any) -> None:
    notes = Notes()
    said = read(*messages, known=SYSTEM_TURNS, notes=notes)
    assert turns(said) == expected
    assert (said.system, notes.warnings) == ([], [])


@pytest.mark.parametrize(
    ("known", "messages"),
    [
        (PLAIN, [user(), system("s")]),
        (SYSTEM_TURNS, [user(), system("s"), user()]),
        (SYSTEM_TURNS, [user(), assistant(), system("s"), user()]),
        (SYSTEM_TURNS, [user(), system("s"), assistant(""), user()]),
        (SYSTEM_TURNS, [user(), assistant(), system("s"), assistant(), user()]),
        (SYSTEM_TURNS, [user(), assistant(None, "x", "y"), tool("x"), system("s"), tool("y")]),
        (SYSTEM_TURNS, [user(), assistant(None, "x"), system("s"), tool("x")]),
    ],
)
def test_others_move_to_the_front_and_the_client_is_told(known: Capabilities, messages: list[Any]) -> None:
    notes = Notes()
    said = read(system("first"), *messages, known=known, notes=notes)
    assert said.system == [text("first"), text("s")]
    assert "system" not in [turn["role"] for turn in said.sent]
    assert notes.warnings == ["messages: later system message moved to the front"]
    place = 1 + messages.index(system("s"))
    assert refused(system("first"), *messages, known=known, strict=True) == f"messages[{place}]"


def test_results_around_a_moved_system_message_are_one_turn() -> None:
    said = read(user(), assistant(None, "x", "y"), tool("x", "1"), system("s"), tool("y", "2"), known=SYSTEM_TURNS)
    assert turns(said)[-1] == ("user", ["1", "2"])


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([], "messages"),
        ([system("s")], "messages"),
        ([system("")], "messages"),
        ([7], "messages[0]"),
        ([user(), None], "messages[1]"),
        ([{"content": "u"}], "messages[0].role"),
        ([{"role": ["user"], "content": "u"}], "messages[0].role"),
        ([{"role": "function", "name": "f", "content": "x"}], "messages[0].role"),
        ([assistant(), user()], "messages[0]"),
        ([system("s"), assistant(), user()], "messages[1]"),
        ([user(" ")], "messages[0].content"),
        ([tool("x")], "messages[0].tool_call_id"),
        ([user(), tool("x")], "messages[1].tool_call_id"),
        ([user(), tool("x"), assistant(None, "x")], "messages[1].tool_call_id"),
        ([user(), {"role": "tool", "content": "x"}], "messages[1].tool_call_id"),
        ([user(), assistant("so ")], "messages[1]"),
    ],
)
def test_what_is_no_conversation(messages: list[Any], param: str) -> None:
    assert refused(*messages) == param


def test_messages_must_be_a_list() -> None:
    for messages in (None, "hi", {}, 7):
        with pytest.raises(Refused) as caught:
            conversation(messages, PLAIN, Notes())
        assert caught.value.param == "messages"


def test_only_older_models_go_on_with_a_message_of_the_assistant() -> None:
    said = read(user(), assistant("The answer is"), known=PREFILL)
    assert said.prefilled
    assert refused(user(), assistant("The answer is"), known=PLAIN) == "messages[1]"
    assert refused(user(), assistant("so"), system("s"), known=SYSTEM_TURNS) == "messages[1]"
    assert not read(user()).prefilled


THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}


@pytest.mark.parametrize(
    ("messages", "unthought"),
    [
        ([user()], False),
        ([user(), assistant("a"), user()], False),
        ([user(), assistant(None, "x"), tool("x")], True),
        ([user(), assistant("a", "x"), tool("x"), user()], True),
        ([user(), assistant("a", "x", thinking_blocks=[THOUGHT]), tool("x")], False),
        ([user(), assistant("a", "x"), tool("x"), assistant("b"), user()], False),
    ],
)
def test_whether_the_last_calls_come_with_their_thinking(messages: list[Any], unthought: bool) -> None:
    assert read(*messages).unthought is unthought


# ---------------------------------------------------------------- the property

words = st.text(max_size=8).map(lambda said: said + "x")
loops = st.builds(
    lambda said, results, rest: (
        [assistant(said, *(f"c{place}" for place in range(len(results))))]
        + [tool(f"c{place}", one) for place, one in enumerate(results)]
        + [user(one) for one in rest]
    ),
    words | st.none(),
    st.lists(words, min_size=1, max_size=3),
    st.lists(words, max_size=2),
)
exchanges = loops | st.builds(lambda said, asked: [assistant(said), user(asked)], words | st.just(""), words)
conversations = st.lists(exchanges, max_size=6).map(
    lambda parts: [user("first"), *(one for part in parts for one in part)]
)


@given(conversations, st.sampled_from([PREFILL, SYSTEM_TURNS]))
def test_a_longer_conversation_begins_with_the_bytes_of_the_shorter(messages: list[Any], known: Capabilities) -> None:
    sent = msgspec.json.encode(read(*messages, known=known).sent)
    for length in range(1, len(messages)):
        if messages[length - 1]["role"] == "assistant":
            continue  # nobody asks for an answer to an answer
        shorter = msgspec.json.encode(read(*messages[:length], known=known).sent)
        assert sent.startswith(shorter.removesuffix(b"]}]"))  # the last turn may still grow


@given(conversations)
def test_what_is_sent_and_what_is_counted_say_the_same(messages: list[Any]) -> None:
    said = read(*messages)
    assert msgspec.json.decode(msgspec.json.encode(said.sent)) == said.plain
