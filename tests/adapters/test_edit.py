"""Edits of a JSON body: exactly the effect that was asked for, and not one other byte.

A name that stands twice in one object is no case of these functions: the dialect refuses such a body when it parses it
(`test_a_name_that_stands_twice_never_comes_here`). What they do all the same is held at the end.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.edit import Member, drop_member, members, set_member
from adapters.errors import Refused
from adapters.openai_chat import OPENAI_CHAT

DROPPED: list[tuple[bytes, bytes]] = [
    (b'{"cache":1}', b"{}"),
    (b'{ "cache" : 1 }', b"{  }"),
    (b'\n{\n  "cache": 1\n}\n', b"\n{\n  \n}\n"),
    (b'{"cache":1,"b":2}', b'{"b":2}'),
    (b'{"a":0,"cache":1}', b'{"a":0}'),
    (b'{"a":0,"cache":1,"b":2}', b'{"a":0,"b":2}'),
    (b'{ "a": 0 , "cache": 1 , "b": 2 }', b'{ "a": 0 , "b": 2 }'),
    (b'{ "a": 0 , "cache": 1 }\n', b'{ "a": 0 }\n'),
    (b'{\n  "a": 0,\n  "cache": {\n    "ttl": 1\n  }\n}', b'{\n  "a": 0\n}'),
    (b'{\r\n\t"cache": [1, 2],\r\n\t"a": 0\r\n}', b'{\r\n\t"a": 0\r\n}'),
    # The name, written otherwise.
    (rb'{"ca\u0063he":1,"a":0}', b'{"a":0}'),
    (rb'{"a":0,"\u0063\u0061\u0063\u0068\u0065":1}', b'{"a":0}'),
    # Names and values that only look like it.
    (b'{}', b'{}'),
    (b' { } ', b' { } '),
    (b'{"a":"cache"}', b'{"a":"cache"}'),
    (b'{"a":{"cache":1},"b":[{"cache":2},"cache"]}', b'{"a":{"cache":1},"b":[{"cache":2},"cache"]}'),
    (b'{"Cache":1,"cache ":2,"xcache":3}', b'{"Cache":1,"cache ":2,"xcache":3}'),
    (rb'{"\"cache\"":1,"\\cache":2}', rb'{"\"cache\"":1,"\\cache":2}'),
    (b'{"a":{"cache":1},"cache":{"cache":{"cache":2}}}', b'{"a":{"cache":1}}'),
    # Values full of what structure is made of.
    (rb'{"a":"}, \"cache\": {","cache":1}', rb'{"a":"}, \"cache\": {"}'),
    (rb'{"cache":"a\\\"}],{[","a":"\\"}', rb'{"a":"\\"}'),
    (rb'{"a":"\\\\","cache":"\\","b":"\""}', rb'{"a":"\\\\","b":"\""}'),
    (rb'{"a":[[{"b":"]"}],"}"],"cache":[[{}],[]],"c":{}}', rb'{"a":[[{"b":"]"}],"}"],"c":{}}'),
    (b'{"cache":"a\\\nb"}'.replace(b"\\\n", b"\\n"), b"{}"),
    ('{"a":"é😀","cache":"é😀","b":"\u2028"}'.encode(), '{"a":"é😀","b":"\u2028"}'.encode()),
    # Literals and numbers, with nothing around them.
    (b'{"a":true,"cache":null,"b":-1.50e+10}', b'{"a":true,"b":-1.50e+10}'),
    (b'{"":0,"cache":1}', b'{"":0}'),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "left"), DROPPED)
def test_drop(raw: bytes, left: bytes) -> None:
    assert drop_member(raw, "cache") == left


SET: list[tuple[bytes, bytes]] = [
    (b"{}", b'{"cache":[7]}'),
    (b" {\n} ", b' {"cache":[7]\n} '),
    (b'{"a":0}', b'{"a":0,"cache":[7]}'),
    (b'{\n  "a": 0\n}\n', b'{\n  "a": 0,"cache":[7]\n}\n'),
    (b'{"cache":1}', b'{"cache":[7]}'),
    (b'{ "cache" : 1 , "b" : 2 }', b'{ "cache" :[7] , "b" : 2 }'),
    (b'{"a":0,"cache":{"x":[1,{}]},"b":2}', b'{"a":0,"cache":[7],"b":2}'),
    (b'{"a":0,"cache": "}" }', b'{"a":0,"cache":[7] }'),
    (rb'{"ca\u0063he":1}', rb'{"ca\u0063he":[7]}'),
    (b'{"a":{"cache":1}}', b'{"a":{"cache":1},"cache":[7]}'),
    (b'{"a":"{"}', b'{"a":"{","cache":[7]}'),
    (b'{"a":[]}', b'{"a":[],"cache":[7]}'),
]


@pytest.mark.parametrize(("raw", "result"), SET)
def test_set(raw: bytes, result: bytes) -> None:
    assert set_member(raw, "cache", b"[7]") == result


@pytest.mark.parametrize("name", ["", '"', "\\", "a\nb", "é", "😀", "}{"])
def test_a_name_of_any_characters_is_set_and_dropped_again(name: str) -> None:
    raw = b'{"a": 0 }'
    there = set_member(raw, name, b"1")
    assert json.loads(there) == {"a": 0, name: 1}
    assert set_member(there, name, b"2") == there.replace(b":1", b":2")
    assert drop_member(there, name) == raw


@pytest.mark.parametrize(("raw", "left"), DROPPED)
def test_what_was_set_is_dropped_without_a_trace(raw: bytes, left: bytes) -> None:
    if json.loads(left):  # in front of the brace of an empty object there is no comma to go by
        assert drop_member(set_member(left, "cache", b"{}"), "cache") == left


def test_members_of_a_body_as_it_may_look() -> None:
    raw = b'\n{ "a" : "x" ,\n  "b": [1, {"c": 2}]\n,"":-0.50}'
    found = list(members(raw))
    assert [member.name for member in found] == ["a", "b", ""]
    assert [raw[member.start : member.end] for member in found] == [b'"a" : "x"', b'"b": [1, {"c": 2}]', b'"":-0.50']
    assert [raw[member.value : member.end].strip() for member in found] == [b'"x"', b'[1, {"c": 2}]', b"-0.50"]


# Random objects, written as no encoder would write them

WHITE = st.text(" \t\r\n", max_size=3).map(str.encode)
TEXTS = st.text('ab"\\{}[],:/\n\x00é😀', max_size=6)
NAMES = st.sampled_from(["cache", "a", "b", "", "cach", "cachee", '"cache"', "{", "é"])


@st.composite
def strings(draw: st.DrawFn, text: str) -> bytes:
    """A JSON string, its characters escaped or not as chance has it."""
    written = ""
    for character in text:
        plain = json.dumps(character, ensure_ascii=False)[1:-1]
        written += draw(st.sampled_from([plain, json.dumps(character)[1:-1], escaped(character)]))
    return f'"{written}"'.encode()


def escaped(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[place : place + 2].hex()}" for place in range(0, len(units), 2))


NUMBERS = st.sampled_from([b"0", b"-0", b"1.0", b"-1.50e+10", b"12345678901234567890", b"1E3"])
LITERALS = st.sampled_from([b"true", b"false", b"null"])


@st.composite
def values(draw: st.DrawFn, depth: int = 2) -> bytes:
    kind = draw(st.integers(0, 4 if depth else 2))
    if kind == 0:
        return draw(NUMBERS)
    if kind == 1:
        return draw(LITERALS)
    if kind == 2:
        return draw(strings(draw(TEXTS)))
    items = []
    for name in draw(st.lists(NAMES, max_size=3, unique=True)):
        head = draw(strings(name)) + draw(WHITE) + b":" if kind == 3 else b""
        items.append(draw(WHITE) + head + draw(WHITE) + draw(values(depth - 1)) + draw(WHITE))
    inner = b",".join(items) if items else draw(WHITE)
    return b"{" + inner + b"}" if kind == 3 else b"[" + inner + b"]"


class Written(NamedTuple):
    """An object with distinct names, and where each of its members was written: name, start, value (the byte behind
    the colon), end."""

    raw: bytes
    members: list[Member]


@st.composite
def objects(draw: st.DrawFn) -> Written:
    raw, found = draw(WHITE) + b"{", []
    for place, name in enumerate(draw(st.lists(NAMES, max_size=4, unique=True))):
        raw += b"," * bool(place) + draw(WHITE)
        start = len(raw)
        raw += draw(strings(name)) + draw(WHITE) + b":"
        value = len(raw)
        raw += draw(WHITE) + draw(values())
        found.append(Member(name, start, value, len(raw)))
        raw += draw(WHITE)
    return Written(raw + draw(WHITE) + b"}" + draw(WHITE), found)


def decoded(raw: bytes) -> dict[str, Any]:
    """As the strictest reader sees it, in the order of its members; numbers as they are written."""

    def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({name for name, _ in pairs}) == len(pairs)
        return dict(pairs)

    msgspec.json.decode(raw)
    value = json.loads(raw, object_pairs_hook=distinct, parse_int=str, parse_float=str)
    assert isinstance(value, dict)
    return value


@given(objects())
def test_members_are_found_where_they_were_written(written: Written) -> None:
    assert list(members(written.raw)) == written.members


@given(objects(), NAMES)
def test_a_drop_takes_that_member_and_one_comma(written: Written, name: str) -> None:
    raw, found = written
    after = drop_member(raw, name)
    left = {other: value for other, value in decoded(raw).items() if other != name}
    assert list(decoded(after).items()) == list(left.items())
    place = next((place for place, member in enumerate(found) if member.name == name), None)
    if place is None:
        assert after == raw
    elif place + 1 < len(found):
        assert after == raw[: found[place].start] + raw[found[place + 1].start :]
    elif place:
        assert after == raw[: found[place - 1].end] + raw[found[place].end :]
    else:
        assert after == raw[: found[place].start] + raw[found[place].end :]


@given(objects(), NAMES, values())
def test_a_set_changes_that_value_or_adds_one_member(written: Written, name: str, value: bytes) -> None:
    raw, found = written
    after = set_member(raw, name, value)
    changed = decoded(raw) | {name: json.loads(value, parse_int=str, parse_float=str)}
    assert list(decoded(after).items()) == list(changed.items())
    there = next((member for member in found if member.name == name), None)
    if there is not None:
        assert after == raw[: there.value] + value + raw[there.end :]
    else:
        stop = found[-1].end if found else raw.index(b"{") + 1
        added = b"," * bool(found) + json.dumps(name, ensure_ascii=False).encode() + b":" + value
        assert after == raw[:stop] + added + raw[stop:]


@given(objects(), NAMES, values())
def test_an_edit_done_twice_is_an_edit_done_once(written: Written, name: str, value: bytes) -> None:
    once = set_member(written.raw, name, value)
    assert set_member(once, name, value) == once
    dropped = drop_member(written.raw, name)
    assert drop_member(dropped, name) == dropped


# Names that stand twice

TWICE = b'{"model":"m","messages":[{}],"cache":1,"cache":2}'


def test_a_name_that_stands_twice_never_comes_here() -> None:
    with pytest.raises(Refused, match="occurs twice"):
        OPENAI_CHAT.parse(TWICE)


def test_of_a_name_that_stands_twice_the_first_is_meant() -> None:
    raw = b'{"a":1,"b":2,"a":3}'
    assert drop_member(raw, "a") == b'{"b":2,"a":3}'
    assert set_member(raw, "a", b"7") == b'{"a":7,"b":2,"a":3}'


# Cost


class Copied(bytes):
    """Bytes that count how many of them were copied by slicing."""

    copied = 0

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        self.copied += len(found) if isinstance(found, bytes) else 0
        return found


@pytest.mark.parametrize("between", [b",", b" , ", b"\n,"])
@pytest.mark.parametrize("edit", [drop_member, lambda raw, name: set_member(raw, name, b"1")])
def test_a_body_of_many_members_is_copied_a_few_times_and_not_once_for_each(between: bytes, edit: Any) -> None:
    raw = Copied(b"{" + between.join(b'"%d":1' % n for n in range(2_000)) + b"}")
    edit(raw, "cache")
    assert raw.copied < 4 * len(raw)


@pytest.mark.parametrize(
    "raw",
    [b'{"a":"' + b"\\n" * 1_000_000 + b'"}', b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"],
    ids=["escapes", "depth"],
)
def test_a_body_of_any_content_is_read(raw: bytes) -> None:
    assert drop_member(raw, "cache") is raw
    assert set_member(raw, "cache", b"1") == raw[:-1] + b',"cache":1}'
