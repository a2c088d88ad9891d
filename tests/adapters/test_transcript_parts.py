"""What is read out of single messages: files that calls name, failures that results tell of, sizes."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.tokens import BLOBS, IMAGE, IMAGE_LOW
from adapters.transcript_parts import anthropic_pieces, chat_pieces, responses_pieces, tokens_of

FAILURES = [
    "Error: not enough seats",
    "error TS2345: Argument of type",
    "Traceback (most recent call last):\n",
    "fatal: not a git repository",
    "<returncode>1</returncode>\n<output>",
    "<exception>An error occurred",
    "<tool_use_error>File not read</tool_use_error>",
    '{"error": "no such file"}',
    "Command exited with code 2",
    "Process exited with code -9",
    "Exit code: 127",
    "\n  FAILED tests/x.py",
]
SUCCESSES = [
    "",
    "ok",
    "<returncode>0</returncode>\n<output>Error: in a log",
    "Exit code: 0\nError",
    "errors.py\nexceptions.py",
    "no error",
    '{"error": null, "data": 1}',
    '{"error": false}',
    "exited the building",
]


@pytest.mark.parametrize("text", FAILURES)
def test_failures(text: str) -> None:
    (found,) = chat_pieces({"role": "tool", "tool_call_id": "c", "content": text})
    assert found.failed


@pytest.mark.parametrize("text", SUCCESSES)
def test_successes(text: str) -> None:
    (found,) = chat_pieces({"role": "tool", "tool_call_id": "c", "content": text})
    assert not found.failed


@pytest.mark.parametrize(("flag", "text", "failed"), [(True, "fine", True), (False, "Error: x", False)])
def test_the_flag_goes_before_the_text(flag: bool, text: str, failed: bool) -> None:
    block = {"type": "tool_result", "tool_use_id": "c", "content": text, "is_error": flag}
    (found,) = anthropic_pieces({"role": "user", "content": [block]})
    assert found.failed is failed


@pytest.mark.parametrize(
    ("arguments", "paths"),
    [
        ('{"path": "/a"}', ("/a",)),
        ('{"file_path": "/a", "content": "/b"}', ("/a",)),
        ('{"paths": ["/a", 3, "/b", ""]}', ("/a", "/b")),
        ('{"path": {"a": 1}, "file": null}', ()),
        ('{"command": "cat /a"}', ()),
    ],
)
def test_paths(arguments: str, paths: tuple[str, ...]) -> None:
    (found,) = responses_pieces({"type": "function_call", "call_id": "c", "name": "t", "arguments": arguments})
    assert found.paths == paths


@pytest.mark.parametrize("arguments", ["", "[1]", "{", '"x"', "nan"])
def test_arguments_that_are_no_object_are_locked(arguments: str) -> None:
    (found,) = responses_pieces({"type": "function_call", "call_id": "c", "name": "t", "arguments": arguments})
    assert (found.kind, found.locked) == ("call", "arguments")


def test_free_text_calls_and_what_nobody_knows_are_locked() -> None:
    items: list[dict[str, Any]] = [
        {"type": "custom_tool_call", "call_id": "c", "name": "t", "input": "anything"},
        {"type": "web_search_call", "id": "w"},
        {"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot"}},
    ]
    found = [piece for item in items for piece in responses_pieces(item)]
    assert [(piece.kind, piece.role, piece.locked) for piece in found] == [
        ("call", "assistant", "free text"),
        ("other", "assistant", "other"),
        ("other", "tool", "other"),
    ]


def test_texts_of_one_result_are_one_piece_and_its_images_are_their_own() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image", "source": {}}, {"type": "text", "text": "b"}]
    block = {"type": "tool_result", "tool_use_id": "c", "content": parts}
    text, image = anthropic_pieces({"role": "user", "content": [block]})
    assert (text.kind, text.text, text.path) == ("result", "a\nb", ("content", 0, "content"))
    assert (image.kind, image.role, image.call_id, image.path) == ("image", "tool", "c", ("content", 0, "content", 1))


def test_sizes_of_what_is_no_text() -> None:
    parts: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": "data:" + "x" * 100_000}},
        {"type": "image_url", "image_url": {"url": "u", "detail": "low"}},
        {"type": "file", "file": {"file_data": "x" * 100_000}},
        {"type": "input_audio", "input_audio": {}},
    ]
    found = list(chat_pieces({"role": "user", "content": parts}))
    assert [piece.kind for piece in found] == ["image", "image", "document", "other"]
    assert [tokens_of(piece) for piece in found[:3]] == [IMAGE, IMAGE_LOW, BLOBS["file"]]
    (text,) = anthropic_pieces(
        {"role": "user", "content": [{"type": "document", "source": {"type": "text", "data": "four words of text"}}]}
    )
    assert 3 < tokens_of(text) < 10
