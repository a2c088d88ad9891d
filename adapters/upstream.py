"""The provider, over HTTP: bytes out as they came in, frames back as they come, no SDK in between.

Retries happen before the first byte of an answer only. What was tried and how long it took is noted on the trace.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import aiohttp
from yarl import URL

from adapters.dress import Dress, dressed
from adapters.errors import Refused, Unfoldable, UpstreamError
from adapters.exchange import Chunks, Events, read_all
from adapters.vocabulary import Answer, Call, Clock, Form, Headers, Lines, Reply, Sleep, Trace

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""RFC 9110 §7.6.1: these describe one connection and are never forwarded or stored."""

NOT_SENT = HOP_BY_HOP | {"host", "expect", "content-length"}
"""Request headers that are made anew for the upstream's connection."""

ADDED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
"""Headers that aiohttp would add by itself."""

REMEMBERED = 1024
"""Sets of header lines and targets that are remembered."""

RETRIED = frozenset({408, 429, 500, 502, 503, 504, 529})


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds to wait for a connection, for the head of an answer, and between two pieces of its body."""

    connect: float = 10
    first_byte: float = 600
    between: float = 300


@dataclass(frozen=True, slots=True)
class Retries:
    """`times` further attempts; a wait longer than `longest` seconds is the client's to make, not ours."""

    times: int = 2
    longest: float = 10
    base: float = 0.5


class Outgoing(NamedTuple):
    """The headers of a request to the provider, and those that aiohttp must not add."""

    headers: list[tuple[str, str]]
    unset: tuple[str, ...]


class Upstream:
    """The innermost handler: one provider at `base_url` (everything in front of a call's target).

    `chance` draws uniformly from [0, 1). `dress` says what becomes of the client's header lines. Raises `UpstreamError`
    where no answer could be had; an answer of any status is a `Reply`.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        *,
        dress: Dress,
        patience: Patience,
        retries: Retries,
        clock: Clock,
        sleep: Sleep,
        chance: Callable[[], float],
        wall: Clock,
    ) -> None:
        self.session = session
        self.base_url = base_url.rstrip("/")
        self.dress = dress
        self.patience, self.retries = patience, retries
        self.clock, self.sleep, self.chance, self.wall = clock, sleep, chance, wall
        self._urls: dict[str, URL] = {}
        self._outgoing: dict[tuple[Lines, bool], Outgoing] = {}
        # aiohttp's own clock runs between any two pieces; a shorter wait inside a body is kept by who reads it.
        slowest = max(patience.first_byte, patience.between)
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=patience.connect, sock_read=slowest)

    async def __call__(self, call: Call) -> Reply:
        began = self.clock()
        replayable = isinstance(call.body, bytes)
        last = self.retries.times if replayable else 0
        attempt = 0
        while True:
            call.trace.attempts += 1
            wait: float | None
            try:
                response = await self._send(call)
            except UpstreamError as error:
                if attempt == last or error.status == 504:
                    raise
                wait = self._backoff(attempt)
            else:
                wait = self._wait(response, attempt) if attempt < last else None
                if wait is None:
                    call.trace.upstream_status = response.status
                    return await self._reply(call, response, began)
                response.close()
            await self.sleep(wait)
            attempt += 1

    async def _send(self, call: Call) -> aiohttp.ClientResponse:
        headers, unset = self._headers(call)
        try:
            return await self.session.request(
                call.method,
                self._url(call.target),
                data=call.body or None,
                headers=headers,
                allow_redirects=False,
                auto_decompress=call.dialect is not None,
                skip_auto_headers=unset,
                timeout=self._timeout,
            )
        except aiohttp.ConnectionTimeoutError as error:
            raise UpstreamError("the upstream did not accept the connection in time") from error
        except TimeoutError as error:
            raise UpstreamError("the upstream did not answer in time", status=504, code="upstream_timeout") from error
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error.__cause__, Refused):
                raise error.__cause__ from None  # the client's own body, read on the way, was too large or broke off
            raise UpstreamError(f"the upstream could not be reached ({type(error).__name__})") from error

    def _url(self, target: str) -> URL:
        url = self._urls.get(target)
        if url is None:
            # Taken as encoded: what the client sent is what the provider sees.
            url = URL(self.base_url + target, encoded=True)
            if len(self._urls) < REMEMBERED:
                self._urls[target] = url
        return url

    def _headers(self, call: Call) -> Outgoing:
        if not isinstance(call.body, bytes):
            headers, unset = self._filtered(call)
            length = call.headers.get("Content-Length")
            return Outgoing([*headers, ("Content-Length", length)] if length else headers, unset)
        if not call.lines:
            return self._filtered(call)
        known = (call.lines, call.dialect is not None)
        outgoing = self._outgoing.get(known)
        if outgoing is None:
            if len(self._outgoing) >= REMEMBERED:
                self._outgoing.clear()
            outgoing = self._outgoing[known] = self._filtered(call)
        return outgoing

    def _filtered(self, call: Call) -> Outgoing:
        dropped = NOT_SENT | named_by_connection(call.headers)
        if call.dialect is not None:
            dropped = dropped | {"accept-encoding", "cache-tags"}  # the tags are for us
        # One spelling for each name: of two lines that differ in letter case aiohttp would send the second only.
        spelled: dict[str, str] = {}
        kept = [
            (spelled.setdefault(low, name), value)
            for name, value in call.headers.items()
            if (low := name.lower()) not in dropped and not low.startswith("x-warmgate-")
        ]
        if call.dialect is not None:
            # An answer that is read here and may be replayed to another client must not depend on this one's codings.
            kept.append(("Accept-Encoding", "identity"))
        kept = dressed(kept, self.dress)
        sent = {name.lower() for name, _ in kept}
        return Outgoing(kept, tuple(name for name in ADDED if name.lower() not in sent))

    def _wait(self, response: aiohttp.ClientResponse, attempt: int) -> float | None:
        """Seconds until the next attempt; None where this answer is the client's."""
        if response.status not in RETRIED or response.headers.get("x-should-retry") == "false":
            return None
        asked = retry_after(response.headers, self.wall)
        wait = self._backoff(attempt) if asked is None else asked
        return wait if wait <= self.retries.longest else None

    def _backoff(self, attempt: int) -> float:
        return float(self.retries.base * 2**attempt * (0.75 + 0.5 * self.chance()))

    async def _reply(self, call: Call, response: aiohttp.ClientResponse, began: float) -> Reply:
        trace, clock = call.trace, self.clock
        call.trace.upstream_seconds = clock() - began
        headers = end_to_end(response.headers, decoded=call.dialect is not None)
        between = self.patience.between
        if call.dialect is None:
            chunks = Chunks(response, between, on_end=lambda: _spent(trace, clock, began))
            return Reply(response.status, headers, "upstream", Form.BYTES, chunks)
        kind = response.content_type
        if kind == "text/event-stream" and response.status < 300:
            answer = Answer(call.dialect, frames=[])
            events = Events(response, call.dialect, answer, between, on_end=lambda: _spent(trace, clock, began))
            return Reply(response.status, headers, "upstream", Form.EVENTS, events, answer=answer)
        body = await read_all(response, between)
        _spent(trace, clock, began)
        answer = Answer(call.dialect, body=body)
        try:
            answer.message()
        except Unfoldable:
            return _unreadable(call, response, headers, kind)
        return Reply.whole(response.status, headers, body, source="upstream", answer=answer)


