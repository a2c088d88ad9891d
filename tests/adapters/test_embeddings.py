"""Taking embeddings apart and putting them together: what moves, and that no digit of it changes."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.embeddings import SEAM, Part, items_of, model_of, narrowed, put_together, take_apart, weight
from adapters.errors import Unfoldable
from adapters.openai_embeddings import OPENAI_EMBEDDINGS

DIGITS = b"[0.10,1e-7,-0.0,1E+2,123456789012345678901234567890,0.1000000000000000055511151231257827]"


def answer(
    *data: bytes, usage: bytes = b',"usage":{"prompt_tokens":9,"total_tokens":9}', model: bytes = b'"m"'
) -> bytes:
    return b'{"object":"list","data":[%b],"model":%b%b}' % (b",".join(data), model, usage)


def one(index: int, vector: bytes = DIGITS, more: bytes = b"") -> bytes:
    return b'{"object":"embedding","index":%d,"embedding":%b%b}' % (index, vector, more)


# ---------------------------------------------------------------- items


@pytest.mark.parametrize(
    ("given", "items"),
    [
        ("a", ["a"]),
        (["a"], ["a"]),
        (["a", "b", "a"], ["a", "b", "a"]),
        ([1, 2], [[1, 2]]),
        ([[1, 2], [3]], [[1, 2], [3]]),
        ([], None),
        ([[]], None),
        (["a", 1], None),
        (["a", [1]], None),
        ([[1], ["a"]], None),
        ([[1.0]], None),
        ([True], None),
        ([None], None),
        ({"text": "a"}, None),
        ([{"text": "a"}], None),
        (None, None),
        (1, None),
    ],
)
def test_the_items_of_an_input(given: Any, items: Any) -> None:
    assert items_of({"input": given}) == items


def test_a_request_without_an_input_has_no_items() -> None:
    assert items_of({}) is None


def test_tokens_weigh_what_they_are_and_texts_what_they_are_long() -> None:
    assert weight([5, 5, 5]) == 3
    assert weight("one two three") == 13
    assert weight("\u65e5\u672c") == 6


# ---------------------------------------------------------------- apart and together


def test_an_answer_comes_out_as_it_went_in() -> None:
    raw = answer(one(0), one(1, b'"AACAPwAAgL8="'), one(2, b"[1]", b',"truncated":true'))
    assert put_together(take_apart(raw), 9) == raw


def test_the_order_is_that_of_the_index_not_of_the_list() -> None:
    parts = take_apart(answer(one(2, b"[2]"), one(0, b"[0]"), one(1, b"[1]")))
    assert put_together(parts, 9) == answer(one(0, b"[0]"), one(1, b"[1]"), one(2, b"[2]"))


def test_parts_of_several_answers_are_numbered_anew() -> None:
    first, second = take_apart(answer(one(0, b"[0.10]"))), take_apart(answer(one(0, b"[0]"), one(1, b"[-0.0]")))
    assert put_together([second[1], first[0]], 4) == answer(
        one(0, b"[-0.0]"), one(1, b"[0.10]"), usage=b',"usage":{"prompt_tokens":4,"total_tokens":4}'
    )


def test_the_numbers_survive_white_space_and_other_members_around_them() -> None:
    raw = b'\n{ "created" : 1.50, "data" : [ {"embedding" : [ 0.10 , 1e-7 ], "index" : 0 , "x" : {"y" : 2.0}} ] }\n'
    (part,) = take_apart(raw)
    assert put_together([part], 7) == (
        b'{"created":1.50,"data":[{"embedding":[ 0.10 , 1e-7 ],"index":0,"x":{"y" : 2.0}}],'
        b'"usage":{"prompt_tokens":7,"total_tokens":7}}'
    )


def test_where_nobody_knows_the_tokens_no_usage_is_made_up() -> None:
    raw = answer(one(0))
    assert put_together(take_apart(raw), None) == answer(one(0), usage=b"")
    assert json.loads(put_together(take_apart(raw), 0))["usage"] == {"prompt_tokens": 0, "total_tokens": 0}


def test_a_part_can_be_kept() -> None:
    (part,) = take_apart(answer(one(0, more=',"ÿ":"þÿ\\u00ff"'.encode())))
    assert Part.of(part.kept()) == part
    assert part.kept().count(SEAM) == 2


@pytest.mark.parametrize(("model", "named"), [(b'"m-2"', b'"m-2"'), (b"null", b"null")])
def test_a_kept_part_tells_its_model(model: bytes, named: bytes) -> None:
    assert model_of(take_apart(answer(one(0), model=model))[0].kept()) == named


def test_a_part_without_a_model_has_an_empty_one() -> None:
    assert model_of(take_apart(b'{"data":[{"index":0}]}')[0].kept()) == b""


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"data":null}',
        b'{"data":[1]}',
        b'{"data":[{"embedding":[1]}]}',
        b'{"data":[{"index":"0"}]}',
        b'{"data":[{"index":null}]}',
        b'{"data":[{"index":0}]',
        b'{"data":' + b"[" * 100_000,
    ],
)
def test_what_is_no_answer_is_not_taken_apart(raw: bytes) -> None:
    with pytest.raises(Unfoldable):
        take_apart(raw)


NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers().map(str),
    st.sampled_from(["0.10", "1e-7", "1E+07", "-0.0", "-0", "0.30000000000000004440892098500626", "1" * 40]),
).map(str.encode)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(NUMBERS, min_size=1, max_size=4), min_size=1, max_size=6), st.randoms())
def test_no_digit_changes(vectors: list[list[bytes]], chance: Any) -> None:
    data = [one(place, b"[%b]" % b",".join(vector)) for place, vector in enumerate(vectors)]
    shuffled = list(data)
    chance.shuffle(shuffled)
    raw = answer(*shuffled)
    assert not OPENAI_EMBEDDINGS.objection(msgspec.json.decode(raw))
    assert put_together(take_apart(raw), 9) == answer(*data)


# ---------------------------------------------------------------- narrowed


@pytest.mark.parametrize(
    ("raw", "narrow"),
    [
        (b'{"model":"m","input":["a","b"]}', b'{"model":"m","input":["b"]}'),
        (b'{"input" : [ "a",\n"b" ] , "model":"m"}', b'{"input" : ["b"] , "model":"m"}'),
        (b'{"x":["a","b"],"input":["a","b"]}', b'{"x":["a","b"],"input":["b"]}'),
        (b'{"input":["a","b"],"x":["a","b"]}', b'{"input":["b"],"x":["a","b"]}'),
        (b'{"user":"[1,2]","inpu\\u0074":[1,2]}', b'{"user":"[1,2]","inpu\\u0074":["b"]}'),
    ],
)
def test_only_the_input_changes(raw: bytes, narrow: bytes) -> None:
    assert narrowed(raw, ["b"]) == narrow


MEMBERS = st.dictionaries(
    st.sampled_from(["a", "model", "user", "z"]),
    st.recursive(st.integers() | st.text() | st.none(), lambda inner: st.lists(inner, max_size=3)),
)


@settings(max_examples=100, deadline=None)
@given(MEMBERS, MEMBERS, st.lists(st.text(min_size=1), min_size=1, max_size=4), st.booleans(), st.booleans())
def test_whatever_stands_beside_it(front: Any, behind: Any, items: list[str], spaced: bool, twice: bool) -> None:
    front = {f"f{name}": value for name, value in front.items()} | ({"copy": items} if twice else {})
    separators = (", ", ": ") if spaced else (",", ":")

    def body(given: Any) -> bytes:
        parts = [(*front.items(),), (("input", given),), (*behind.items(),)]
        texts = [json.dumps(dict(part), separators=separators)[1:-1] for part in parts]
        texts[1] = '"input":' + (given if isinstance(given, str) else json.dumps(given, separators=separators))
        return ("{" + ",".join(text for text in texts if text) + "}").encode()

    assert narrowed(body(items), items[:1]) == body(msgspec.json.encode(items[:1]).decode())
