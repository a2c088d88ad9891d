from typing import Any

import pytest

from proxy.importers import OPEN_SESSIONS, BadLine, History, Recorded, read, read_csv


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def line(session: str, seq: int, request: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"session": session, "seq": seq, "ts": None, "request": request, "response": None, "usage": None, **members}


def only(decoded: Any, history: History) -> Recorded:
    (recorded,) = read(decoded, history)
    return recorded


def trace(*entries: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"id": "t1", "block_size": 64, "hash_id_scope": "local", "requests": list(entries), **members}


def entry(t: float, tokens: int, *runs: list[int], out: int = 5, **members: Any) -> dict[str, Any]:
    return {"t": t, "model": "m", "in": tokens, "out": out, "stop": "tool_use", "hash_rle": list(runs), **members}


def test_deltas_expand_per_session_and_share_their_messages() -> None:
    history = History("f")
    a0 = only(line("a", 0, {"keep": 0, "append": [user("1"), user("2")], "model": "m", "temperature": 0}), history)
    only(line("b", 0, {"keep": 0, "append": [user("x")], "model": "n"}), history)
    a1 = only(line("a", 1, {"keep": 1, "append": [user("3")], "temperature": 1}), history)
    assert a1.body == {"model": "m", "temperature": 1, "messages": [user("1"), user("3")]}
    assert a0.body == {"model": "m", "temperature": 0, "messages": [user("1"), user("2")]}
    assert a0.body is not None
    assert a1.body is not None
    assert a1.body["messages"][0] is a0.body["messages"][0]
    assert a1.model == "m"


def test_full_requests_stand_for_themselves() -> None:
    history = History("f")
    first = only(line("a", 0, {"model": "m", "messages": [user("1")], "temperature": 0}), history)
    second = only(line("a", 1, {"model": "m", "messages": [user("1"), user("2")]}), history)
    assert second.body == {"model": "m", "messages": [user("1"), user("2")]}
    assert first.body is not None
    assert second.body is not None
    assert second.body["messages"][0] is first.body["messages"][0]
    third = only(line("a", 2, {"keep": 2, "append": [user("3")]}), history)
    assert third.body == {"model": "m", "messages": [user("1"), user("2"), user("3")]}


def test_sharing_never_changes_a_value() -> None:
    history = History("f")
    only(line("a", 0, {"messages": [{"role": "user", "content": 1}], "tools": [True]}), history)
    second = only(line("a", 1, {"messages": [{"role": "user", "content": 1.0}], "tools": [1]}), history)
    assert repr(second.body) == "{'messages': [{'role': 'user', 'content': 1.0}], 'tools': [1]}"


def test_what_a_line_says_beside_the_request() -> None:
    response = {"message": {"role": "assistant", "content": "y"}, "finish_reason": "toolUse", "cost_usd": 0.5}
    found = only(
        line("a", 7, {"messages": []}, ts=12, response=response, usage={"prompt_tokens": 3}, tenant="t"), History("f")
    )
    assert (found.session, found.seq, found.ts, found.tenant, found.dollars) == ("a", 7, 12.0, "t", 0.5)
    assert found.response is not None
    assert found.response.message == response["message"]
    assert found.response.finish_reason == "tool_calls"
    assert found.usage is not None
    assert found.usage.uncached == 3


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        ({"keep": 3, "append": []}, "keeps 3 messages of a history of 1"),
        ({"keep": -1, "append": []}, "`keep`"),
        ({"keep": True, "append": []}, "`keep`"),
        ({"keep": 0, "append": ["hello"]}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"timestamp": 1, "url": "https://x"}, "neither"),
    ],
)
def test_bad_requests_leave_the_session_as_it_was(request_: dict[str, Any], why: str) -> None:
    history = History("f")
    only(line("a", 0, {"keep": 0, "append": [user("1")]}), history)
    with pytest.raises(BadLine, match=why):
        only(line("a", 1, request_), history)
    good = only(line("a", 1, {"keep": 1, "append": [user("2")]}), history)
    assert good.body == {"messages": [user("1"), user("2")]}


def test_a_delta_on_a_missing_line_is_not_guessed() -> None:
    history = History("f")
    only(line("a", 0, {"keep": 0, "append": [user("1"), user("2")]}), history)
    # Line 1 is lost; it had cut the history and put something else there.
    for seq in (2, 3):
        with pytest.raises(BadLine):
            only(line("a", seq, {"keep": 2, "append": [user("4")]}), history)
    anew = only(line("a", 4, {"keep": 0, "append": [user("5")]}), history)
    assert anew.body == {"messages": [user("5")]}


