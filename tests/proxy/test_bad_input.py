"""What a client may send by mistake or on purpose: always an answer in OpenAI's form, never a secret in it."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import logging
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import openai
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import AsyncOpenAI

from tests.fakes import CHAT, KEY, Seen, answers, provider
from tests.running import Proxy, proxy

MANAGED = """
tenants: {mode: managed, keys: [{tenant: a, key_env: TEAM_A}]}
upstream: {api_key_env: PROVIDER_KEY}
"""
SMALL = "limits: {body: 2000, headers: 8000}"


class Records(logging.Handler):
    """Everything that is logged, as it is before any formatter of ours takes secrets out."""

    def __init__(self) -> None:
        super().__init__(0)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{logging.Formatter().format(record)} {record.__dict__!r}")


@pytest.fixture
def records() -> Iterator[Records]:
    root, handler = logging.getLogger(), Records()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


def error_of(status: int, body: bytes) -> dict[str, Any]:
    """The error, after a look at whether it has OpenAI's form."""
    assert 400 <= status < 600
    error = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert isinstance(error["message"], str)
    assert error["message"]
    assert isinstance(error["type"], str)
    return dict(error)


@dataclass
class Raw:
    """One answer read off a socket."""

    status: int
    headers: dict[str, str]
    body: bytes
    wire: bytes


def parsed(wire: bytes) -> Raw:
    head, _, body = wire.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    match = re.fullmatch(r"HTTP/1\.[01] (\d{3}) .*", first)
    assert match, wire[:200]
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Raw(int(match[1]), headers, body, wire)


async def raw(ours: Proxy, sent: bytes) -> Raw:
    """Sends bytes as they are and reads until the proxy closes the connection."""
    host, _, port = ours.root.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(sent)
        wire = await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()
    return parsed(wire)


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    named = ["Host: proxy", f"Authorization: Bearer {KEY}", "Connection: close", *headers]
    if body:
        named.append(f"Content-Length: {len(body)}")
    return "\r\n".join([line, *named, "", ""]).encode("latin-1") + body


@asynccontextmanager
async def client(ours: Proxy, *, key: str = KEY, base_url: str = "") -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=base_url or ours.base_url, api_key=key, max_retries=0, timeout=20) as sdk:
        yield sdk


def chat(text: str) -> bytes:
    """A body whose user says this piece of JSON."""
    return b'{"model":"gpt-4o","messages":[{"role":"user","content":%s}]}' % text.encode()


