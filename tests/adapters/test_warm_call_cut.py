"""Where a conversation is cut, and what is put behind it so that it is one."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from adapters.prompt_blocks import CHAT, MESSAGES, RESPONSES
from adapters.spans import Path
from adapters.warm_call_cut import cut
from adapters.warm_call_form import Refusal

ASKED = {"role": "user", "content": "."}


def text(value: str, kind: str = "text") -> dict[str, Any]:
    return {"type": kind, "text": value}


def use(name: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": name, "name": "f", "input": {}}


def result(name: str, value: str = ".") -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": name, "content": value}


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def tool(name: str, value: str = ".") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": name, "content": value}


def output(name: str, kind: str = "function_call_output", value: Any = ".") -> dict[str, Any]:
    return {"type": kind, "call_id": name, "output": value}


def call(name: str, kind: str = "function_call") -> dict[str, Any]:
    return {"type": kind, "call_id": name, "name": "f", "arguments": "{}"}


def done(
    body: dict[str, Any], api: str, path: Path, *, bare: bool = False, silent: bool = False
) -> tuple[dict[str, Any], tuple[str, ...], int] | str:
    shell = msgspec.json.decode(json.dumps(body, indent=1).encode(), type=dict[str, msgspec.Raw])
    made = cut(shell, body, api, path, bare=bare, silent=silent)
    if isinstance(made, Refusal):
        return made.why
    return {name: json.loads(value) for name, value in made.members.items()}, made.left_out, made.tokens


U, A = user(text("u")), assistant(text("a"))
X, Y, EMPTY_X, EMPTY_Y = result("x", "r"), result("y", "r"), result("x"), result("y")
S, D, PLAIN = ({"role": role, "content": "s"} for role in ("system", "developer", "assistant"))
TOLD_X, TOLD_Y = tool("x", "r"), tool("y", "r")
GIVEN_X, GIVEN_Y = output("x", value="r"), output("y", value="r")
DOC, QUESTION = text("doc", "input_text"), text("q", "input_text")
CUSTOM, CUSTOM_OUTPUT = "custom_tool_call", "custom_tool_call_output"
CALLED = assistant(text("a"), use("x"), use("y"))
SAID: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": [{"id": "x"}, {"id": "y"}]}
REASONED = {"type": "reasoning", "summary": []}

CUT: list[tuple[str, list[Any], Path, list[Any]]] = [
    (MESSAGES, [U, A, U], (0, "content", 0), [U]),
    (MESSAGES, [user(text("doc"), text("q")), A], (0, "content", 0), [user(text("doc"))]),
    (MESSAGES, [U, A, U], (1, "content", 0), [U, A, ASKED]),
    (MESSAGES, [ASKED, PLAIN, U], (1, "content"), [ASKED, PLAIN, ASKED]),
    # Calls need results: in a turn of their own, or in the one that has begun to give them.
    (MESSAGES, [U, CALLED, user(X, Y)], (1, "content", 2),
     [U, CALLED, user(EMPTY_X, EMPTY_Y)]),
    (MESSAGES, [U, CALLED, user(X, Y)], (1, "content", 0), [U, CALLED, user(EMPTY_X, EMPTY_Y)]),
    (MESSAGES, [U, CALLED, user(X, Y)], (2, "content", 0), [U, CALLED, user(X, EMPTY_Y)]),
    (MESSAGES, [U, CALLED, user(X, Y, text("t"))], (2, "content", 1),
     [U, CALLED, user(X, Y)]),
    (MESSAGES, [U, CALLED, user(X), user(Y)], (2, "content", 0), [U, CALLED, user(X, EMPTY_Y)]),
    (MESSAGES, [U, assistant(use("x")), assistant(use("y")), user(EMPTY_X, EMPTY_Y)], (2, "content", 0),
     [U, assistant(use("x")), assistant(use("y")), user(EMPTY_X, EMPTY_Y)]),
    (MESSAGES, [U, S, A, U], (1, "content"), [U, S]),
    (CHAT, [S, U, A], (0, "content"), [S, ASKED]),
    (CHAT, [S, U, A], (1, "content", 0), [S, U]),
    (CHAT, [user(text("doc"), text("q")), A], (0, "content", 0), [user(text("doc"))]),
    (CHAT, [U, A, U], (1, "content", 0), [U, A, ASKED]),
    (CHAT, [U, SAID, TOLD_X, TOLD_Y, U], (1,), [U, SAID, tool("x"), tool("y")]),
    (CHAT, [U, SAID, TOLD_X, TOLD_Y, U], (2, "content"), [U, SAID, TOLD_X, tool("y")]),
    (CHAT, [U, SAID, TOLD_X, TOLD_Y, U], (3, "content"), [U, SAID, TOLD_X, TOLD_Y]),
    (RESPONSES, [D, U], (0, "content"), [D, ASKED]),
    (RESPONSES, [user(DOC, QUESTION)], (0, "content", 0), [user(DOC)]),
    (RESPONSES, [U, A, U], (1, "content", 0), [U, A]),
    (RESPONSES, [U, REASONED, call("x"), call("y"), GIVEN_X, GIVEN_Y, A], (4, "output"),
     [U, REASONED, call("x"), call("y"), GIVEN_X, output("y")]),
    (RESPONSES, [U, call("x", CUSTOM), output("x", CUSTOM_OUTPUT, "r")], (1,),
     [U, call("x", CUSTOM), output("x", CUSTOM_OUTPUT)]),
    (RESPONSES, [U, call("x"), output("x", value=[DOC, QUESTION])], (2, "output", 0),
     [U, call("x"), output("x", value=[DOC])]),
]  # fmt: skip


@pytest.mark.parametrize(("api", "given", "path", "kept"), CUT)
def test_cut(api: str, given: list[Any], path: Path, kept: list[Any]) -> None:
    name = "input" if api == RESPONSES else "messages"
    made = done({name: given}, api, (name, *path))
    assert not isinstance(made, str)
    assert made[0] == {name: kept}


HEAD: dict[str, Any] = {
    "tools": [{"name": "a"}, {"name": "b"}],
    "system": [text("s"), text("t")],
    "instructions": "i",
    "messages": [U],
    "input": [U],
}


@pytest.mark.parametrize(
    ("api", "path", "members", "left_out"),
    [
        (MESSAGES, ("tools", 0), {"tools": [{"name": "a"}], "messages": [ASKED]}, ("system", "instructions")),
        (MESSAGES, ("system", 0), {"system": [text("s")], "messages": [ASKED]}, ()),
        (MESSAGES, ("system",), {"messages": [ASKED]}, ()),
        (CHAT, ("tools", 1), {"tools": HEAD["tools"], "messages": [ASKED]}, ("system", "instructions")),
        (RESPONSES, ("instructions",), {"input": [ASKED]}, ()),
        (RESPONSES, ("tools", 0), {"tools": [{"name": "a"}], "input": [ASKED]}, ("system", "instructions")),
    ],
)
def test_in_front_of_the_conversation(api: str, path: Path, members: dict[str, Any], left_out: tuple[str, ...]) -> None:
    assert done(HEAD, api, path) == (members, left_out, 5)


def test_a_text_is_the_whole_input() -> None:
    assert done({"input": "text"}, RESPONSES, ("input",)) == ({}, (), 0)


@pytest.mark.parametrize(
    ("api", "given", "path", "why"),
    [
        (RESPONSES, [U, REASONED, call("x")], (1,), "the prefix ends with reasoning"),
        (RESPONSES, [U, call("x", "computer_call"), U], (1,), "computer_call without its output"),
    ],
)
def test_where_no_request_can_end(api: str, given: list[Any], path: Path, why: str) -> None:
    assert done({"input": given}, api, ("input", *path)) == why


def test_a_unit_must_end_where_the_prefix_ends() -> None:
    system = {"role": "system", "content": "s"}
    body = {"messages": [system, U, SAID, tool("x"), tool("y")], "tools": [{"type": "function"}]}
    for count in (1, 2):
        made = done(body, CHAT, ("messages", count - 1, "content"), bare=True)
        assert made == ({"messages": body["messages"][:count]}, (), 0)
    assert done(body, CHAT, ("messages", 2), bare=True) == "the prefix ends where no request can"
    assert done(body, CHAT, ("tools", 0), bare=True) == "no message would be left"


def test_nobody_has_to_ask_where_nothing_is_answered() -> None:
    body = {"input": [{"role": "developer", "content": "d"}, U]}
    made = done(body, RESPONSES, ("input", 0, "content"), silent=True)
    assert made == ({"input": body["input"][:1]}, (), 0)


def test_what_stands_behind_the_prefix_is_counted() -> None:
    after = "many words that are nobody's business " * 10
    said = {"role": "assistant", "content": [text("a"), text(after)]}
    sizes = [done({"messages": [U, said, U]}, MESSAGES, ("messages", 1, "content", place)) for place in (0, 1)]
    assert all(not isinstance(size, str) for size in sizes)
    assert sizes[0][2] > 60 > 5 == sizes[1][2]


def test_what_is_kept_is_kept_to_the_byte() -> None:
    raw = b'{"messages":[ {"n":1.0, "role":"user","content":[ {"text":"\\u0041", "type":"text"} , {"x":2} ] } , {}]}'
    shell = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    made = cut(shell, msgspec.json.decode(raw), CHAT, ("messages", 0, "content", 0), bare=False, silent=False)
    assert not isinstance(made, Refusal)
    assert made.members["messages"] == b'[{"n":1.0,"role":"user","content":[{"text":"\\u0041", "type":"text"}]}]'
