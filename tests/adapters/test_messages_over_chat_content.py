"""System prompt and turns: each kind of block, and what it is in chat completions."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.errors import Refused
from adapters.messages_over_chat_content import Pen, messages_of
from adapters.messages_over_chat_marks import Marks
from adapters.messages_over_chat_reading import Losses

MARK = {"cache_control": {"type": "ephemeral"}}
BREAKPOINT = {"prompt_cache_breakpoint": {"mode": "explicit"}}
PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}}
PNG_PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}}
PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}}
PDF_URL = "data:application/pdf;base64,JVBE"


def text(value: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": value, **more}


def turned(*turns: dict[str, Any], system: Any = None, model: str = "m", strict: bool = False) -> list[dict[str, Any]]:
    return messages_of({"messages": list(turns), "system": system}, Pen(Marks(model), Losses(strict)))


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def result(content: Any = None, ident: str = "c1", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": ident, **({} if content is None else {"content": content}), **more}


ASK = {"role": "user", "content": "Go on."}

# ---------------------------------------------------------------- one kind of block after the other

USERS: list[tuple[str, list[Any], Any]] = [
    ("text", [text("Hi")], "Hi"),
    ("texts", [text("a"), text("b")], "a\nb"),
    ("nothing", [], ""),
    ("image", [text("Look:"), PNG], [text("Look:"), PNG_PART]),
    (
        "image by URL",
        [{"type": "image", "source": {"type": "url", "url": "https://x/y.png"}}],
        [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}],
    ),
    ("pdf", [PDF], [{"type": "file", "file": {"filename": "document.pdf", "file_data": PDF_URL}}]),
    (
        "pdf with title and context",
        [PDF | {"title": "Plan.pdf", "context": "A draft."}],
        [text("A draft."), {"type": "file", "file": {"filename": "Plan.pdf", "file_data": PDF_URL}}],
    ),
    (
        "text document",
        [{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Body"}, "title": "T"}],
        "T\nBody",
    ),
    (
        "document of blocks",
        [{"type": "document", "source": {"type": "content", "content": [text("a"), PNG]}}],
        [text("a"), PNG_PART],
    ),
    ("document of a string", [{"type": "document", "source": {"type": "content", "content": "a"}}], "a"),
    (
        "search result",
        [{"type": "search_result", "title": "T", "source": "https://x", "content": [text("a"), text("b")]}],
        "T\nhttps://x\na\nb",
    ),
    (
        "citations that are not asked for",
        [{"type": "document", "source": {"type": "text", "data": "B"}, "citations": {"enabled": False}}],
        "B",
    ),
]


@pytest.mark.parametrize(("blocks", "content"), [case[1:] for case in USERS], ids=[case[0] for case in USERS])
def test_a_turn_of_the_user(blocks: list[Any], content: Any):
    assert turned(user(*blocks)) == [{"role": "user", "content": content}]


CALL = {"type": "tool_use", "id": "c1", "name": "f", "input": {"b": 1, "a": [1.5, "ü"]}}
CALL_OUT = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"b":1,"a":[1.5,"ü"]}'}}
THOUGHT = [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "redacted_thinking", "data": "x"}]

ASSISTANTS: list[tuple[str, Any, list[dict[str, Any]]]] = [
    ("string", "Yes.", [{"role": "assistant", "content": "Yes."}]),
    ("text", [text("Yes.")], [{"role": "assistant", "content": "Yes."}]),
    ("one text in pieces", [text("Ye"), text("s.")], [{"role": "assistant", "content": "Yes."}]),
    ("call", [CALL], [{"role": "assistant", "content": None, "tool_calls": [CALL_OUT]}]),
    ("text and call", [text("a"), CALL], [{"role": "assistant", "content": "a", "tool_calls": [CALL_OUT]}]),
    ("thinking is hidden", [*THOUGHT, text("a")], [{"role": "assistant", "content": "a"}]),
    ("nothing but thinking", THOUGHT, []),
    (
        "a call without input",
        [{"type": "tool_use", "id": "functions.f:0", "name": "f"}],
        [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "functions.f:0", "type": "function", "function": {"name": "f", "arguments": "{}"}}
                ],
            }
        ],
    ),
]


@pytest.mark.parametrize(
    ("content", "messages"), [case[1:] for case in ASSISTANTS], ids=[case[0] for case in ASSISTANTS]
)
def test_a_turn_of_the_assistant(content: Any, messages: list[dict[str, Any]]):
    assert turned({"role": "assistant", "content": content}, ASK) == [*messages, ASK]


ATTACHED = "Attached to the result of tool call c1:"

RESULTS: list[tuple[str, list[Any], list[dict[str, Any]]]] = [
    ("string", [result("ok")], [{"role": "tool", "tool_call_id": "c1", "content": "ok"}]),
    ("nothing", [result()], [{"role": "tool", "tool_call_id": "c1", "content": ""}]),
    ("texts", [result([text("a"), text("b")])], [{"role": "tool", "tool_call_id": "c1", "content": "a\nb"}]),
    (
        "error",
        [result("no such file", is_error=True)],
        [{"role": "tool", "tool_call_id": "c1", "content": "The tool failed:\nno such file"}],
    ),
    (
        "results come first, and in their order",
        [text("then this"), result("x", "c1"), result("y", "c2")],
        [
            {"role": "tool", "tool_call_id": "c1", "content": "x"},
            {"role": "tool", "tool_call_id": "c2", "content": "y"},
            {"role": "user", "content": "then this"},
        ],
    ),
    (
        "an image moves to the user's message",
        [result([text("seen"), PNG]), text("and?")],
        [
            {"role": "tool", "tool_call_id": "c1", "content": "seen\n(1 attached to the next user message)"},
            {"role": "user", "content": [text(ATTACHED), PNG_PART, text("and?")]},
        ],
    ),
    (
        "a file alone",
        [result([PDF])],
        [
            {"role": "tool", "tool_call_id": "c1", "content": "(1 attached to the next user message)"},
            {
                "role": "user",
                "content": [
                    text(ATTACHED),
                    {"type": "file", "file": {"filename": "document.pdf", "file_data": PDF_URL}},
                ],
            },
        ],
    ),
]


@pytest.mark.parametrize(("blocks", "messages"), [case[1:] for case in RESULTS], ids=[case[0] for case in RESULTS])
def test_results_of_tools(blocks: list[Any], messages: list[dict[str, Any]]):
    assert turned(assistant(CALL), user(*blocks))[1:] == messages


SYSTEMS: list[tuple[str, Any, Any]] = [
    ("string", "Be brief.", "Be brief."),
    ("blocks", [text("a", **MARK), text("b")], "a\nb"),
    ("the header for billing is no prompt", "x-anthropic-billing-header: cch=1a2b3;\nBe brief.", "Be brief."),
    ("the header as a block", [text("x-anthropic-billing-header: cch=1a2b3;"), text("a")], "a"),
    (
        "what only mentions it stays",
        "Strip x-anthropic-billing-header: lines.",
        "Strip x-anthropic-billing-header: lines.",
    ),
]


@pytest.mark.parametrize(("system", "content"), [case[1:] for case in SYSTEMS], ids=[case[0] for case in SYSTEMS])
def test_the_system_prompt(system: Any, content: Any):
    assert turned(ASK, system=system) == [{"role": "system", "content": content}, ASK]
    later = {"role": "system", "content": system}
    assert turned(ASK, later) == [ASK, {"role": "system", "content": content}]


@pytest.mark.parametrize("system", [None, "", [], [text("")], [text("x-anthropic-billing-header: cch=1;")]])
def test_an_empty_system_prompt_is_none(system: Any):
    assert turned(ASK, system=system) == [ASK]


# ---------------------------------------------------------------- breakpoints


def test_marks_go_to_the_parts_that_end_the_marked_blocks():
    messages = turned(
        user(text("a", **MARK), PNG | MARK),
        assistant(text("b", **MARK), CALL | MARK),
        user(result([text("x"), text("y")], **MARK)),
        system=[text("s"), text("t", **MARK)],
        model="gpt-5.6-sol",
    )
    assert messages == [
        {"role": "system", "content": [text("s"), text("t")]},  # the fifth from the end
        {"role": "user", "content": [text("a", **BREAKPOINT), PNG_PART | BREAKPOINT]},
        {"role": "assistant", "content": [text("b", **BREAKPOINT)], "tool_calls": [CALL_OUT]},
        {"role": "tool", "tool_call_id": "c1", "content": [text("x"), text("y", **BREAKPOINT)]},
    ]


def test_a_marked_result_that_is_an_image_ends_with_the_image():
    messages = turned(assistant(CALL), user(result([PNG], **MARK), text("and?")), model="gpt-6")
    assert messages[1:] == [
        {"role": "tool", "tool_call_id": "c1", "content": [text("(1 attached to the next user message)")]},
        {"role": "user", "content": [text(ATTACHED), PNG_PART | BREAKPOINT, text("and?")]},
    ]


def test_a_mark_that_moves_on_changes_nothing_else():
    """Text is a list of parts wherever a mark may stand, so that with and without it are the same but for the mark."""
    turns = [user(text("a")), {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
    plain = turned(*turns, model="gpt-6")
    marked = turned(user(text("a", **MARK)), *turns[1:], model="gpt-6")
    assert marked[0]["content"][0].pop("prompt_cache_breakpoint")
    assert marked == plain
    assert [message["content"] for message in plain] == [[text("a")], [text("b")], [text("c")]]


def test_a_model_without_breakpoints_never_sees_one():
    messages = turned(user(text("a", **MARK), PNG | MARK), system=[text("s", **MARK)], model="gpt-5.5")
    assert "prompt_cache_breakpoint" not in str(messages)


# ---------------------------------------------------------------- what is refused

IMAGE = "messages[0].content[0].source"
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"messages": None}, "messages"),
    ({"messages": ["hi"]}, "messages[0]"),
    ({"messages": [{"role": "developer", "content": "a"}]}, "messages[0].role"),
    ({"messages": [{"role": ["user"], "content": "a"}]}, "messages[0].role"),
    ({"messages": [{"content": "a"}]}, "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": {"type": "text"}}]}, "messages[0].content"),
    ({"messages": [user("hi")]}, "messages[0].content[0]"),
    ({"messages": [user({"type": "text"})]}, "messages[0].content[0].text"),
    ({"messages": [user({"type": "container_upload", "file_id": "f"})]}, "messages[0].content[0].type"),
    ({"messages": [user({"type": ["text"], "text": "a"})]}, "messages[0].content[0].type"),
    ({"messages": [user(THOUGHT[0])]}, "messages[0].content[0].type"),
    ({"messages": [user(CALL)]}, "messages[0].content[0].type"),
    ({"messages": [assistant(PNG), ASK]}, "messages[0].content[0].type"),
    ({"messages": [assistant({"type": "server_tool_use"}), ASK]}, "messages[0].content[0].type"),
    ({"messages": [{"role": "system", "content": [PNG]}]}, "messages[0].content[0].type"),
    ({"messages": [user({"type": "image", "source": "x"})]}, IMAGE),
    ({"messages": [user({"type": "image", "source": {"type": "file", "file_id": "f"}})]}, f"{IMAGE}.type"),
    ({"messages": [user({"type": "image", "source": {"type": "url"}})]}, f"{IMAGE}.url"),
    ({"messages": [user({"type": "image", "source": {"type": "base64", "data": ""}})]}, f"{IMAGE}.media_type"),
    ({"messages": [user({"type": "document", "source": {"type": "url", "url": "x"}})]}, f"{IMAGE}.type"),
    ({"messages": [user({"type": "document", "source": {"type": "text", "data": 1}})]}, f"{IMAGE}.data"),
    ({"messages": [user(PDF | {"title": 1})]}, "messages[0].content[0].title"),
    ({"messages": [user(PDF | {"citations": True})]}, "messages[0].content[0].citations"),
    ({"messages": [user({"type": "search_result", "title": "T"})]}, "messages[0].content[0].source"),
    (
        {"messages": [user({"type": "search_result", "title": "T", "source": "s", "content": "c"})]},
        "messages[0].content[0].content",
    ),
    ({"messages": [user({"type": "tool_result"})]}, "messages[0].content[0].tool_use_id"),
    ({"messages": [user(result(1))]}, "messages[0].content[0].content"),
    ({"messages": [user(result("x", is_error="yes"))]}, "messages[0].content[0].is_error"),
    ({"messages": [user(result([{"type": "tool_reference"}]))]}, "messages[0].content[0].content[0].type"),
    ({"messages": [user(result([result("x")]))]}, "messages[0].content[0].content[0].type"),
    ({"messages": [assistant(CALL | {"id": 1}), ASK]}, "messages[0].content[0].id"),
    ({"messages": [assistant(CALL | {"name": None}), ASK]}, "messages[0].content[0].name"),
    ({"messages": [assistant(CALL | {"input": "{}"}), ASK]}, "messages[0].content[0].input"),
    ({"messages": [ASK, {"role": "assistant", "content": "The answer is ("}]}, "messages[1]"),
    ({"messages": [ASK], "system": 1}, "system"),
    ({"messages": [ASK], "system": [PNG]}, "system[0].type"),
    ({"messages": [ASK], "system": ["a"]}, "system[0]"),
    ({"messages": [ASK], "system": [text("a", cache_control=1)]}, "system[0].cache_control"),
]


@pytest.mark.parametrize(("body", "param"), REFUSED)
def test_what_can_not_be_said_is_refused_by_its_name(body: dict[str, Any], param: str):
    with pytest.raises(Refused) as refused:
        messages_of(body, Pen(Marks("m"), Losses(strict=False)))
    assert (refused.value.status, refused.value.param) == (400, param)


def test_citations_are_lost_with_a_warning():
    cited = user(PDF | {"citations": {"enabled": True}})
    losses = Losses(strict=False)
    messages_of({"messages": [cited]}, Pen(Marks("m"), losses))
    assert losses.warnings() == ("citations: dropped",)
    with pytest.raises(Refused) as refused:
        turned(cited, strict=True)
    assert refused.value.param == "messages[0].content[0].citations"
