"""A provider's errors in Anthropic's words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.messages_over_chat_error import KINDS, error, error_event, failed
from adapters.sse import Frame, frame_of


def told(status: int, payload: Any, request_id: str = "req_1") -> tuple[int, dict[str, Any]]:
    given, body = error(status, json.dumps(payload).encode(), request_id)
    decoded: dict[str, Any] = json.loads(body)
    return given, decoded


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *KINDS.items(),
        (405, "invalid_request_error"),
        (409, "invalid_request_error"),
        (422, "invalid_request_error"),
        (502, "api_error"),
        (599, "api_error"),
    ],
)
def test_the_status_stays_and_names_the_type(status: int, kind: str):
    payload = {"error": {"message": "No.", "type": "made_up", "param": None, "code": None}}
    expected = {"type": "error", "error": {"type": kind, "message": "No."}, "request_id": "req_1"}
    assert told(status, payload) == (status, expected)


def test_anthropics_list_of_types_by_status():
    assert [KINDS[status] for status in (400, 401, 403, 404, 413, 429, 500, 503, 504, 529)] == [
        "invalid_request_error",
        "authentication_error",
        "permission_error",
        "not_found_error",
        "request_too_large",
        "rate_limit_error",
        "api_error",
        "overloaded_error",
        "timeout_error",
        "overloaded_error",
    ]


@pytest.mark.parametrize("status", [0, 200, 302, 399, 600])
def test_what_is_no_status_of_an_error_becomes_502(status: int):
    assert told(status, {"error": {"message": "No."}})[0] == 502


def test_param_and_code_are_kept():
    payload = {"error": {"message": "No.", "type": "x", "param": "tools", "code": "bad"}}
    assert told(400, payload)[1]["error"] == {
        "type": "invalid_request_error",
        "message": "No.",
        "param": "tools",
        "code": "bad",
    }


def test_a_prompt_that_is_too_long_is_called_so():
    payload = {"error": {"message": "Maximum is 128000.", "code": "context_length_exceeded"}}
    assert told(400, payload)[1]["error"]["message"] == "prompt is too long: Maximum is 128000."


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({"error": "model not found"}, "model not found"),
        ({"object": "error", "message": "vLLM says no", "code": 400}, "vLLM says no"),
        ({"detail": "Not Found"}, "Not Found"),
        ({"message": "gateway"}, "gateway"),
    ],
)
def test_other_forms_of_errors(payload: Any, message: str):
    assert told(404, payload)[1]["error"]["message"] == message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>secret</html>",
        b"null",
        b"[1]",
        b"{}",
        b'"secret"',
        b"\xff",
        b"[" * 100_000,
        b'{"error":null}',
        b'{"error":{}}',
        b'{"error":{"message":5}}',
        b'{"error":["secret"]}',
        b'{"detail":[{"msg":"secret"}]}',
        b'{"error":{"message":"","type":[],"param":{},"code":true}}',
    ],
)
def test_rubbish_is_not_quoted(body: bytes):
    status, answer = error(500, body, "")
    assert status == 500
    assert json.loads(answer) == {
        "type": "error",
        "error": {"type": "api_error", "message": "the provider answered with status 500 and without a message"},
        "request_id": None,
    }


@pytest.mark.parametrize(
    ("payload", "kind", "message"),
    [
        (
            {"error": {"message": "Slow.", "type": "requests", "code": "rate_limit_exceeded"}},
            "rate_limit_error",
            "Slow.",
        ),
        ({"error": {"message": "Slow.", "code": 429}}, "rate_limit_error", "Slow."),
        ({"error": {"message": "Bad.", "type": "invalid_request_error"}}, "invalid_request_error", "Bad."),
        ({"error": {"message": "Oh.", "type": "server_error", "code": None}}, "api_error", "Oh."),
        ({"error": {"message": "Oh.", "code": 502}}, "api_error", "Oh."),
        ({"error": "Oh."}, "api_error", "Oh."),
        ({"object": "error", "message": "Oh.", "code": 400}, "invalid_request_error", "Oh."),
        ({"error": {"type": ["x"], "code": {}}}, "api_error", "the provider ended its stream with an error"),
        ([], "api_error", "the provider ended its stream with an error"),
    ],
)
def test_an_error_inside_a_stream(payload: Any, kind: str, message: str):
    frame = error_event(frame_of(json.dumps(payload).encode()))
    assert frame.event == "error"
    assert frame.json()["type"] == "error"
    assert frame.json()["error"]["type"] == kind
    assert frame.json()["error"]["message"] == message


def test_an_error_without_data():
    assert error_event(Frame(b"event: error\n\n")).json()["error"]["type"] == "api_error"


def test_an_error_of_our_own():
    assert failed("why").raw == b'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"why"}}\n\n'
