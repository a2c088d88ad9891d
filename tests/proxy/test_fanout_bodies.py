"""The bodies of branches: byte for byte what was shared, with what each adds; and everything that is no fan-out."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import Refused
from proxy.fanout_bodies import APIS, TIMES, asked, at_branch

LIMIT = 10_000


def bodies(raw: str | dict[str, Any], *, native: bool = False, most: int = 256, limit: int = LIMIT) -> list[bytes]:
    encoded = raw.encode() if isinstance(raw, str) else json.dumps(raw).encode()
    return list(asked(encoded, native=native, most=most, limit=limit).bodies)


def attempt(body: dict[str, Any]) -> list[bytes]:
    """The bodies; none where it is refused, as it must be: 400 and the member that is at fault."""
    try:
        return bodies(body)
    except Refused as error:
        if error.status == 400 and error.param:
            return []
        raise


def refused(raw: Any, **more: Any) -> tuple[int, str | None]:
    with pytest.raises(Refused) as caught:
        bodies(raw, **more)
    return caught.value.status, caught.value.param


@pytest.mark.parametrize(
    ("request_", "branch", "expected"),
    [
        ('{"model":"m","messages":[1]}', '{"messages":[2,3]}', '{"model":"m","messages":[1,2,3]}'),
        ('{"messages" : [ {"a": 1.0} ], "t":1}', '{"messages":[ 2 ]}', '{"messages" : [ {"a": 1.0},2], "t":1}'),
        ('{"messages":[]}', '{"messages":[2]}', '{"messages":[2]}'),
        ('{"messages":[1]}', '{"messages":[]}', '{"messages":[1]}'),
        ('{"messages":[1],"t": 0.0 }', '{"t": 1e2}', '{"messages":[1],"t": 1e2 }'),
        ('{"messages":[1]}', '{"t":1, "model" : "x"}', '{"messages":[1],"t":1,"model":"x"}'),
        ('{"m":1}', '{"messages":[2]}', '{"m":1,"messages":[2]}'),
        ('{"messages":null}', '{"messages":[2]}', '{"messages":[2]}'),
        ("{}", '{"messages":[2]}', '{"messages":[2]}'),
        ('{"messages":[1]}', "{}", '{"messages":[1]}'),
        (r'{"mess\u0061ges":["\u00e9"]}', '{"messages":["é"]}', r'{"mess\u0061ges":["\u00e9","é"]}'),
        ('{"messages":["]"]}', '{"messages":["[,"]}', '{"messages":["]","[,"]}'),
    ],
)
def test_a_branch_is_the_shared_bytes_and_its_own(request_: str, branch: str, expected: str) -> None:
    raw = f' {{ "branches" : [ {branch} , {branch}] , "request":\n{request_} }} '
    assert bodies(raw) == [expected.encode()] * 2


@pytest.mark.parametrize(
    ("request_", "branch", "expected"),
    [
        ('{"input":[1]}', '{"input":[2]}', '{"input":[1,2]}'),
        ('{"input":"a b"}', '{"input":[2]}', '{"input":[{"role":"user","content":"a b"},2]}'),
        ('{"input":[1]}', '{"input":"q"}', '{"input":[1,{"role":"user","content":"q"}]}'),
        ('{"x":1}', '{"input":"q"}', '{"x":1,"input":[{"role":"user","content":"q"}]}'),
        ('{"input":"a"}', '{"x":1}', '{"input":"a","x":1}'),
        ('{"input":"","x":1}', '{"input":[2]}', '{"input":[{"role":"user","content":""},2],"x":1}'),
    ],
)
def test_branches_of_responses(request_: str, branch: str, expected: str) -> None:
    got = bodies(f'{{"api":"responses","request":{request_},"branches":[{branch}]}}')
    assert got == [expected.encode()]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
turns = st.lists(json_values, max_size=4)
others = st.dictionaries(st.sampled_from(["model", "tools", "temperature", "ü", "a"]), json_values, max_size=4)
layouts = st.sampled_from([{}, {"indent": 1}, {"separators": (",", ":")}, {"ensure_ascii": False}])


@given(others, turns, st.lists(st.tuples(others, turns), min_size=1, max_size=4), layouts, st.booleans())
def test_every_branch_means_what_was_said(
    members: dict[str, Any],
    shared: list[Any],
    branches: list[tuple[dict[str, Any], list[Any]]],
    layout: Any,
    last: bool,
) -> None:
    request = {**members, "messages": shared} if last else {"messages": shared, **members}
    said = [{**more, "messages": own} for more, own in branches]
    raw = json.dumps({"request": request, "branches": said}, **layout).encode()
    made = list(asked(raw, native=False, most=9, limit=10**6).bodies)
    assert [json.loads(body) for body in made] == [
        {**request, **more, "messages": [*shared, *own]} for more, own in branches
    ]


def test_up_to_the_end_of_what_is_shared_all_branches_have_the_same_bytes() -> None:
    shared = b'{"model": "m",\n "tools": [ ],"messages" : [{"role":"system","content":"\\u0041  B"}, {"a" : 1.50}'
    raw = b'{"branches":[{"messages":[1]},{"messages":[2],"seed":1},{}],"request":%b ] , "temperature":0.10}}' % shared
    made = list(asked(raw, native=False, most=9, limit=LIMIT).bodies)
    assert all(body.startswith(shared) for body in made)
    assert made[2] == shared + b' ] , "temperature":0.10}'


@pytest.mark.parametrize(
    ("outer", "inner", "streams", "body"),
    [
        ("", "", False, "{%s}"),
        ('"stream":true,', "", True, '{%s,"stream":true}'),
        ("", '"stream":true,', True, '{"stream":true,%s}'),
        ('"stream":false,', '"stream":true,', False, '{"stream":false,%s}'),
        ('"stream":true,', '"stream":false,', True, '{"stream":true,%s}'),
        ('"stream":null,', '"stream":null,', False, '{"stream":null,%s}'),
        ('"stream":false,', "", False, "{%s}"),
    ],
)
def test_whether_it_streams_is_said_once(outer: str, inner: str, streams: bool, body: str) -> None:
    raw = "{" + outer + '"request":{' + inner + '"messages":[1]},"branches":[{}]}'
    found = asked(raw.encode(), native=False, most=9, limit=LIMIT)
    assert found.stream is streams
    assert list(found.bodies) == [(body % '"messages":[1]').encode()]


@pytest.mark.parametrize(
    ("named", "native", "api"),
    [
        (None, False, "chat"),
        (None, True, "messages"),
        ("chat", True, "chat"),
        ("messages", False, "messages"),
        ("responses", False, "responses"),
    ],
)
def test_whose_api_it_is(named: str | None, native: bool, api: str) -> None:
    raw = json.dumps({"request": {}, "branches": [{}]} | ({"api": named} if named else {})).encode()
    assert asked(raw, native=native, most=1, limit=LIMIT).api == APIS[api]


GOOD: dict[str, Any] = {"request": {"messages": [1]}, "branches": [{"messages": [2]}, {}]}


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"branches": []}, "branches"),
        ({"branches": [{}] * 5}, "branches"),
        ({"branches": None}, "branches"),
        ({"branches": {}}, "branches"),
        ({"branches": [{}, 1]}, "branches[1]"),
        ({"branches": [[]]}, "branches[0]"),
        ({"branches": [None]}, "branches[0]"),
        ({"branches": [{}, {"n": 2}]}, "branches[1].n"),
        ({"branches": [{"n": True}]}, "branches[0].n"),
        ({"branches": [{"n": []}]}, "branches[0].n"),
        ({"branches": [{"stream": True}]}, "branches[0].stream"),
        ({"branches": [{"messages": "x"}]}, "branches[0].messages"),
        ({"branches": [{"messages": None}]}, "branches[0].messages"),
        ({"branches": [{"messages": {}}]}, "branches[0].messages"),
        ({"request": None}, "request"),
        ({"request": []}, "request"),
        ({"request": {"messages": [1], "n": 3}}, "request.n"),
        ({"request": {"messages": "x"}}, "request.messages"),
        ({"request": {"messages": {"a": 1}}}, "request.messages"),
        ({"request": {"messages": [1], "stream": "yes"}}, "request.stream"),
        ({"stream": 1}, "stream"),
        ({"api": "completions"}, "api"),
        ({"api": 7}, "api"),
        ({"api": ["chat"]}, "api"),
        ({"request_": {}}, "request_"),
        ({"api": "responses", "request": {"input": [1]}, "branches": [{"input": 7}]}, "branches[0].input"),
        ({"api": "responses", "request": {"input": 7}, "branches": [{"input": "x"}]}, "request.input"),
    ],
)
def test_what_is_no_fanout(change: dict[str, Any], param: str) -> None:
    assert refused(GOOD | change, most=4) == (400, param)


@pytest.mark.parametrize("raw", ["", "[]", "7", "{", '{"request":{},"request":{},"branches":[{}]}'])
def test_what_is_no_object(raw: str) -> None:
    assert refused(raw)[0] == 400


def test_a_member_that_stands_twice_is_refused_wherever_it_does() -> None:
    assert refused('{"request":{"a":1,"a":2},"branches":[{}]}')[0] == 400
    assert refused('{"request":{},"branches":[{"a":1,"a":2}]}')[0] == 400


def test_one_answer_may_be_asked_for() -> None:
    assert bodies(GOOD | {"branches": [{"n": 1}, {"n": None}]}) == [
        b'{"messages": [1],"n":1}',
        b'{"messages": [1],"n":null}',
    ]


def test_a_branch_that_is_too_large() -> None:
    big = {"messages": ["x" * 100]}
    assert refused(GOOD | {"branches": [{}, big]}, limit=100) == (413, "branches[1]")


def test_branches_that_are_too_large_together_are_refused_before_all_are_made() -> None:
    shared = {"messages": ["x" * 80]}
    size = len(bodies({"request": shared, "branches": [{}]})[0])
    fits = TIMES * 100 // size
    assert len(bodies({"request": shared, "branches": [{}] * fits}, limit=100)) == fits
    made = asked(json.dumps({"request": shared, "branches": [{}] * 200}).encode(), native=False, most=200, limit=100)
    assert sum(1 for _ in islice(made.bodies, fits)) == fits
    with pytest.raises(Refused) as caught:
        next(made.bodies)
    assert (caught.value.status, caught.value.param) == (413, "branches")


@given(st.dictionaries(st.sampled_from(["api", "request", "branches", "stream", "x"]), json_values, max_size=4))
def test_anything_is_a_fanout_or_is_refused(body: dict[str, Any]) -> None:
    made = attempt(body)
    assert all(isinstance(json.loads(each), dict) for each in made)


branchlike = st.dictionaries(st.sampled_from(["messages", "input", "n", "stream", "model"]), json_values, max_size=4)


@given(branchlike, st.lists(branchlike, min_size=1, max_size=3), st.sampled_from(["chat", "messages", "responses"]))
def test_requests_and_branches_of_any_kind(request_: Any, branches: Any, api: str) -> None:
    made = attempt({"api": api, "request": request_, "branches": branches})
    turn = APIS[api].turns
    for body, branch in zip(made, branches, strict=bool(made)):
        said = json.loads(body)
        for name, value in (request_ | branch).items():
            if name not in (turn, "stream"):
                assert said[name] == value


def test_a_refusal_says_which_branch_it_is_of() -> None:
    moved = at_branch(Refused(413, "no", param="messages[2]", kind="k", code="c", headers=(("a", "b"),)), 7)
    assert (moved.status, moved.message, moved.param) == (413, "no", "branches[7].messages[2]")
    assert (moved.kind, moved.code, moved.headers) == ("k", "c", (("a", "b"),))
    assert at_branch(Refused(400, "no"), 0).param == "branches[0]"
