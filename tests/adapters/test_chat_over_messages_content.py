"""Parts of messages as blocks, and what is refused with the path of the part."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from adapters.chat_over_messages_content import (
    ASSISTANT,
    BLIND,
    USER,
    blocks_of,
    system_blocks,
    tool_result,
    user_blocks,
)
from adapters.chat_over_messages_notes import Notes
from adapters.errors import Refused

MARK = {"type": "ephemeral"}
PNG = "iVBORw0KGgo="


def user(content: Any, **members: Any) -> list[dict[str, Any]]:
    return user_blocks({"role": "user", "content": content, **members}, "m", Notes(), USER)


def refused(content: Any, readers: Any = USER) -> str | None:
    with pytest.raises(Refused) as caught:
        user_blocks({"role": "user", "content": content}, "m", Notes(), readers)
    assert caught.value.status == 400
    return caught.value.param


def text(said: str, **members: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **members}


def image(url: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, "detail": "low"}}


def file(**members: Any) -> dict[str, Any]:
    return {"type": "file", "file": members}


def b64(said: bytes) -> str:
    return base64.b64encode(said).decode()


@pytest.mark.parametrize(
    ("content", "blocks"),
    [
        ("Hi", [text("Hi")]),
        (" Hi\n", [text(" Hi\n")]),
        ([text("Hi"), text("there", name="x")], [text("Hi"), text("there")]),
        ([text(""), text("Hi"), text(" \n")], [text("Hi")]),
        ([text("Hi", citations=[{"type": "char_location"}])], [text("Hi", citations=[{"type": "char_location"}])]),
        ([image("https://x/y.png")], [{"type": "image", "source": {"type": "url", "url": "https://x/y.png"}}]),
        (
            [{"type": "image_url", "image_url": "HTTP://x"}],
            [{"type": "image", "source": {"type": "url", "url": "HTTP://x"}}],
        ),
        (
            [image(f"data:image/png;base64,{PNG}")],
            [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}],
        ),
        (
            [image(f"data:image/JPG;charset=x;base64,{PNG}")],
            [{"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": PNG}}],
        ),
        (
            [file(file_data="data:application/pdf;base64,QQ==", filename="a.pdf")],
            [
                {
                    "type": "document",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": "QQ=="},
                    "title": "a.pdf",
                }
            ],
        ),
        (
            [file(file_data="QQ==", filename="a.PDF")],
            [
                {
                    "type": "document",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": "QQ=="},
                    "title": "a.PDF",
                }
            ],
        ),
        (
            [file(file_data=f"data:text/markdown;base64,{b64('# Größe'.encode())}")],
            [{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "# Größe"}}],
        ),
        (
            [{"type": "search_result", "source": "s", "title": "t", "content": []}],
            [{"type": "search_result", "source": "s", "title": "t", "content": []}],
        ),
        (
            [{"type": "of_tomorrow", "cache_control": MARK, "x": [1]}],
            [{"type": "of_tomorrow", "cache_control": MARK, "x": [1]}],
        ),
        (
            [{"type": "document", "source": {}, "prompt_cache_breakpoint": {"mode": "explicit"}}],
            [{"type": "document", "source": {}, "cache_control": MARK}],
        ),
    ],
)
def test_what_a_user_says(content: Any, blocks: Any) -> None:
    assert user(content) == blocks


@pytest.mark.parametrize(
    ("content", "param"),
    [
        (None, "m.content"),
        ("", "m.content"),
        (" \n\t", "m.content"),
        ([], "m.content"),
        ([text(" ")], "m.content"),
        (7, "m.content"),
        ({"type": "text"}, "m.content"),
        (["Hi"], "m.content[0]"),
        ([text("a"), {"text": "b"}], "m.content[1]"),
        ([{"type": ["text"]}], "m.content[0]"),
        ([{"type": "text"}], "m.content[0].text"),
        ([{"type": "text", "text": 7}], "m.content[0].text"),
        ([{"type": "input_audio", "input_audio": {}}], "m.content[0]"),
        ([{"type": "refusal", "refusal": "no"}], "m.content[0]"),
        ([image(None)], "m.content[0].image_url"),
        ([{"type": "image_url"}], "m.content[0].image_url"),
        ([image("file:///etc/passwd")], "m.content[0].image_url"),
        ([image("data:image/png,rawbytes")], "m.content[0].image_url"),
        ([image("data:image/png;base64")], "m.content[0].image_url"),
        ([image("data:image/tiff;base64,QQ==")], "m.content[0].image_url"),
        ([{"type": "file"}], "m.content[0].file"),
        ([file(file_id="file-1")], "m.content[0].file.file_id"),
        ([file(filename="a.pdf")], "m.content[0].file.file_data"),
        ([file(file_data=7)], "m.content[0].file.file_data"),
        ([file(file_data="QQ==")], "m.content[0].file.file_data"),
        ([file(file_data="QQ==", filename="a.docx")], "m.content[0].file.file_data"),
        ([file(file_data="data:text/plain;base64,???", filename="a")], "m.content[0].file.file_data"),
        ([file(file_data="data:text/plain;base64,/w==")], "m.content[0].file.file_data"),
        ([text("a", cache_control=1)], "m.content[0].cache_control"),
        ([text("", cache_control=MARK)], "m.content[0]"),
    ],
)
def test_what_a_user_can_not_say(content: Any, param: str) -> None:
    assert refused(content) == param


def test_a_model_without_eyes_is_shown_nothing() -> None:
    assert refused([image("https://x")], BLIND) == "m.content[0]"
    assert refused([{"type": "image", "source": {}}], BLIND) == "m.content[0]"


def test_marks_stay_with_their_part() -> None:
    notes = Notes()
    said = [text("a", cache_control=MARK), text("b"), text("", prompt_cache_breakpoint={"mode": "explicit"})]
    blocks = blocks_of(said, "m", notes, USER)
    assert blocks == [text("a", cache_control=MARK), text("b", cache_control=MARK)]
    assert notes.marks == 2
    assert user("Hi", cache_control=MARK) == [text("Hi", cache_control=MARK)]
    assert user([text("a", cache_control={"type": "ephemeral", "ttl": "1h"})], cache_control=MARK)[0]["cache_control"][
        "ttl"
    ]


def test_the_body_of_the_client_is_not_touched() -> None:
    said = [{"type": "document", "source": {}}, text("a")]
    user(said, cache_control=MARK)
    tool_result({"content": [text("a", cache_control=MARK)]}, "id", "m", Notes(), USER)
    assert said == [{"type": "document", "source": {}}, text("a")]


def test_an_assistant_says_text() -> None:
    said = [text("a"), {"type": "refusal", "refusal": "no"}, {"type": "refusal", "refusal": ""}]
    assert blocks_of(said, "m", Notes(), ASSISTANT) == [text("a"), text("no")]
    for kind in ("image_url", "file", "input_audio", "document", "image"):
        with pytest.raises(Refused) as caught:
            blocks_of([{"type": kind}], "m", Notes(), ASSISTANT)
        assert caught.value.param == "m.content[0]"
    with pytest.raises(Refused) as caught:
        blocks_of([{"type": "refusal", "refusal": 1}], "m", Notes(), ASSISTANT)
    assert caught.value.param == "m.content[0].refusal"


def test_a_system_message_is_text_or_nothing() -> None:
    assert system_blocks({"content": "a", "cache_control": MARK}, "m", Notes()) == [text("a", cache_control=MARK)]
    assert system_blocks({"content": [text("a", cache_control=MARK), text("b")]}, "m", Notes()) == [
        text("a", cache_control=MARK),
        text("b"),
    ]
    assert system_blocks({"content": "", "cache_control": MARK}, "m", Notes()) == []
    assert system_blocks({}, "m", Notes()) == []
    with pytest.raises(Refused) as caught:
        system_blocks({"content": [image("https://x")]}, "m", Notes())
    assert caught.value.param == "m.content[0]"


RESULT = {"type": "tool_result", "tool_use_id": "id"}


@pytest.mark.parametrize(
    ("message", "result"),
    [
        ({"content": "42"}, {"content": "42"}),
        ({"content": ""}, {}),
        ({"content": " \n"}, {}),
        ({"content": None}, {}),
        ({"content": []}, {}),
        ({"content": "x", "is_error": True}, {"content": "x", "is_error": True}),
        ({"content": "x", "is_error": "yes", "name": "f"}, {"content": "x"}),
        ({"content": "x", "cache_control": MARK}, {"content": "x", "cache_control": MARK}),
        ({"content": [text("a", cache_control=MARK)]}, {"content": [text("a")], "cache_control": MARK}),
        (
            {"content": [text("a", cache_control=MARK), text("b")]},
            {"content": [text("a", cache_control=MARK), text("b")]},
        ),
        (
            {"content": [image("https://x")]},
            {"content": [{"type": "image", "source": {"type": "url", "url": "https://x"}}]},
        ),
    ],
)
def test_results_of_tools(message: dict[str, Any], result: dict[str, Any]) -> None:
    assert tool_result(message, "id", "m", Notes(), USER) == RESULT | result


def test_what_is_no_result() -> None:
    with pytest.raises(Refused) as caught:
        tool_result({"content": {"a": 1}}, "id", "m", Notes(), USER)
    assert caught.value.param == "m.content"