MESSAGES = b'"messages":[{"role":"user","content":"x"}]'
BODIES: dict[str, tuple[bytes, str | None]] = {
    "empty": (b"", None),
    "white space": (b" \n ", None),
    "no JSON": (b"model=gpt-4o", None),
    "half": (json.dumps(CHAT).encode()[:-7], None),
    "two values": (json.dumps(CHAT).encode() * 2, None),
    "array": (b"[]", None),
    "string": (b'"x"', None),
    "null": (b"null", None),
    "no model": (b"{" + MESSAGES + b"}", "model"),
    "model of no text": (b'{"model":1,' + MESSAGES + b"}", "model"),
    "no messages": (b'{"model":"m"}', "messages"),
    "messages null": (b'{"model":"m","messages":null}', "messages"),
    "messages object": (b'{"model":"m","messages":{}}', "messages"),
    "messages empty": (b'{"model":"m","messages":[]}', "messages"),
    "message of no object": (b'{"model":"m","messages":[{"role":"user"},"x"]}', "messages[1]"),
    "stream of no truth": (b'{"model":"m","stream":"yes",' + MESSAGES + b"}", "stream"),
    "stream_options list": (b'{"model":"m","stream_options":[],' + MESSAGES + b"}", "stream_options"),
    "n of text": (b'{"model":"m","n":"2",' + MESSAGES + b"}", "n"),
    "n huge and negative": (b'{"model":"m","n":-' + b"9" * 400 + b"," + MESSAGES + b"}", "n"),
    "cache of no object": (b'{"model":"m","cache":1,' + MESSAGES + b"}", "cache"),
    "cache ttl NaN-like": (b'{"model":"m","cache":{"ttl":"1"},' + MESSAGES + b"}", "cache.ttl"),
    "cache ttl beyond": (b'{"model":"m","cache":{"ttl":1' + b"0" * 400 + b"}," + MESSAGES + b"}", "cache.ttl"),
    "NaN": (b'{"model":"m","temperature":NaN,' + MESSAGES + b"}", None),
    "Infinity": (b'{"model":"m","temperature":-Infinity,' + MESSAGES + b"}", None),
    "UTF-8": (chat('"\xff"').replace("\xff".encode(), b"\xff"), None),
    "UTF-8 cut": (chat('"\xe9"').replace("\xe9".encode(), b"\xe2\x82"), None),
    "UTF-16": (json.dumps(CHAT).encode("utf-16"), None),
    "BOM": (b"\xef\xbb\xbf" + json.dumps(CHAT).encode(), None),
    "lone surrogate": (chat('"\\ud800"'), None),
    "lone low surrogate": (chat('"\\udc00x"'), None),
    "control character": (chat('"a\x00b"'), None),
    "duplicate": (b'{"model":"m","model":"k",' + MESSAGES + b"}", None),
    "duplicate deep": (chat('[{"type":"text","text":"a","text":"b"}]'), None),
    "duplicate cache": (b'{"cache":{},"model":"m",' + MESSAGES + b',"cache":{"no-store":true}}', None),
    "deep lists": (chat("[" * 10_000 + "]" * 10_000), None),
    "deep objects": (chat('{"a":' * 10_000 + "1" + "}" * 10_000), None),
    "deep and open": (b"[" * 100_000, None),
    "deep unknown member": (b'{"model":"m",' + MESSAGES + b',"x":' + b"[" * 10_000 + b"]" * 10_000 + b"}", None),
}


@pytest.mark.parametrize("name", list(BODIES))
async def test_a_bad_body_is_refused_in_openais_form_and_goes_nowhere(name: str, records: Records) -> None:
    body, param = BODIES[name]
    async with provider() as fake, proxy(fake.base_url) as ours:
        for _ in range(2):
            status, headers, told = await ours.chat(body)
            error = error_of(status, told)
            assert (status, error["type"], error["param"]) == (400, "invalid_request_error", param)
            assert headers["Content-Type"] == "application/json"
        assert (await ours.chat())[0] == 200
        assert [seen.body for seen in fake.seen] == [json.dumps(CHAT).encode()]
    assert KEY not in " ".join(records.lines)


GOOD: dict[str, bytes] = {
    "huge integer": b'{"model":"m","seed":' + b"9" * 400 + b"," + MESSAGES + b"}",
    "huge exponent": b'{"model":"m","temperature":1e400,' + MESSAGES + b"}",
    "integer beyond 64 bits": b'{"model":"m","seed":18446744073709551616,' + MESSAGES + b"}",
    "surrogate pair": chat('"\\ud83d\\ude00"'),
    "escaped NUL": chat('"a\\u0000b"'),
    "null members": b'{"model":"m","stream":null,"n":null,"stream_options":null,"cache":null,' + MESSAGES + b"}",
    "depth 400": chat("[" * 400 + "]" * 400),
}


@pytest.mark.parametrize("name", list(GOOD))
async def test_an_odd_body_is_the_providers_to_judge(name: str) -> None:
    """Passed on to the byte or refused with a reason; never a failure of the proxy."""
    async with provider() as fake, proxy(fake.base_url) as ours:
        status, _, told = await ours.chat(GOOD[name])
        if status == 200:
            sent = GOOD[name].replace(b'"cache":null,', b"")
            assert fake.seen[0].body == sent
        else:
            assert error_of(status, told)["type"] == "invalid_request_error"
            assert status == 400
            assert not fake.seen
        assert (await ours.chat())[0] == 200


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity, gzip", "nonsense"])
async def test_an_encoded_body_is_refused(coding: str) -> None:
    async with provider() as fake, proxy(fake.base_url) as ours:
        status, _, told = await ours.chat(gzip.compress(json.dumps(CHAT).encode()), Content_Encoding=coding)
        assert (status, error_of(status, told)["code"]) == (415, "unsupported_content_encoding")
        assert not fake.seen


