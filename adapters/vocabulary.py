"""The values that flow through the proxy, and the one seam they flow through.

Everything that can answer a request is a `Handler`: the upstream, each layer around it, the simulated provider, a fake
in a test, the whole proxy. A layer is a class with `__init__(inner, ...)` and `async __call__(call) -> Reply`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, NamedTuple, Protocol

import msgspec

from adapters.errors import Unfoldable
from adapters.prices import Costs
from adapters.question import Question
from adapters.sse import Frame
from adapters.usage import Usage

Clock = Callable[[], float]
"""Seconds. A wall clock where an age outlives the process, a monotonic one where a duration is measured."""

Sleep = Callable[[float], Awaitable[Any]]
Headers = tuple[tuple[str, str], ...]
"""Header lines as pairs, in the order and letter case they came in."""


Lines = tuple[tuple[bytes, bytes], ...]
"""Header lines as they came over the wire."""


class Form(Enum):
    """What the frames of a reply are."""

    WHOLE = "whole"
    """One frame, the JSON answer, already at hand."""
    EVENTS = "events"
    """Server-sent events of the call's dialect."""
    BYTES = "bytes"
    """Chunks of a body that nobody here reads: other routes, HTML error pages, audio."""


class Frames(Protocol):
    """An iterator of frames that ends normally only if the answer is complete, and can be closed at any time.

    Closing it releases whatever stands behind it, also when iteration was never begun.
    """

    def __aiter__(self) -> AsyncIterator[Frame]: ...
    async def __anext__(self) -> Frame: ...

    def ready(self) -> list[Frame]:
        """Frames that are at hand behind the one just given, taken, so that they can be written out together. May be
        empty although more is at hand: an upstream keeps back terminal and error events, at which layers may wait."""

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Controls:
    """What this one request asks of the cache: `Cache-Control` (RFC 9111 §5.2.1) or the `cache` object in the body."""

    no_cache: bool = False
    """Do not answer from memory; the new answer may be kept."""
    no_store: bool = False
    """Do not keep the answer."""
    only_if_cached: bool = False
    """Answer from memory or with 504."""
    max_age: float | None = None
    """Accept nothing older than this many seconds."""
    ttl: float | None = None
    """Keep the answer for this many seconds, at most the configured time."""
    namespace: str = ""
    """A partition of the tenant's own cache."""
    similarity: float | None = None
    """How similar an equivalent question has to be at least; within the bounds of the configuration."""
    exact: bool = False
    """Answer from memory with the answer to an identical request only."""
    tags: tuple[str, ...] = ()
    """What the answer is kept under beside its key, so that it can be invalidated by them."""
    stale_if_error: float | None = None
    """Where the provider fails, accept an answer that expired so many seconds ago; 0: none. At most as configured."""

    @property
    def shareable(self) -> bool:
        """Whether this call may share an answer that is on its way for another."""
        # Nor may one that asks for more than others did: the flight may end in the answer to an equivalent question.
        plain = self.similarity is None and not self.exact
        return plain and not (self.no_cache or self.no_store or self.only_if_cached)


PLAIN = Controls()


class Fanout(NamedTuple):
    """A declared fan-out: requests that share a prefix, and that belong together by the client's word."""

    group: str
    """Its name among the tenant's."""
    n: int
    """How many requests there are."""


class Warmup(NamedTuple):
    """Asks for a prefix to be warmed; the answer itself is not wanted."""

    keep: float = 0.0
    """Seconds that the prefix is to be kept warm; 0: as long as the provider keeps it."""
    dollars: float = 0.0
    """What keeping it may cost at most."""


class Extra(NamedTuple):
    """A call that nobody asked for, made on account of one request or of nobody."""

    kind: str
    """`warm` or `ping`."""
    usage: Usage | None
    cost: float | None
    """US dollars; None where the price or the usage is unknown."""
    seconds: float
    failed: str = ""
    """Why it did not help: `refused`, `timeout`, `not cached`, ...; empty where it did."""


