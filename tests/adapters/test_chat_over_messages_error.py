from __future__ import annotations

import json
from typing import Any

import httpx2
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.chat_over_messages_error import error, error_frame
from adapters.openai_chat import OPENAI_CHAT


def told(status: int, body: Any) -> tuple[int, dict[str, Any]]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    status, answer = error(status, raw, "req_1")
    decoded = json.loads(answer)
    assert list(decoded) == ["error"]
    return status, decoded["error"]


def native(kind: Any, message: Any = "No.", **more: Any) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message, **more}, "request_id": "req_1"}


@pytest.mark.parametrize(
    ("status", "kind", "status_told", "type_told"),
    [
        (400, "invalid_request_error", 400, "invalid_request_error"),
        (401, "authentication_error", 401, "authentication_error"),
        (402, "billing_error", 402, "billing_error"),
        (403, "permission_error", 403, "permission_error"),
        (404, "not_found_error", 404, "invalid_request_error"),
        (409, "conflict_error", 409, "conflict_error"),
        (413, "request_too_large", 413, "invalid_request_error"),
        (429, "rate_limit_error", 429, "rate_limit_error"),
        (500, "api_error", 500, "server_error"),
        (504, "timeout_error", 504, "server_error"),
        (529, "overloaded_error", 503, "server_error"),
        (503, "overloaded_error", 503, "server_error"),
        (418, "teapot_error", 418, "teapot_error"),
    ],
)
def test_errors(status: int, kind: str, status_told: int, type_told: str) -> None:
    assert told(status, native(kind)) == (
        status_told,
        {"message": "No.", "type": type_told, "param": None, "code": kind},
    )


def test_what_names_the_cause_is_kept() -> None:
    details = {"error_code": "compaction_unavailable"}
    assert told(400, native("invalid_request_error", details=details))[1]["details"] == details
    assert "details" not in told(400, native("invalid_request_error", details=None))[1]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (429, "rate_limit_error"),
        (499, "invalid_request_error"),
        (500, "server_error"),
        (529, "server_error"),
    ],
)
def test_an_error_without_a_type_gets_one_by_its_status(status: int, kind: str) -> None:
    for broken in (None, 4, "", "two words", "x\r\ny", "x" * 65):
        _, body = told(status, native(broken))
        assert (body["message"], body["type"], body["code"]) == ("No.", kind, None)


SECRET = "sk-ant-secret"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>sk-ant-secret</html>",
        b"\xff\xfe",
        b"[" * 100_000,
        b'"sk-ant-secret"',
        b"[]",
        b"null",
        {},
        {"error": None},
        {"error": SECRET},
        {"error": {}},
        {"error": {"type": "api_error"}},
        {"error": {"type": "api_error", "message": ""}},
        {"error": {"type": "api_error", "message": [SECRET]}},
        {"message": SECRET},
    ],
)
def test_rubbish_is_not_repeated(body: Any) -> None:
    status, answer = told(502, body)
    assert status == 502
    assert answer["type"] == "server_error"
    assert answer["code"] == "upstream_unreadable"
    assert "502" in answer["message"]
    assert SECRET not in json.dumps(answer)


@given(
    st.integers(400, 599), st.binary() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps).map(str.encode)
)
def test_any_body_has_an_error(status: int, body: bytes) -> None:
    assert {"message", "type", "param", "code"} <= set(told(status, body)[1])


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (native("overloaded_error"), ("No.", "server_error", "overloaded_error")),
        (native("rate_limit_error"), ("No.", "rate_limit_error", "rate_limit_error")),
        (native(None), ("No.", "server_error", None)),
    ],
)
def test_an_error_event(event: Any, expected: tuple[str, str, str | None]) -> None:
    frame = error_frame(event)
    assert OPENAI_CHAT.is_error(frame)
    body = frame.json()["error"]
    assert (body["message"], body["type"], body["code"]) == expected


@pytest.mark.parametrize("event", [None, {}, {"type": "error"}, {"error": "x"}, {"error": {"message": None}}, [], "x"])
def test_an_error_event_that_says_nothing_is_one_all_the_same(event: Any) -> None:
    frame = error_frame(event)
    assert OPENAI_CHAT.is_error(frame)
    assert frame.json()["error"]["code"] == "upstream_unreadable"


@pytest.mark.parametrize(
    ("status", "kind", "raised"),
    [
        (400, "invalid_request_error", openai.BadRequestError),
        (401, "authentication_error", openai.AuthenticationError),
        (404, "not_found_error", openai.NotFoundError),
        (429, "rate_limit_error", openai.RateLimitError),
        (529, "overloaded_error", openai.InternalServerError),
    ],
)
def test_the_official_client_raises_it(status: int, kind: str, raised: type[openai.APIStatusError]) -> None:
    code, body = error(status, json.dumps(native(kind)).encode(), "req_1")
    headers = {"content-type": "application/json"}
    transport = httpx2.MockTransport(lambda request: httpx2.Response(code, content=body, headers=headers))
    with (
        openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=transport), max_retries=0) as client,
        pytest.raises(raised, match=r"No\.") as caught,
    ):
        client.chat.completions.create(model="m", messages=[])
    assert caught.value.code == kind
