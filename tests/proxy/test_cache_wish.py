"""What callers of `/cache/...` ask for; what is refused is tested over HTTP, in `test_cache_desk`."""

from __future__ import annotations

from multidict import CIMultiDict

from proxy.cache_wish import Asked, Feedback, asked_of, asked_within, feedback_of, headers_with


def test_a_bare_body_keeps_its_bytes() -> None:
    raw = b' {"model": "m", "temperature": 1.0}'
    assert asked_of(raw, "") == Asked("", raw, {})
    assert asked_of(raw, "route=messages&x=1") == Asked("messages", raw, {})
    assert asked_of(raw, "route=chat&route=messages").route == "messages"


def test_a_body_inside_of_another_keeps_them_too() -> None:
    raw = b'{"headers": {"OpenAI-Beta": "x"}, "body": {"model": "m",  "temperature": 1.0} , "route": "chat"}'
    inner = b'{"model": "m",  "temperature": 1.0}'
    assert asked_of(raw, "route=messages") == Asked("chat", inner, {"OpenAI-Beta": "x"}, "body.")
    assert asked_of(b'{"body":{}}', "route=messages").route == "messages"


def test_headers_of_the_request_stand_in_place_of_the_callers() -> None:
    own = CIMultiDict([("Authorization", "Bearer k"), ("openai-beta", "a"), ("OpenAI-Beta", "b"), ("Host", "here")])
    headers = headers_with(own, {"OpenAI-Beta": "c", "X-New": "n", "host": "there", "Content-Length": "5"})
    assert headers.getall("openai-beta") == ["c"]
    assert (headers["host"], headers["x-new"], headers["authorization"]) == ("here", "n", "Bearer k")
    assert "Content-Length" not in headers
    assert own.getall("openai-beta") == ["a", "b"]


def test_feedback() -> None:
    assert feedback_of(b'{"entry":5,"correct":true}') == Feedback(True, 5, "", None, "")
    told = b'{"key":"0123456789ABCDEF","correct":false,"similarity":1,"route":"chat"}'
    assert feedback_of(told) == Feedback(False, 0, "0123456789abcdef", 1.0, "chat")


def test_a_body_within_another_says_where_it_stands() -> None:
    assert asked_within(b'{"model":"m" }', {"model": "m"}, "scope_of.") == Asked("", b'{"model":"m" }', {}, "scope_of.")
    raw = b'{"route":"messages","body": {"model":"m" }} '
    value = {"route": "messages", "body": {"model": "m"}}
    assert asked_within(raw, value, "x.") == Asked("messages", b'{"model":"m" }', {}, "x.body.")