@pytest.mark.parametrize("value", [None, 5, "x", [], {}, {"a": 1}, {"request": 5}, {"id": 1, "requests": []}])
def test_foreign_values(value: Any) -> None:
    with pytest.raises(BadLine, match="no recorded request"):
        read(value, History("f"))


def test_sessions_are_dropped_least_recently_used_first() -> None:
    history = History("f")
    only(line("old", 0, {"keep": 0, "append": [user("1")]}), history)
    for number in range(OPEN_SESSIONS):
        only(line(f"s{number}", 0, {"keep": 0, "append": [user("1")]}), history)
    assert len(history.sessions) == OPEN_SESSIONS
    with pytest.raises(BadLine):
        only(line("old", 1, {"keep": 1, "append": []}), history)


def test_batch_input() -> None:
    body = {"model": "m", "messages": [user("1")], "max_tokens": 5}
    found = only({"custom_id": "c", "method": "POST", "url": "/v1/chat/completions", "body": body}, History("f"))
    assert (found.session, found.body, found.response, found.ts) == ("c", body, None, None)
    with pytest.raises(BadLine, match="only chat"):
        only({"custom_id": "c", "method": "POST", "url": "/v1/embeddings", "body": {"input": "x"}}, History("f"))


def test_mooncake() -> None:
    history = History("f")
    raw = {"timestamp": 1500, "input_length": 1300, "output_length": 9, "hash_ids": [0, 7, 9]}
    a, b = only(raw, history), only({**raw, "timestamp": 2500, "output_length": 8}, history)
    other = only({**raw, "input_length": 1301}, history)
    assert (a.ts, a.prompt_tokens, a.output_tokens, a.body) == (1.5, 1300, 9, None)
    assert a.identity == b.identity != other.identity
    assert a.links is not None
    assert [link.tokens for link in a.links] == [512, 1024, 1300]
    assert a.links == b.links


def test_claude_code_traces_and_their_agents() -> None:
    agent = {"t": 100.0, "type": "subagent", "agent_id": "x", "requests": [entry(2.0, 640, [900, 10])]}
    found = list(read(trace(entry(0.0, 1290, [1, 20]), agent, entry(9.0, 1420, [1, 22])), History("f")))
    assert [(one.session, one.ts, one.prompt_tokens) for one in found] == [
        ("t1", 0.0, 1290),
        ("t1", 9.0, 1420),
        ("t1/x", 102.0, 640),
    ]
    assert found[0].response is not None
    assert (found[0].response.message, found[0].response.finish_reason) == (None, "tool_calls")
    first, second = found[0].links, found[1].links
    assert first is not None
    assert second is not None
    assert set(first) <= set(second)


def test_identity_of_a_trace_is_never_more_than_what_is_known() -> None:
    def identity(decoded: dict[str, Any]) -> bytes | None:
        return next(iter(read(decoded, History("f")))).identity

    whole = identity(trace(entry(0, 1280, [1, 20])))
    assert whole == identity(trace(entry(5, 1280, [1, 20], out=99)))
    assert whole != identity(trace(entry(0, 1280, [2, 20])))
    assert whole != identity(trace(entry(0, 1280, [1, 20]), id="t2"))  # ids are local to a trace
    tail = identity(trace(entry(0, 1290, [1, 20])))  # ten tokens of which nobody knows the hash
    assert tail == identity(trace(entry(0, 1290, [1, 20])))
    assert tail != identity(trace(entry(0, 1290, [1, 20], out=99)))


@pytest.mark.parametrize(
    "bad",
    [
        entry(0, 1280, [1]),
        entry(0, 1280, [1, -2]),
        entry(0, 1280, [1, 10**12]),
        entry(0, 10**12, [1, 2]),
        entry(0, -5, [1, 2]),
        {"t": 0, "in": 5, "out": 5},
        {"t": 0, "requests": 5},
    ],
)
def test_damaged_traces(bad: dict[str, Any]) -> None:
    with pytest.raises(BadLine):
        list(read(trace(bad), History("f")))


def test_azure_lengths() -> None:
    history = History("f", line=2)
    found = read_csv("2023-11-16 18:17:03.9799600,4808,10\n", history)
    assert (found.prompt_tokens, found.output_tokens, found.identity, found.links) == (4808, 10, None, None)
    assert found.ts == pytest.approx(1700158623.97996)
    for bad in ("2023-11-16 18:17:03.9799600,4808", "soon,1,2", "2023-11-16 18:17:03,1,x", "2023-11-16 18:17:03,-1,1"):
        with pytest.raises(BadLine):
            read_csv(bad, history)