async def pieces(count: int, size: int = 1000) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * size


@pytest.mark.parametrize("path", ["/chat/completions", "/files"])
async def test_a_body_above_the_limit_is_refused(path: str) -> None:
    async with provider() as fake, proxy(fake.base_url, config=SMALL) as ours:
        async with ours.post(b"x" * 2001, path=path) as reply:
            assert (reply.status, error_of(reply.status, await reply.read())["code"]) == (413, "body_too_large")
        assert not fake.seen
        headers = {"Authorization": f"Bearer {KEY}"}
        async with ours.session.post(ours.base_url + path, data=pieces(3), headers=headers) as reply:
            assert (reply.status, error_of(reply.status, await reply.read())["code"]) == (413, "body_too_large")
        assert (await ours.chat())[0] == 200
        assert fake.calls == 1


async def test_a_body_at_the_limit_passes() -> None:
    body = json.dumps(CHAT | {"x": ""}).encode()
    body = body[:-2] + b"x" * (2000 - len(body)) + body[-2:]
    assert len(body) == 2000
    async with provider() as fake, proxy(fake.base_url, config=SMALL) as ours:
        assert (await ours.chat(body))[0] == 200
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "text/plain"}
        async with ours.session.post(f"{ours.base_url}/files", data=pieces(2), headers=headers) as reply:
            assert (reply.status, (await reply.json())["size"]) == (200, 2000)


async def test_the_default_limit_is_64_mib() -> None:
    size = 64 * 1024 * 1024
    async with provider() as fake, proxy(fake.base_url) as ours:
        for more, status in ((0, 200), (1, 413)):
            headers = {"Authorization": f"Bearer {KEY}"}
            body = io.BytesIO(bytes(size + more))
            async with ours.session.post(f"{ours.base_url}/files", data=body, headers=headers) as reply:
                assert reply.status == status
        assert [len(seen.body) for seen in fake.seen] == [size]


@pytest.mark.parametrize("path", ["/chat/completions", "/files"])
async def test_a_body_that_breaks_off_reaches_no_client_as_a_success(path: str) -> None:
    async with provider() as fake, proxy(fake.base_url) as ours:
        host, _, port = ours.root.removeprefix("http://").rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(request(f"POST /v1{path} HTTP/1.1", "Transfer-Encoding: chunked") + b"5\r\nhello\r\nZZ\r\n")
        wire = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        if wire:
            assert parsed(wire).status == 400
            error_of(400, parsed(wire).body)
        assert (await ours.chat())[0] == 200
        assert [seen.body for seen in fake.seen] == [json.dumps(CHAT).encode()]


LONG = "x" * 10_000
BROKEN: dict[str, tuple[bytes, set[int]]] = {
    "not HTTP": (f"hello {KEY}\r\n\r\n".encode(), {400}),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + KEY.encode() + b"\r\n\r\n", {400}),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 404, 405, 505}),
    "odd version": (request("GET /v1/models HTTP/9.9"), {400, 505}),
    "odd method": (request("GE T /v1/models HTTP/1.1"), {400}),
    "header without colon": (request("GET /v1/models HTTP/1.1", f"nothing {KEY}"), {400}),
    "header with NUL": (request("GET /v1/models HTTP/1.1", f"X-A: {KEY}\0"), {400}),
    "header name with space": (request("GET /v1/models HTTP/1.1", f"X A: {KEY}"), {400}),
    "folded header": (request("GET /v1/models HTTP/1.1", f"X-A: a\r\n {KEY}"), {200, 400}),
    "bare CR in header": (request("GET /v1/models HTTP/1.1", f"X-A: a\r{KEY}"), {400}),
    "authorization too long": (
        request("GET /v1/models HTTP/1.1", f"x-api-key: {KEY}{LONG}"), {400, 431},
    ),
    "header name too long": (request("GET /v1/models HTTP/1.1", f"{LONG}: {KEY}"), {400, 431}),
    "target too long": (request(f"GET /v1/models?key={KEY}{LONG} HTTP/1.1"), {400, 414, 431}),
    "two lengths": (request("POST /v1/files HTTP/1.1", "Content-Length: 3", "Content-Length: 4") + b"abcd", {400}),
    "length and chunked": (
        request("POST /v1/files HTTP/1.1", "Content-Length: 3", "Transfer-Encoding: chunked") + b"0\r\n\r\n", {400},
    ),
    "length of text": (request("POST /v1/files HTTP/1.1", "Content-Length: three"), {400}),
    "negative length": (request("POST /v1/files HTTP/1.1", "Content-Length: -1"), {400}),
    "odd coding": (request("POST /v1/files HTTP/1.1", "Transfer-Encoding: rot13") + b"abc", {400, 501}),
    "two hosts": (request("GET /v1/models HTTP/1.1", "Host: other"), {200, 400}),
}  # fmt: skip


