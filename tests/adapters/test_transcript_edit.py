"""Edits in the bytes of a request: the edited pieces and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.transcript import Transcript, transcript_of
from adapters.transcript_edit import LONG, Unfit, children, edited, replaced, shortened
from tests.adapters import talks
from tests.adapters.talks import Step, read, shell, talk

CONVERSATION: list[Step] = [
    ("system", "be brief"),
    ("user", "first"),
    *read("c1", "/a.py", "print(1)\n" * 9),
    ("call", "c2", "write", {"path": "/b.py", "content": "x = 1\n" * 99, "mode": "w"}),
    ("result", "c2", "written"),
    ("say", "done"),
    ("look",),
    ("call", "c3", "shot", {}),
    ("shot", "c3", "what it shows"),
    ("say", "seen"),
    ("user", "newest"),
]

PLACEHOLDER = '[pruned: "gone" \\ é 😀]'


def of(raw: bytes, api: str) -> Transcript:
    transcript = transcript_of(json.loads(raw), api)
    assert transcript is not None
    return transcript


def layouts(body: Any) -> list[bytes]:
    """The same body as different clients write it."""
    return [
        json.dumps(body).encode(),
        json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
        json.dumps(body, indent=2).replace("\n", "\r\n").encode(),
        json.dumps(body, separators=(" ,", " :\t")).encode(),
    ]


def prunable(transcript: Transcript) -> list[int]:
    return [index for index, piece in enumerate(transcript.pieces) if not piece.locked]


@pytest.mark.parametrize("api", talks.APIS)
def test_every_open_piece_can_be_edited_and_reads_as_it_should(api: str) -> None:
    for raw in layouts(talk(api, CONVERSATION)):
        before = of(raw, api)
        for index in prunable(before):
            piece = before.pieces[index]
            if piece.kind == "call" and piece.tool != "write":
                with pytest.raises(Unfit):
                    edited(raw, before, {index: PLACEHOLDER})
                continue
            out = edited(raw, before, {index: PLACEHOLDER})
            after = of(out, api)
            if piece.kind == "image" and piece.role == "tool":
                assert after.pieces[index - 1].text == f"what it shows\n{PLACEHOLDER}"  # a text of its result now
                continue
            expected = replaced(before, {index: PLACEHOLDER})
            assert [(p.kind, p.text, p.tokens) for p in after.pieces] == [
                (p.kind, p.text, p.tokens) for p in expected.pieces
            ]
            assert [(p.message, p.role, p.call_id) for p in after.pieces] == [
                (p.message, p.role, p.call_id) for p in before.pieces
            ]


@pytest.mark.parametrize("api", talks.APIS)
def test_what_stands_before_and_behind_an_edit_stays_to_the_byte(api: str) -> None:
    for raw in layouts(talk(api, CONVERSATION)):
        before = of(raw, api)
        (index,) = [i for i, piece in enumerate(before.pieces) if piece.kind == "result" and piece.call_id == "c1"]
        out = edited(raw, before, {index: "[x]"})
        start = raw.index(b'"print(1)')
        end = start + len(json.dumps("print(1)\n" * 9))
        assert out == raw[:start] + b'"[x]"' + raw[end:]


@pytest.mark.parametrize("api", talks.APIS)
def test_no_edits_no_change(api: str) -> None:
    for raw in layouts(talk(api, CONVERSATION)):
        assert edited(raw, of(raw, api), {}) == raw


@pytest.mark.parametrize("api", talks.APIS)
def test_several_edits_are_those_edits_one_after_the_other(api: str) -> None:
    raw = layouts(talk(api, CONVERSATION))[0]
    before = of(raw, api)
    open_ = [i for i in prunable(before) if before.pieces[i].kind != "call" or before.pieces[i].tool == "write"]
    texts = {index: f"[pruned {index}]" for index in open_}
    one_by_one = raw
    for index, text in texts.items():
        one_by_one = edited(one_by_one, of(one_by_one, api), {index: text})
    assert edited(raw, before, texts) == one_by_one


def test_numbers_escapes_and_unknown_members_stay() -> None:
    raw = (
        rb'{"model":"m","temperature":1.0,"seed":1e5,"x":{"b":1,"a":2},"messages":[{"role":"user","content":"\u00e9\/"},'
        rb'{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"t",'
        rb'"arguments":"{\"n\": 1.0, \"s\": \"\\u00e9\"}"}}]}, {"tool_call_id":"c" , "content" : "long" ,"role":'
        rb'"tool"}]}'
    )
    transcript = of(raw, "openai-chat")
    assert edited(raw, transcript, {2: "s"}) == raw.replace(b'"long"', b'"s"')


def test_long_arguments_alone_are_replaced_and_paths_never() -> None:
    path = "/a/" + "b" * LONG
    arguments = json.dumps({"path": path, "mode": "w", "content": "é" * LONG, "n": 1.0, "lines": ["x" * LONG]})
    raw = json.dumps(
        {
            "messages": [
                {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "t", "arguments": arguments}}]}
            ]
        }
    ).encode()
    out = json.loads(edited(raw, of(raw, "openai-chat"), {0: "[gone]"}))
    made = out["messages"][0]["tool_calls"][0]["function"]["arguments"]
    assert made == json.dumps({"path": path, "mode": "w", "content": "[gone]", "n": 1.0, "lines": "[gone]"})


@pytest.mark.parametrize("arguments", [b"{}", b'{"a":"short"}', b"[1]", b'"x"', b"", b'{"a":[]}'])
def test_arguments_without_anything_long_can_not_be_shortened(arguments: bytes) -> None:
    with pytest.raises(Unfit):
        shortened(arguments, "[gone]")


def test_a_text_longer_than_every_argument_does_not_fit() -> None:
    with pytest.raises(Unfit):
        shortened(json.dumps({"a": "x" * (LONG + 50)}).encode(), "y" * (LONG + 60))


PART: dict[str, Any] = {"type": "text", "text": "a" * 50}
IMAGE: dict[str, Any] = {"type": "image", "source": {"type": "base64", "data": "x"}}
MARK: dict[str, Any] = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}


@pytest.mark.parametrize(
    ("parts", "left"),
    [
        ([PART], [{"type": "text", "text": "new"}]),
        ([PART | MARK, PART], [{"type": "text", "text": "new"} | MARK]),
        ([IMAGE, PART, PART, IMAGE | MARK], [IMAGE, {"type": "text", "text": "new"}, IMAGE | MARK]),
        ([PART, IMAGE, PART], [{"type": "text", "text": "new"}, IMAGE]),
    ],
)
def test_of_several_texts_of_a_result_one_is_left(parts: list[Any], left: list[Any]) -> None:
    for raw in layouts(talk("anthropic-messages", [("user", "u"), *shell("c", "ls", "x")])):
        body = json.loads(raw)
        body["messages"][2]["content"][0]["content"] = parts
        for other in layouts(body):
            (index,) = [i for i, p in enumerate(of(other, "anthropic-messages").pieces) if p.kind == "result"]
            out = json.loads(edited(other, of(other, "anthropic-messages"), {index: "new"}))
            assert out["messages"][2]["content"][0] == body["messages"][2]["content"][0] | {"content": left}


def test_an_image_leaves_its_mark_behind() -> None:
    mark = '"cache_control": {"ttl" : "1h","type": "ephemeral"}'
    raw = f'{{"messages":[{{"role":"user","content":[{{"type": "image", {mark}, "source": {{"x": 1}}}}]}}]}}'.encode()
    out = edited(raw, of(raw, "anthropic-messages"), {0: "[image removed]"})
    assert out == (
        b'{"messages":[{"role":"user","content":[{"type":"text","text":"[image removed]",'
        b'"cache_control":{"ttl" : "1h","type": "ephemeral"}}]}]}'
    )


def test_an_image_becomes_a_text_as_its_api_calls_it() -> None:
    for api, kind in (("openai-chat", "text"), ("openai-responses", "input_text")):
        raw = layouts(talk(api, [("look",)]))[0]
        out = json.loads(edited(raw, of(raw, api), {1: "gone"}))
        (message,) = out["input" if api == "openai-responses" else "messages"]
        assert message["content"][1] == {"type": kind, "text": "gone"}


def test_a_body_that_is_another_one_is_told_and_not_guessed_at() -> None:
    raw = layouts(talk("openai-chat", CONVERSATION))[0]
    transcript = of(raw, "openai-chat")
    with pytest.raises(Unfit):
        edited(b'{"messages": []}', transcript, {3: "x"})
    with pytest.raises(Unfit):
        edited(raw, transcript, {3: "\ud800"})
    with pytest.raises(Unfit):
        edited(raw.replace(json.dumps("print(1)\n" * 9).encode(), b"null"), transcript, {3: "x"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=100, deadline=None)
@given(JSON.filter(lambda value: isinstance(value, dict | list)), st.integers(0, 3))
def test_children_are_where_they_are_said_to_be(value: Any, layout: int) -> None:
    raw = layouts(value)[layout]
    spans = list(children(raw, 0, len(raw)))
    names = list(value) if isinstance(value, dict) else list(range(len(value)))
    assert [span.name for span in spans] == names
    assert [json.loads(raw[span.start : span.end]) for span in spans] == [value[name] for name in names]


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)


@st.composite
def conversations(draw: st.DrawFn) -> list[Step]:
    """Turns of users, answers, and calls with their results, several at once among them."""
    steps: list[Step] = [("system", draw(TEXTS)), ("user", "u" + draw(TEXTS))]
    for number in range(draw(st.integers(1, 6))):
        what = draw(st.sampled_from(["calls", "say", "user", "look", "think"]))
        if what == "calls":
            ids = [f"c{number}_{k}" for k in range(draw(st.integers(1, 3)))]
            tool = draw(st.sampled_from(["read", "write", "bash"]))
            arguments = {"path": draw(TEXTS), "content": draw(TEXTS) * draw(st.integers(0, 30))}
            steps += [("call", ident, tool, arguments) for ident in ids]
            kind = draw(st.sampled_from(["result", "shot"]))
            steps += [(kind, ident, "r" + draw(TEXTS)) for ident in ids]
        else:
            steps.append(("look",) if what == "look" else (what, "t" + draw(TEXTS)))
    return steps


@settings(max_examples=60, deadline=None)
@given(conversations(), st.sampled_from(talks.APIS), st.integers(0, 3), st.data())
def test_no_edit_breaks_a_pair_or_touches_what_is_not_its_own(
    steps: list[Step], api: str, layout: int, data: st.DataObject
) -> None:
    body = talk(api, steps)
    raw = layouts(body)[layout]
    before = of(raw, api)
    texts = {}
    for index in prunable(before):
        if data.draw(st.booleans()):
            try:
                edited(raw, before, {index: "[pruned]"})
            except Unfit:
                continue
            texts[index] = "[pruned]"
    out = edited(raw, before, texts)
    after = of(out, api)
    assert calls_and_results(after) == calls_and_results(before)
    # An image in a result becomes one of the texts of that.
    inside = {index for index in texts if before.pieces[index].kind == "image" and before.pieces[index].role == "tool"}
    left = [(index, piece) for index, piece in enumerate(before.pieces) if index not in inside]
    for (index, one), other in zip(left, after.pieces, strict=True):
        assert (one.text == other.text) or index in texts or index + 1 in inside
        assert (one.message, one.role, one.call_id) == (other.message, other.role, other.call_id)
    first = min((before.pieces[index].message for index in texts), default=None)
    if first is not None:
        member = "input" if api == "openai-responses" else "messages"
        (top,) = [span for span in children(raw, 0, len(raw)) if span.name == member]
        start = next(span.start for span in children(raw, top.start, top.end) if span.name == first)
        assert out[:start] == raw[:start]
    assert {name: value for name, value in json.loads(out).items() if name not in ("messages", "input")} == {
        name: value for name, value in body.items() if name not in ("messages", "input")
    }


def calls_and_results(transcript: Transcript) -> tuple[list[str], list[str]]:
    calls = [piece.call_id for piece in transcript.pieces if piece.kind == "call"]
    return calls, [piece.call_id for piece in transcript.pieces if piece.kind == "result"]