@dataclass(slots=True)
class Warming:
    """What the warming of prompt caches did with one request. Tokens are estimates, times seconds, money US dollars."""

    role: str = ""
    """`leader`, `follower`, `warmed` (sent behind a warm call), `alone`."""
    why: str = ""
    """Why there was nothing to do, or how waiting ended: `below minimum`, `warm`, `content`, `deadline`, ..."""
    group: str = ""
    """The declared fan-out that this request belongs to."""
    waited: float = 0.0
    shared: int = 0
    """Tokens of the prefix that was waited for, led or warmed."""
    expected: int = 0
    """Tokens that were expected to be read."""
    marks: int = 0
    """Breakpoints that the proxy set."""
    saved: float | None = None
    """What plain forwarding would have cost more; negative where it would have cost less. Without `extra`."""
    extra: list[Extra] = field(default_factory=list)
    pruned: int = 0
    """Tokens that hooks took out of the prompt."""
    proposed: int = 0
    """Tokens that hooks would have taken out, in `observe` mode or held back."""
    expires: float | None = None
    """Seconds that a prefix warmed ahead of time is believed to live still."""
    fanout_net: float | None = None
    """What the declared fan-out has been worth so far, all its requests and the calls made for them together."""
    tenant_net: float | None = None
    """The same for the tenant, since the start of the process."""

    @property
    def net(self) -> float | None:
        """`saved` less what the calls in `extra` cost; None where nothing is known."""
        spent = [extra.cost for extra in self.extra if extra.cost is not None]
        return None if self.saved is None and not spent else (self.saved or 0.0) - sum(spent)


@dataclass(slots=True)
class Nearness:
    """What the semantic cache found out about one request. Times are in seconds, money in US dollars."""

    mode: str = ""
    """`shadow` or `on`."""
    outcome: str = ""
    """`hit`, `would hit`, `refused` (there was one near, and it was not good enough), `nothing near`, `exact only`,
    `failed`."""
    why: str = ""
    """Why it was refused, exact only, or failed: `numbers: 12 / 15`, `images`, `embedding: timeout`, ..."""
    entry: int = 0
    """The entry that was served, would have been, or was the nearest that was refused; 0: none."""
    similarity: float | None = None
    score: float | None = None
    """How likely the verifier takes that entry's answer to be right."""
    threshold: float | None = None
    """What the score, or where there is none the similarity, had to reach."""
    seconds: float = 0.0
    """That the request waited for it."""
    spent: float = 0.0
    """For embeddings, audits and judges, on account of this request."""


@dataclass(slots=True)
class Trace:
    """Facts about one request, noted by the layers and read once, by the edge, when it emits the event.

    Times are in seconds, money in US dollars (None where the price is unknown: never zero for want of a price).
    """

    source: str = ""
    """Who answered: `upstream`, `l1`, `l2`, `l3`, `semantic`, `collapsed`, `proxy` (a refusal of our own)."""
    why: str = ""
    """Why the cache did not answer, in RFC 9211's terms: `miss`, `request`, `bypass`; empty on a hit."""
    detail: str = ""
    age: float | None = None
    ttl: float | None = None
    """Of an answer from memory; negative where it is stale."""
    stored: bool = False
    refused_to_store: str = ""
    upstream_status: int | None = None
    upstream_seconds: float | None = None
    first_frame_seconds: float | None = None
    attempts: int = 0
    usage: Usage | None = None
    cost: float | None = None
    costs: Costs | None = None
    """The same by class of tokens, of what an upstream was asked for this request."""
    saved: float | None = None
    finish: str = ""
    error: str = ""
    modified_bytes: int = 0
    upstream: str = ""
    """The configured name of the upstream that answered."""
    warnings: tuple[str, ...] = ()
    """What of the request the provider never saw, or saw changed: `temperature: dropped`, ..."""
    warming: Warming | None = None
    """None where no warming was looked at."""
    nearness: Nearness | None = None
    """None where no equivalent question was looked for."""
    unknown_events: int = 0
    """Events of the upstream's stream that its dialect does not know."""


