"""Answers of the doors of the cache as HTTP."""

from __future__ import annotations

from proxy.cache_answer import given, told
from proxy.purge_told import Answered


def test_json() -> None:
    response = told(Answered(202, {"a": ["ü"]}), [("ETag", '"x"'), ("X", "1"), ("X", "2")])
    assert (response.status, response.body) == (202, '{"a":["ü"]}'.encode())
    assert (response.headers["Content-Type"], response.headers["Server"]) == ("application/json", "warmgate")
    assert (response.headers["etag"], response.headers.getall("X")) == ('"x"', ["1", "2"])


def test_bytes() -> None:
    response = given(200, b"\x00", [("Content-Type", "x/y; z")])
    assert (response.status, response.body, response.headers["Content-Type"]) == (200, b"\x00", "x/y; z")