@pytest.mark.parametrize("name", list(BROKEN))
async def test_broken_http_is_refused_and_no_credential_is_echoed(name: str, records: Records) -> None:
    sent, expected = BROKEN[name]
    async with provider() as fake, proxy(fake.base_url, config=SMALL) as ours:
        answer = await raw(ours, sent)
        assert answer.status in expected
        if answer.status != 200:
            error_of(answer.status, answer.body)
            assert answer.headers["content-type"] == "application/json"
            assert not fake.seen
        assert (await ours.chat())[0] == 200
    assert KEY.encode() not in answer.wire
    assert not [line for line in records.lines if KEY in line]


async def test_too_many_headers_are_refused_or_passed(records: Records) -> None:
    many = [f"X-{index}: {KEY}" for index in range(1_000)]
    async with provider() as fake, proxy(fake.base_url, config=SMALL) as ours:
        answer = await raw(ours, request("GET /v1/models HTTP/1.1", *many))
        assert answer.status in (400, 431)
        error_of(answer.status, answer.body)
        assert (await ours.chat())[0] == 200
    assert not [line for line in records.lines if KEY in line]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "unknown_route"),
        ("GET", "/v1", 404, "unknown_route"),
        ("GET", "/v2/models", 404, "unknown_route"),
        ("GET", "/V1/models", 404, "unknown_route"),
        ("GET", "//v1/models", 404, "unknown_route"),
        ("GET", "/v1x/models", 404, "unknown_route"),
        ("GET", "/%761/models", 404, "unknown_route"),
        ("POST", "/chat/completions", 404, "unknown_route"),
        ("GET", "/healthz/", 404, "unknown_route"),
        ("GET", "/healthz/../v1/models", 404, "unknown_route"),
        ("POST", "/healthz", 405, "method_not_allowed"),
        ("DELETE", "/metrics", 405, "method_not_allowed"),
        ("OPTIONS", "*", 404, "unknown_route"),
        ("CONNECT", "example.com:443", 404, "unknown_route"),
        ("GET", "/v1/../healthz", 400, "bad_path"),
        ("GET", "/v1/models/..", 400, "bad_path"),
        ("GET", "/v1/./models", 400, "bad_path"),
        ("POST", "/v1/../../admin/chat/completions", 400, "bad_path"),
        ("GET", "/v1/%2e%2E/admin", 400, "bad_path"),
        ("GET", "/v1/.%2e/admin", 400, "bad_path"),
        ("GET", "/v1/..%2fadmin", 400, "bad_path"),
        ("GET", "/v1/..\\admin", 400, "bad_path"),
    ],
)
async def test_no_such_route(method: str, path: str, status: int, code: str) -> None:
    async with provider() as fake, proxy(fake.base_url) as ours:
        answer = await raw(ours, request(f"{method} {path} HTTP/1.1"))
        assert (answer.status, error_of(answer.status, answer.body)["code"]) == (status, code)
        assert not fake.seen


