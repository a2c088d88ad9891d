import json
from pathlib import Path
from typing import Any

from adapters.chain import chain
from adapters.tokens import estimate_message
from adapters.usage import Usage
from proxy.replay_facts import Survey, survey

TOOLS = [{"type": "function", "function": {"name": "f"}}]


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def answer(text: str, finish: str | None = "stop") -> dict[str, Any]:
    return {"message": {"role": "assistant", "content": text}, "finish_reason": finish}


def line(session: str, seq: int, *texts: str, ts: float | None = None, response: Any = None, **more: Any) -> Any:
    usage = more.pop("usage", None)
    request = {"model": "m", "messages": [user(text) for text in texts], **more}
    return {"session": session, "seq": seq, "ts": ts, "request": request, "response": response, "usage": usage}


def surveyed(directory: Path, *lines: Any) -> Survey:
    path = directory / "r.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return survey([path], lambda path, done: None)


def test_equal_requests_have_equal_keys_and_no_others(tmp_path: Path) -> None:
    facts = surveyed(
        tmp_path,
        line("a", 0, "x"),
        line("b", 0, "x", stream=True),
        line("c", 0, "x", temperature=0),
        line("d", 0, "y"),
        line("e", 0, "x", cache={"namespace": "n"}),
        {**line("f", 0, "x"), "tenant": "other"},
    ).facts
    assert facts[0].key == facts[1].key
    assert len({fact.key for fact in facts}) == 5


def test_recorded_usage_stays_and_the_rest_is_estimated(tmp_path: Path) -> None:
    found = surveyed(
        tmp_path,
        line("a", 0, "x", usage={"prompt_tokens": 7, "completion_tokens": 2}, response=answer("hello")),
        line("a", 1, "x", "y", tools=TOOLS, response=answer("hello")),
    )
    recorded, estimated = found.facts
    assert (recorded.usage, recorded.recorded) == (Usage(7, output=2), True)
    assert recorded.points[-1].tokens == 7
    links = chain({"model": "m", "tools": TOOLS, "messages": [user("x"), user("y")]})
    assert [point[:2] for point in estimated.points] == [link[:2] for link in links]
    assert not estimated.recorded
    output = estimate_message(answer("hello")["message"])
    assert estimated.usage == Usage(links[-1].tokens, output=output, estimated=True)
    assert (found.estimated, found.simulated) == (1, 1)


def test_chains_of_a_session_are_those_of_its_requests(tmp_path: Path) -> None:
    """Whatever goes on, is cut, or changes its tools: the incremental chain is the chain."""
    requests = [
        {"messages": [user("1"), user("2")]},
        {"messages": [user("1"), user("2"), user("3")]},
        {"messages": [user("1"), user("4")]},
        {"messages": [user("1"), user("4")], "tools": TOOLS},
        {"messages": [user("1"), user("4"), user("5")], "tools": TOOLS},
        {"messages": [user("1"), user("4"), user("5")], "model": "n"},
    ]
    lines = [{"session": "a", "seq": n, "request": request} for n, request in enumerate(requests)]
    found = [[point[:2] for point in fact.points] for fact in surveyed(tmp_path, *lines).facts]
    assert found == [[link[:2] for link in chain(request)] for request in requests]


def test_which_answers_the_cache_would_keep(tmp_path: Path) -> None:
    cases = {
        "stop": True,
        "tool_calls": True,
        "toolUse": True,
        None: True,
        "length": False,
        "content_filter": False,
        "error": False,
    }
    lines = [line(str(n), 0, "x", response=answer("y", finish)) for n, finish in enumerate(cases)]
    found = surveyed(
        tmp_path, *lines, line("n", 0, "x"), line("o", 0, "x", response=answer("y"), cache={"no-store": True})
    )
    assert [fact.storable for fact in found.facts] == [*cases.values(), False, False]
    assert found.unanswered == 1


def test_answers_are_compared_as_json(tmp_path: Path) -> None:
    same = {"message": {"content": "y", "role": "assistant"}}
    facts = surveyed(
        tmp_path,
        line("a", 0, "x", response=answer("y")),
        line("b", 0, "x", response=same),
        line("c", 0, "x", response=answer("z")),
    ).facts
    assert facts[0].answer == facts[1].answer != facts[2].answer


def test_requests_stand_in_the_order_of_their_times(tmp_path: Path) -> None:
    found = surveyed(
        tmp_path,
        line("none", 0, "1"),
        line("late", 0, "2", ts=9.0),
        line("early", 0, "3", ts=1.0),
        line("late", 1, "4", ts=3.0),  # a clock that was set back: never before what came before
        line("early", 1, "5"),  # no time: that of the request before
    )
    assert [(fact.session, fact.ts) for fact in found.facts] == [(2, 1.0), (2, 1.0), (1, 9.0), (1, 9.0), (0, None)]
    assert found.untimed == 1


def test_which_requests_follow_an_answer(tmp_path: Path) -> None:
    found = surveyed(
        tmp_path,
        line("a", 0, "1"),
        line("a", 1, "1", "2", "3"),
        line("a", 2, "1", "2", "4"),
        line("b", 0, "1", "2", "3", "5"),
    )
    assert [fact.follows for fact in found.facts] == [False, True, False, False]
    assert found.sessions == ["a", "b"]


def test_a_trace_tells_its_system_prompt_and_its_order(tmp_path: Path) -> None:
    requests = [{"t": t, "model": "m", "in": 2048, "out": 1, "hash_rle": [[1, 32]]} for t in (0.0, 5.0)]
    agent = {"t": 2.0, "agent_id": "x", "requests": requests[:1]}
    trace = {"id": "t", "block_size": 64, "tool_tokens": 600, "system_tokens": 450, "requests": [*requests, agent]}
    found = surveyed(tmp_path, trace)
    edges = [[point.edge for point in fact.points] for fact in found.facts]
    assert edges == [["block", "system", "block", "block"], ["block"] * 4, ["block", "system", "block", "block"]]
    assert [fact.follows for fact in found.facts] == [False, False, True]
    for junk in ({"tool_tokens": "x"}, {"tool_tokens": -5, "system_tokens": None}, {"system_tokens": 10**9}):
        (fact, *_) = surveyed(tmp_path, {**trace, **junk}).facts
        assert len(fact.points) == 4


def test_sessions_of_two_files_are_not_one(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text(json.dumps(line("1", 0, name)) + "\n")
    facts = survey([tmp_path / "a", tmp_path / "b"], lambda path, done: None).facts
    assert [fact.session for fact in facts] == [0, 1]


def test_skipped_lines_are_all_counted_and_the_first_are_held(tmp_path: Path) -> None:
    found = surveyed(tmp_path, line("a", 0, "x"), *range(50))
    assert (found.skipped_lines, len(found.skipped), found.skipped[0].line) == (50, 20, 2)


def test_progress_is_told_by_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text(json.dumps(line("1", 0, "x")) + "\n")
    told: list[tuple[Path, int]] = []
    survey([path], lambda *what: told.append(what))
    assert told == [(path, path.stat().st_size)]
