from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.deltas import Book, Finished
from proxy.importers import History, Recorded, read

TEXTS = st.sampled_from(["a", "b", "c"])
MESSAGE = st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": TEXTS | st.integers(0, 1)})
MEMBERS = st.dictionaries(
    st.sampled_from(["model", "temperature", "tools", "keep", "append", "stop"]),
    st.sampled_from([None, 0, 0.0, 1, True, "m", [1], [1.0], {"a": 1}]),
    max_size=3,
)
BODY = st.builds(lambda members, messages: {**members, "messages": messages}, MEMBERS, st.lists(MESSAGE, max_size=5))


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def body(*texts: str, **members: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [user(text) for text in texts], **members}


def finished(request: dict[str, Any], *, tenant: str = "t", hint: str = "", message: Any = None) -> Finished:
    return Finished(tenant, hint, request, message, None, 1.0)


def lines(book: Book, *requests: Finished) -> list[dict[str, Any]]:
    return [msgspec.json.decode(book.line(request)) for request in requests]


def expanded(written: list[dict[str, Any]]) -> list[Recorded]:
    history = History("f")
    return [recorded for line in written for recorded in read(line, history)]


@settings(max_examples=200)
@given(
    st.lists(st.tuples(BODY, st.sampled_from("tu"), st.sampled_from(["", "", "h", "i"])), max_size=12),
    st.integers(1, 4),
)
def test_what_is_written_expands_to_exactly_what_was_sent(requests: list[Any], sessions: int) -> None:
    book = Book(sessions)
    written = lines(book, *(finished(sent, tenant=tenant, hint=hint) for sent, tenant, hint in requests))
    assert len(book) <= sessions
    assert [repr(found.body and sort(found.body)) for found in expanded(written)] == [
        repr(sort(r[0])) for r in requests
    ]


def sort(value: dict[str, Any]) -> list[Any]:
    # repr tells 1, 1.0 and True apart, which == does not.
    return sorted(value.items(), key=lambda item: item[0])


def test_a_conversation_is_found_by_its_messages_and_written_once() -> None:
    written = lines(Book(), *(finished(body(*"abcdef"[:n])) for n in range(1, 7)))
    assert len({line["session"] for line in written}) == 1
    assert [line["seq"] for line in written] == list(range(6))
    assert [line["request"]["keep"] for line in written] == list(range(6))
    assert all(len(line["request"]["append"]) == 1 for line in written)
    assert "model" in written[0]["request"]
    assert "model" not in written[1]["request"]


def test_the_longest_conversation_goes_on_and_siblings_stay_apart() -> None:
    written = lines(
        Book(),
        finished(body("a")),
        finished(body("a")),  # an equal request: a sibling
        finished(body("a", "b")),
        finished(body("a", "c")),
        finished(body("a", "b", "d")),
        finished(body("z")),
    )
    names = [line["session"] for line in written]
    assert len(set(names)) == 3
    assert names[2] != names[3]
    assert names[4] == names[2]
    assert {names[2], names[3]} == {names[0], names[1]}


def test_tenants_never_meet() -> None:
    one, other = lines(Book(), finished(body("a"), tenant="t"), finished(body("a", "b"), tenant="u"))
    assert one["session"] != other["session"]
    assert one["tenant"] != other["tenant"]
    assert other["request"]["keep"] == 0


def test_a_name_given_by_the_client_wins() -> None:
    book = Book()
    a, b, c = lines(
        book,
        finished(body("a", "b"), hint="alice@example.com"),
        finished(body("a", "x"), hint="alice@example.com"),
        finished(body("a", "b", "c")),
    )
    assert a["session"] == b["session"] != c["session"]
    assert b["request"]["keep"] == 1
    assert "alice" not in repr([a, b])
    one, two = lines(book, finished(body("p", prompt_cache_key="k")), finished(body("q", prompt_cache_key="k")))
    assert one["session"] == two["session"]


def test_a_member_that_went_away_is_gone() -> None:
    written = lines(Book(), finished(body("a", temperature=1)), finished(body("a", "b")))
    assert "messages" in written[1]["request"]
    assert [found.body for found in expanded(written)] == [body("a", temperature=1), body("a", "b")]


def test_answers() -> None:
    message = {"role": "assistant", "content": "x"}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    cut = {"index": 1, "message": message, "finish_reason": "length"}
    written = lines(
        Book(),
        finished(body("a"), message=None),
        finished(body("b"), message=message),
        finished(body("c"), message={"id": "i", "choices": choices}),
        finished(body("d"), message={"choices": [*choices, cut]}),
        finished(body("e"), message={"choices": []}),
    )
    assert [line["response"] for line in written] == [
        None,
        {"message": message, "finish_reason": None},
        {"message": message, "finish_reason": "stop"},
        {"message": message, "finish_reason": "length"},
        None,
    ]


def test_credentials_are_not_written_and_prefixes_still_match() -> None:
    secret = "my key is sk-0123456789abcdef"
    first = finished(body(secret), message={"role": "assistant", "content": "so sk-0123456789abcdef it is"})
    book = Book()
    raw = book.line(first) + book.line(finished(body(secret, "next", api_key="hunter22")))
    assert b"sk-0123" not in raw
    assert b"hunter22" not in raw
    found = expanded([msgspec.json.decode(line) for line in raw.splitlines()])
    assert found[1].session == found[0].session
    assert found[1].body == body("my key is [redacted]", "next", api_key="[redacted]")


@pytest.mark.parametrize("bad", [{}, {"messages": "x"}, {"messages": ["x"]}])
def test_no_chat_request(bad: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        Book().line(finished(bad))