@pytest.mark.parametrize(
    "path",
    [
        "/v1/",
        "/v1//models",
        "/v1/chat/completions/",
        "/v1/chat//completions",
        "/v1/chat%2Fcompletions",
        "/v1/Chat/Completions",
        "/v1/files/a%2Fb",
        "/v1/files/a..b",
        "/v1/files/...",
        "/v1/files/.hidden",
        "/v1/models?x=/../y",
        "/v1/files/%zz",
    ],
)
async def test_what_is_no_chat_path_passes_as_it_is_and_is_never_kept(path: str) -> None:
    async with provider() as fake, proxy(fake.base_url) as ours:
        for _ in range(2):
            answer = await raw(ours, request(f"POST {path} HTTP/1.1", body=json.dumps(CHAT).encode()))
            assert answer.status == 200
            assert "fwd=bypass" in answer.headers["cache-status"]
        assert [seen.path for seen in fake.seen] == [path] * 2


async def test_a_target_in_absolute_form_is_the_same_route() -> None:
    """RFC 9112 §3.2.2: a server must accept it; clients send it where the proxy is set as their HTTP proxy."""
    async with provider() as fake, proxy(fake.base_url) as ours:
        body = json.dumps(CHAT).encode()
        answer = await raw(ours, request("POST http://api.example/v1/chat/completions HTTP/1.1", body=body))
        assert answer.status == 200
        assert fake.seen[0].path == "/v1/chat/completions"
        answer = await raw(ours, request("POST HTTP://api.example:80/v1/chat/completions HTTP/1.1", body=body))
        assert answer.headers["x-cache-status"] == "hit"
        assert (await raw(ours, request("GET http://api.example/healthz HTTP/1.1"))).status == 200
        assert (await raw(ours, request("GET http://api.example HTTP/1.1"))).status == 404


async def test_other_methods_on_the_chat_route_pass() -> None:
    async with provider(answers({"deleted": True})) as fake, proxy(fake.base_url) as ours:
        for method in ("GET", "DELETE", "PUT"):
            headers = {"Authorization": f"Bearer {KEY}"}
            url = f"{ours.base_url}/chat/completions?limit=2"
            async with ours.session.request(method, url, headers=headers) as reply:
                assert reply.status == 200
                assert "X-Cache-Status" not in reply.headers
        assert [seen.method for seen in fake.seen] == ["GET", "DELETE", "PUT"]
        assert {seen.path for seen in fake.seen} == {"/v1/chat/completions?limit=2"}


async def test_websockets_are_refused() -> None:
    upgrade = ("Upgrade: websocket", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version: 13")
    async with provider() as fake, proxy(fake.base_url) as ours:
        sent = request("GET /v1/realtime HTTP/1.1", *upgrade).replace(b"Connection: close", b"Connection: Upgrade")
        host, _, port = ours.root.removeprefix("http://").rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(sent)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        body = await reader.readexactly(int(parsed(head).headers["content-length"]))
        writer.close()
        assert (parsed(head).status, error_of(501, body)["code"]) == (501, "no_websocket")
        assert not fake.seen


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with provider() as fake, proxy(fake.base_url) as ours:
        good, bad = json.dumps(CHAT).encode(), b"{}"
        line = "POST /v1/chat/completions HTTP/1.1"
        kept = [request(line, body=body).replace(b"Connection: close\r\n", b"") for body in (bad, good, bad)]
        host, _, port = ours.root.removeprefix("http://").rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"".join(kept))
        statuses = []
        for _ in kept:
            answer = parsed(await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10))
            await reader.readexactly(int(answer.headers["content-length"]))
            statuses.append(answer.status)
        writer.close()
        assert statuses == [400, 200, 400]


async def test_the_official_client_raises_what_it_raises_for_openai() -> None:
    async with provider() as fake, proxy(fake.base_url, config=SMALL) as ours, client(ours) as sdk:
        with pytest.raises(openai.BadRequestError) as bad:
            await sdk.chat.completions.create(model="", messages=[])
        assert (bad.value.param, bad.value.type) == ("model", "invalid_request_error")
        with pytest.raises(openai.APIStatusError) as large:
            await sdk.chat.completions.create(model="m", messages=[{"role": "user", "content": "x" * 3000}])
        assert (large.value.status_code, large.value.code) == (413, "body_too_large")
        async with client(ours, base_url=f"{ours.root}/v2") as lost:
            with pytest.raises(openai.NotFoundError) as missing:
                await lost.models.list()
            assert missing.value.code == "unknown_route"
        with pytest.raises(openai.InternalServerError) as uncached:
            await sdk.chat.completions.create(
                model="m",
                messages=[{"role": "user", "content": "x"}],
                extra_headers={"Cache-Control": "only-if-cached"},
            )
        assert uncached.value.status_code == 504
        assert not fake.seen


