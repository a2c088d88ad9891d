from typing import Any

import pytest

from adapters.outline_pieces import (
    LONGEST_ROLE,
    Marks,
    constant_of,
    encode,
    ending,
    head,
    kind_of,
    marked,
    marks_of,
    text_of,
    weighed,
)
from adapters.profiles import profile_of
from adapters.tokens import BLOBS, IMAGE, IMAGE_LOW

CLAUDE = profile_of("anthropic", "claude-opus-5")
NEW = profile_of("openai", "gpt-5.6")
ROUTED = profile_of("openrouter", "anthropic/claude-opus-5")


@pytest.mark.parametrize(
    ("profile", "body", "block", "life"),
    [
        (CLAUDE, {}, {"cache_control": {"type": "ephemeral"}}, "5m"),
        (CLAUDE, {}, {"cache_control": {"type": "ephemeral", "ttl": "1h"}}, "1h"),
        (CLAUDE, {}, {"cache_control": {"type": "ephemeral", "ttl": "30m"}}, ""),
        (CLAUDE, {}, {"cache_control": {"ttl": ["1h"]}}, ""),
        (CLAUDE, {}, {"cache_control": None}, ""),
        (CLAUDE, {}, {"prompt_cache_breakpoint": {"mode": "explicit"}}, ""),
        (ROUTED, {}, {"cache_control": {"type": "ephemeral"}}, "5m"),
        (NEW, {}, {"prompt_cache_breakpoint": {"mode": "explicit"}}, "30m"),
        (NEW, {}, {"prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}, "12h"),
        (NEW, {"ttl": "12h"}, {"prompt_cache_breakpoint": {"mode": "explicit"}}, "12h"),
        (NEW, {"ttl": "12h"}, {"prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}}, "30m"),
        (NEW, {"ttl": "5m"}, {"prompt_cache_breakpoint": {"mode": "explicit"}}, "30m"),
        (NEW, {"ttl": {}}, {"prompt_cache_breakpoint": {"mode": "explicit"}}, "30m"),
        (NEW, {}, {"cache_control": {"type": "ephemeral"}}, ""),
        (profile_of("openai", "gpt-5.5"), {}, {"prompt_cache_breakpoint": {"mode": "explicit"}}, ""),
        (profile_of("deepseek", "x"), {}, {"cache_control": {"type": "ephemeral"}, "": {}}, ""),
    ],
)
def test_what_a_mark_asks_for(profile: Any, body: dict[str, Any], block: dict[str, Any], life: str) -> None:
    assert marks_of(profile, {"prompt_cache_options": body}).of(block) == life


def test_who_takes_no_breakpoints_has_no_marks() -> None:
    assert marks_of(profile_of("unheard-of", "x"), {}) == Marks()


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ({"type": "text", "text": "x"}, "x"),
        ({"text": "", "type": "text"}, ""),
        ({"cache_control": {}, "type": "text", "text": "x"}, "x"),
        ({"cache_control": {}, "type": "text", "text": "x", "prompt_cache_breakpoint": None}, "x"),
        ({"type": "text", "text": "x", "citations": []}, None),
        ({"cache_control": {}, "type": "text", "text": "x", "citations": []}, None),
        ({"type": "input_text", "text": "x"}, None),
        ({"type": "text", "text": 5}, None),
        ({"text": "x"}, None),
        ({}, None),
    ],
)
def test_the_text_of_a_block_that_is_nothing_else(block: dict[str, Any], text: str | None) -> None:
    assert text_of(block, "text") == text


@pytest.mark.parametrize(
    ("part", "tokens"),
    [
        ({"type": "image"}, IMAGE),
        ({"type": "image_url", "image_url": {"url": "x"}}, IMAGE),
        ({"type": "image_url", "image_url": {"detail": "low"}}, IMAGE_LOW),
        ({"type": "input_image", "image_url": "x", "detail": "low"}, IMAGE_LOW),
        ({"type": "input_file"}, BLOBS["file"]),
        ({"type": "file"}, BLOBS["file"]),
        ({"type": "document", "source": {"type": "base64"}}, BLOBS["file"]),
        ({"type": "document", "source": {"type": "text"}}, 0),
        ({"type": "input_audio"}, BLOBS["input_audio"]),
        ({"type": "computer_screenshot"}, IMAGE),
        ({"type": "text"}, 0),
        ({"type": ["image"]}, 0),
        ({}, 0),
    ],
)
def test_what_is_no_text_counts_a_constant(part: dict[str, Any], tokens: int) -> None:
    assert constant_of(part) == tokens
    assert weighed(b"12345", part) == ((0, tokens) if tokens else (5, 0))


def test_bytes_of_an_image_inside_are_no_text() -> None:
    image = {"type": "image", "source": {"data": "A" * 1000}}
    block = {"type": "tool_result", "content": [{"type": "text", "text": "here"}, image]}
    assert weighed(encode(block), block, block["content"]) == (len(encode(block)) - len(encode(image)), IMAGE)
    assert weighed(b"", block, block["content"]) == (0, IMAGE)


def test_heads_do_not_begin_one_another() -> None:
    heads = [head(role, kind) for role in ("user", "use", "", None, 5, ["user"]) for kind in ("text", "tex", "")]
    assert len(set(heads)) == len(heads)
    assert not [(a, b) for a in heads for b in heads if a != b and b.startswith(a)]


def test_a_long_role_is_not_remembered() -> None:
    held = head.__globals__["_known"]
    before = held.cache_info().currsize
    assert head("r" * (LONGEST_ROLE + 1), "text") == encode(["r" * (LONGEST_ROLE + 1), "text"])
    assert held.cache_info().currsize == before


def test_pieces_are_marked_once_and_end_anything() -> None:
    piece = (b"h", b"d", 1, 0, 3, "", "block", True)
    assert marked(piece, "5m") == (b"h", b"d", 1, 0, 3, "5m", "block", True)
    assert marked(marked(piece, "1h"), "5m")[5] == "1h"
    assert ending(piece, "tools") == (b"h", b"d", 1, 0, 3, "", "tools", True)


def test_the_kind_of_anything() -> None:
    assert [kind_of(part) for part in ({"type": "x"}, {"type": 5}, {"type": ["x"]}, {})] == ["x", "", "", ""]