class Dialect(Protocol):
    """The pure functions of one wire format. Frames are those of its event stream, messages its whole JSON answers."""

    name: str
    events: frozenset[str]
    """Names of the events that its streams are known to have, of those that have names. Others pass as they are, and
    are counted: they are how a provider's next version announces itself."""

    def parse(self, raw: bytes) -> dict[str, Any]:
        """The request body; raises `Refused` (400, with `param`) where it is not one of this dialect."""

    def stateful(self, body: Mapping[str, Any]) -> str:
        """Why this request must reach the provider, whatever was answered before: it is to be kept there, goes on from
        something kept there, or has the provider act (`store`, `previous_response_id`, `server tools`). A short ASCII
        text; empty where the answer is a function of the request."""

    def question(self, body: Mapping[str, Any]) -> Question:
        """What the request asks last, and what it asks it in."""

    def wants_stream(self, body: Mapping[str, Any]) -> bool: ...

    def wants_usage(self, body: Mapping[str, Any]) -> bool:
        """Whether a streaming client asked for usage. Whole answers always carry it."""

    def fold(self, frames: Sequence[Frame]) -> dict[str, Any]:
        """The whole answer that a complete stream amounts to; raises `Unfoldable` where that would lose something."""

    def unfold(self, message: Mapping[str, Any], *, usage: bool) -> list[Frame]:
        """The stream that a whole answer would have come as, in several chunks, terminal event included."""

    def usage(self, message: Mapping[str, Any]) -> Usage | None:
        """Usage of a whole answer, or of one decoded event that carries it."""

    def stream_usage(self, frames: Sequence[Frame]) -> Usage | None:
        """The last usage that a stream reported (never a sum)."""

    def is_end(self, frame: Frame) -> bool: ...

    def is_error(self, frame: Frame) -> bool: ...

    def is_content(self, frame: Frame) -> bool:
        """Whether this event carries something that was generated: proof that the prompt has been read."""

    def is_usage_only(self, frame: Frame) -> bool:
        """Whether this event carries nothing but usage: the one that comes because it was asked for."""

    def objection(self, message: Mapping[str, Any]) -> str:
        """Why this answer may not be kept (`finish_reason length`, `no choices`, ...); empty where it may."""

    def frames_objection(self, frames: Sequence[Frame]) -> str:
        """The same for a complete stream that does not fold."""

    def finish(self, message: Mapping[str, Any]) -> str:
        """The finish reasons, joined by commas."""

    def plain_text(self, message: Mapping[str, Any]) -> str | None:
        """The text of a whole answer that is nothing but text: no tool calls, refusals, citations, images, several
        choices. None where there is more to it, or less: no word, or thoughts alone."""

    def error(self, message: str, *, kind: str, param: str | None = None, code: str | None = None) -> bytes:
        """The JSON body of an error."""

    def error_frame(self, message: str, *, kind: str, code: str | None = None) -> Frame:
        """The event that ends a stream which can't be completed; no terminal event follows it."""


class Answer:
    """What an upstream said, as it came, folded at most once however many layers ask."""

    LIMIT = 64 * 1024 * 1024
    """Bytes of frames that are put down; a longer answer is passed on and forgotten."""

    __slots__ = ("_body", "_folded", "_message", "_size", "dialect", "frames", "lost", "streamed")

    def __init__(self, dialect: Dialect, *, body: bytes | None = None, frames: list[Frame] | None = None) -> None:
        self.dialect = dialect
        self.streamed = body is None
        self.frames: list[Frame] = frames if frames is not None else []
        self._body = body
        self._message: dict[str, Any] | None = None
        self._folded = False
        self._size = 0
        self.lost = False

    def add(self, frame: Frame) -> None:
        """Puts down one more frame of a stream."""
        self._size += len(frame.raw)
        self.frames.append(frame)
        if self._size > self.LIMIT:
            self.lost = True
            self.frames.clear()

    def message(self) -> dict[str, Any]:
        """The whole answer, decoded; raises `Unfoldable` where there is none without loss, or no JSON object."""
        if not self._folded:
            self._folded = True
            self._message = self._read()
        if self._message is None:
            raise Unfoldable("the answer is not one JSON object and does not fold into one")
        return self._message

    def _read(self) -> dict[str, Any] | None:
        if self.lost:
            return None
        try:
            if self._body is None:
                return self.dialect.fold(self.frames)
            decoded = msgspec.json.decode(self._body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, Unfoldable):
            return None
        return decoded if isinstance(decoded, dict) else None

    def body(self) -> bytes:
        """The whole answer as JSON: the very bytes that came, or the encoded fold of the stream."""
        if self._body is None:
            self._body = msgspec.json.encode(self.message())
        return self._body

    def usage(self) -> Usage | None:
        if self.streamed:
            return self.dialect.stream_usage(self.frames)
        try:
            return self.dialect.usage(self.message())
        except Unfoldable:
            return None