async def test_the_official_client_with_a_key_nobody_issued() -> None:
    async with provider() as fake, proxy(fake.base_url, config=MANAGED) as ours, client(ours, key="sk-who") as sdk:
        with pytest.raises(openai.AuthenticationError) as refused:
            await sdk.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
        assert refused.value.code == "invalid_api_key"
        assert "sk-who" not in str(refused.value)
        assert not fake.seen


VALID = json.dumps(
    CHAT | {"temperature": 0.5, "stream": False, "cache": {"ttl": 60}, "tools": [], "é": "\u2028", "seed": 2**63}
).encode()


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A valid body with bits flipped, pieces cut out or doubled, and its end cut off."""
    body = bytearray(VALID)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body) - 1)) if body else 0
        deed = draw(st.sampled_from(["flip", "cut", "end", "double", "put"]))
        if deed == "flip" and body:
            body[at] ^= 1 << draw(st.integers(0, 7))
        elif deed == "cut":
            del body[at : at + draw(st.integers(1, 8))]
        elif deed == "end":
            del body[at:]
        elif deed == "double":
            body[at:at] = body[at : at + draw(st.integers(1, 40))]
        else:
            body[at:at] = draw(st.sampled_from([b'"', b"{", b"]", b"\\", b"\x00", b"\xff", b"1e999", b"\\ud800", b","]))
    return bytes(body)


def test_whatever_the_body_is_the_answer_is_http_and_the_proxy_lives() -> None:
    async def script(request: web.Request, seen: Seen) -> web.StreamResponse:
        return web.json_response({"error": {"message": "no", "type": "t", "param": None, "code": None}}, status=400)

    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        fake = runner.run(stack.enter_async_context(provider(script)))
        ours = runner.run(stack.enter_async_context(proxy(fake.base_url)))

        @settings(max_examples=200, deadline=None)
        @given(st.one_of(st.binary(max_size=300), mutated(), mutated()))
        def each(body: bytes) -> None:
            status, headers, told = runner.run(ours.chat(body))
            assert status == 400
            error_of(status, told)
            assert "stored" not in headers.get("Cache-Status", "")

        each()
        levels = ours.app.levels.stats()
        health = runner.run(raw(ours, request("GET /healthz HTTP/1.1")))
        runner.run(stack.aclose())
    assert levels["l1"]["entries"] == 0
    assert health.status == 200


def test_whatever_comes_over_the_wire_the_proxy_lives(records: Records) -> None:
    line = request("POST /v1/chat/completions HTTP/1.1", "Content-Type: application/json", body=VALID)
    head = len(line) - len(VALID)
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        fake = runner.run(stack.enter_async_context(provider()))
        ours = runner.run(stack.enter_async_context(proxy(fake.base_url)))

        @settings(max_examples=150, deadline=None)
        @given(st.lists(st.tuples(st.integers(0, head - 1), st.integers(0, 255)), min_size=1, max_size=3))
        def each(changes: list[tuple[int, int]]) -> None:
            wire = bytearray(line)
            for at, byte in changes:
                wire[at] = byte
            runner.run(thrown(ours, bytes(wire)))

        each()
        health = runner.run(raw(ours, request("GET /healthz HTTP/1.1")))
        runner.run(stack.aclose())
    assert health.status == 200
    assert not [line for line in records.lines if "Traceback" in line or KEY in line]


async def thrown(ours: Proxy, wire: bytes) -> None:
    """Sends something broken and closes our side; whatever is answered is HTTP and no failure of the proxy."""
    host, _, port = ours.root.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(wire)
    writer.write_eof()
    try:
        got = await asyncio.wait_for(reader.read(), 10)
    except ConnectionResetError:
        return
    finally:
        writer.close()
    if got:
        assert parsed(got).status < 500