def _spent(trace: Trace, clock: Clock, began: float) -> None:
    trace.upstream_seconds = clock() - began


def _unreadable(call: Call, response: aiohttp.ClientResponse, headers: Headers, kind: str) -> Reply:
    """What to say of an answer that is no JSON object: an HTML page of a gateway, most often."""
    assert call.dialect is not None
    status = response.status if response.status >= 400 else 502
    told = f"the upstream answered {response.status} with {kind or 'no content type'} that is no JSON object"
    call.trace.error = "upstream_unreadable"
    body = call.dialect.error(told, kind="api_error", code="upstream_unreadable")
    kept = tuple((k, v) for k, v in headers if k.lower() not in {"content-type", "content-length"})
    return Reply.whole(status, (*kept, ("Content-Type", "application/json")), body, source="upstream")


def named_by_connection(headers: Mapping[str, str]) -> frozenset[str]:
    """The header names that `Connection` declares to be hop-by-hop."""
    value = headers.get("Connection")
    if not value or value.lower() in {"keep-alive", "close"}:
        return frozenset()
    return frozenset(part.strip().lower() for part in value.split(","))


def end_to_end(headers: Mapping[str, str], *, decoded: bool) -> Headers:
    """Response headers that may leave on another connection; `decoded` where the body's coding was undone here."""
    dropped = HOP_BY_HOP | named_by_connection(headers)
    if decoded:
        dropped = dropped | {"content-length", "content-encoding"}
    # `str`: the names are of a subclass that only aiohttp knows, and these go to disk.
    return tuple([(str(name), value) for name, value in headers.items() if name.lower() not in dropped])


def retry_after(headers: Mapping[str, str], wall: Clock) -> float | None:
    """Seconds asked for by `retry-after-ms` or `Retry-After` (a number or an HTTP date, RFC 9110 §10.2.3)."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "")
        try:
            return max(0.0, float(value) * unit)
        except ValueError:
            pass
    try:
        return max(0.0, parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - wall())
    except ValueError:
        return None