class OneFrame:
    """The frames of a whole reply."""

    __slots__ = ("_frame",)

    def __init__(self, raw: bytes) -> None:
        self._frame: Frame | None = Frame(raw)

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        frame, self._frame = self._frame, None
        if frame is None:
            raise StopAsyncIteration
        return frame

    def ready(self) -> list[Frame]:
        return []

    async def aclose(self) -> None:
        self._frame = None


@dataclass(slots=True)
class Reply:
    """An answer: status, headers and frames. `answer` is set where a dialect reads the body."""

    status: int
    headers: Headers
    source: str
    form: Form
    frames: Frames
    body: bytes | None = None
    """The body of a whole reply, so that nobody has to iterate for it."""
    answer: Answer | None = None

    @classmethod
    def whole(cls, status: int, headers: Headers, body: bytes, *, source: str, answer: Answer | None = None) -> Reply:
        return cls(status, headers, source, Form.WHOLE, OneFrame(body), body, answer)


class Sent(NamedTuple):
    """A request as it goes to a provider of another dialect than the client's."""

    target: str
    """Path below the base URL."""
    body: bytes
    parsed: dict[str, Any]
    warnings: tuple[str, ...] = ()
    """What was dropped or changed on the way, each a short ASCII text that begins with the parameter's name."""
    stateful: str = ""
    """What the provider's dialect says of it (`Dialect.stateful`): a client may have sent what only that one knows."""
    copies: int = 1
    """How often the provider has to be asked this, because it gives one answer where the client wants several. Where
    that is more than once, `parsed` has the client's `n`, which `body` has not: it counts in the key."""


class Way(NamedTuple):
    """One upstream that may answer a call, by its configured name, and what the call is there."""

    upstream: str
    model: str
    """The model's name there."""


class Route(NamedTuple):
    """Where a call goes: the first way, or the next ones in their order where nothing can be had from those before."""

    ways: tuple[Way, ...]
    mark: str = ""
    """Counts in the key: everything in the configuration that decides who answers, and what they are asked."""
    warming: str = ""
    """The strategy for its fan-outs (`leader`, `call`, `auto`, `off`); empty: as configured for all."""
    semantic: str = ""
    """Whether equivalent questions are answered (`off`, `shadow`, `on`); empty: as configured for all."""
    namespace: str = ""
    """What its answers are kept under; empty: as configured for all."""


NOWHERE = Route(())


@dataclass(slots=True)
class Call:
    """One request on its way through the onion.

    `body` holds the bytes as they were received (or an iterator of chunks on routes that nobody here reads); `parsed`
    is its decoded form where a dialect read it. `key` is filled by `cache.key.key_of` when first asked for.
    """

    method: str
    target: str
    """Path and query as received, without the mount point `/v1`."""
    headers: Mapping[str, str]
    """As received; looked up whatever the letter case."""
    body: bytes | AsyncIterator[bytes]
    dialect: Dialect | None = None
    parsed: dict[str, Any] = field(default_factory=dict)
    tenant: str = ""
    credential: str = ""
    """A keyed hash of the credential the client sent; what its acceptance by the provider is remembered by."""
    controls: Controls = PLAIN
    stream: bool = False
    wants_usage: bool = True
    """Whether the answer must carry usage: whole answers do, streams where the client asked for it."""
    trace: Trace = field(default_factory=Trace)
    key: bytes = b""
    lines: Lines = ()
    """The header lines without the body's length: what is derived from headers can be remembered by them. Empty where
    nothing is to be remembered."""
    digests: dict[object, bytes] = field(default_factory=dict)
    """Of the body, by what else went into them; shared by all calls with the same bytes."""
    route: Route = NOWHERE
    sent: Sent | None = None
    """What the first upstream of the route gets, where it is not what the client sent."""
    fanout: Fanout | None = None
    warmup: Warmup | None = None
    """Where there is one, the prefix of this call is warmed, and the reply tells so by its status alone."""

    @property
    def model(self) -> str:
        model = self.parsed.get("model")
        return model if isinstance(model, str) else ""

    def apart(self) -> Call:
        """The same call with a trace of its own: for a flight that serves several callers."""
        return replace(self, trace=Trace())


Handler = Callable[[Call], Awaitable[Reply]]
