"""Recorded requests, one shape for all formats, and the readers that make them from the lines of a file.

A reader takes one decoded line and gives the requests it holds; it raises `BadLine` for a line it cannot read. Readers
that need what came before (deltas, growing conversations, traces) find it in the `History` of their file.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from typing import Any

import msgspec

from adapters.chain import Blocks
from adapters.prompt import Point
from adapters.usage import Usage, count
from proxy.recorded_usage import usage_of

OPEN_SESSIONS = 2000
"""Sessions whose messages are held while a file is read. The recorder holds 1,000: it never continues one that was
dropped here."""

LONGEST_PROMPT = 10**8
"""Tokens. A trace that claims more is damaged, and would fill the memory."""

MOONCAKE_BLOCK = 512

FINISHES = {
    "toolUse": "tool_calls",
    "tool_use": "tool_calls",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "completed": "stop",
}
"""Finish reasons of other clients and providers, in OpenAI's words."""


class BadLine(Exception):
    """This line holds no request that can be read; the message says why."""


class Response(msgspec.Struct, frozen=True):
    """The recorded answer. `message` is None in a trace, which has the length of an answer and not its words."""

    message: dict[str, Any] | None
    finish_reason: str = ""


@dataclass(slots=True)
class Recorded:
    """One recorded request. Times are seconds (of the epoch, or since the start of a trace)."""

    session: str
    seq: int
    ts: float | None
    model: str
    body: dict[str, Any] | None = None
    """The request as it was sent, with all its messages; requests of one session share the message objects. None where
    only its shape was recorded."""
    identity: bytes | None = None
    """Of a trace: equal for equal requests. None where that cannot be known (such a request is never a hit)."""
    links: list[Point] | None = None
    """Of a trace: its prefix chain."""
    static: int = 0
    """Of a trace: tokens of tools and system prompt, where they are told."""
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    usage: Usage | None = None
    response: Response | None = None
    tenant: str = ""
    dollars: float | None = None
    """What the recording itself says this request cost."""
    route: str = "chat"
    """Which API it was: `chat`, `messages` (Anthropic's) or `responses`."""


@dataclass(slots=True)
class Session:
    messages: list[dict[str, Any]] = field(default_factory=list)
    params: dict[str, Any] = field(default_factory=dict)
    seq: int = -1


@dataclass(slots=True)
class History:
    """What the lines of one file have said so far; the least recently continued sessions are dropped."""

    name: str
    line: int = 0
    sessions: OrderedDict[str, Session] = field(default_factory=OrderedDict)

    def session(self, name: str) -> Session:
        session = self.sessions.get(name)
        if session is None:
            session = self.sessions[name] = Session()
            if len(self.sessions) > OPEN_SESSIONS:
                self.sessions.popitem(last=False)
        self.sessions.move_to_end(name)
        return session


def read(line: Any, history: History) -> Iterator[Recorded]:
    """The requests of one decoded line, whichever of the formats it is in."""
    if isinstance(line, dict):
        for marks, reader in READERS:
            if all(isinstance(line.get(name), kind) for name, kind in marks.items()):
                return reader(line, history)
    raise BadLine("no recorded request: its members are of no format known here")


def _session_line(line: Mapping[str, Any], history: History) -> Iterator[Recorded]:
    request = line["request"]
    name = line.get("session")
    if not isinstance(name, str):
        raise BadLine("`session` is not a string")
    seq = line.get("seq")
    if "messages" in request:
        body = _full(request, history.session(name))
    elif "keep" in request or "append" in request:
        body = _delta(request, history.session(name), seq)
    else:
        raise BadLine("the request has neither `messages` nor `keep` and `append`")
    session = history.session(name)
    session.seq = seq if type(seq) is int else session.seq + 1
    response = _response(line.get("response"))
    raw, route = line.get("usage"), line.get("route", "chat")
    if route == "responses":
        items = body.pop("messages")
        body.setdefault("input", items)
    yield Recorded(
        session=name,
        seq=session.seq,
        ts=_seconds(line.get("ts")),
        model=_text(body.get("model")),
        body=body,
        usage=usage_of(raw),
        response=response,
        tenant=_text(line.get("tenant")),
        dollars=_dollars(line.get("response"), raw),
        route=route if isinstance(route, str) else "",
    )


def _full(request: dict[str, Any], session: Session) -> dict[str, Any]:
    messages = _messages(request["messages"])
    # Equal messages and tools become one object: what is known of one is then found again by its identity.
    if "tools" in request and "tools" in session.params and _same(request["tools"], session.params["tools"]):
        request["tools"] = session.params["tools"]
    shared = 0
    while shared < min(len(messages), len(session.messages)) and _same(messages[shared], session.messages[shared]):
        messages[shared] = session.messages[shared]
        shared += 1
    session.messages = messages
    session.params = {name: value for name, value in request.items() if name != "messages"}
    return {**request, "messages": messages}


def _same(a: Any, b: Any) -> bool:
    """Equal in JSON: to Python 1, 1.0 and true are one value, to a key they are three."""
    return bool(a == b) and msgspec.json.encode(a) == msgspec.json.encode(b)


def _delta(request: dict[str, Any], session: Session, seq: Any) -> dict[str, Any]:
    keep = request.get("keep", 0)
    append = _messages(request.get("append", []))
    if type(keep) is not int or keep < 0:
        raise BadLine("`keep` is not a number of messages")
    if keep and type(seq) is int and seq > session.seq + 1:
        # The line in between would have changed what `keep` refers to.
        session.messages = []
        raise BadLine(f"request {seq} follows request {session.seq} of its session: what it builds on is missing")
    if keep > len(session.messages):
        raise BadLine(f"it keeps {keep} messages of a history of {len(session.messages)}")
    session.messages = session.messages[:keep] + append
    changed = {name: value for name, value in request.items() if name not in ("keep", "append")}
    session.params = {**session.params, **changed}
    return {**session.params, "messages": session.messages}


def _batch(line: Mapping[str, Any], history: History) -> Iterator[Recorded]:
    body = line["body"]
    if not isinstance(body.get("messages"), list):
        raise BadLine("the body of this batch request has no `messages`: only chat completions are replayed")
    name = line["custom_id"]
    yield Recorded(name, 0, None, _text(body.get("model")), body={**body, "messages": _messages(body["messages"])})


def _mooncake(line: Mapping[str, Any], history: History) -> Iterator[Recorded]:
    ids, prompt, output = line["hash_ids"], line["input_length"], line.get("output_length")
    if not all(type(block) is int and 0 <= block < 2**62 for block in ids):
        raise BadLine("`hash_ids` are not numbers of blocks")
    runs = [(block, 1) for block in ids]
    milliseconds = _seconds(line.get("timestamp"))
    yield _traced(
        Blocks(MOONCAKE_BLOCK),
        runs,
        block=MOONCAKE_BLOCK,
        scope=b"",
        session=f"{history.name}:{history.line}",
        seq=0,
        ts=None if milliseconds is None else milliseconds / 1000,
        model=_text(line.get("model")),
        lengths=(prompt, output),
        finish="stop",
    )


def _claude_code(line: Mapping[str, Any], history: History) -> Iterator[Recorded]:
    name = line.get("id")
    block = line.get("block_size", 64)
    if not isinstance(name, str) or type(block) is not int or block < 1:
        raise BadLine("`id` or `block_size` of this trace is no good")
    scope = name.encode() if line.get("hash_id_scope", "local") == "local" else b""
    # A sub-agent is a conversation of its own that starts at the time of its entry.
    agents: list[tuple[str, float, Any]] = [(name, 0.0, line["requests"])]
    told = sum(count(line, member) for member in ("tool_tokens", "system_tokens"))
    found: list[Recorded] = []
    while agents:
        session, start, requests = agents.pop()
        if not isinstance(requests, list):
            raise BadLine("`requests` is no list")
        chains: dict[str, Blocks] = {}
        for entry in requests:
            if not isinstance(entry, dict):
                raise BadLine("a request of this trace is no object")
            at = start + (_seconds(entry.get("t")) or 0.0)
            if "requests" in entry:
                agents.append((f"{session}/{_text(entry.get('agent_id')) or len(agents)}", at, entry["requests"]))
                continue
            model = _text(entry.get("model"))
            chain = chains.setdefault(model, Blocks(block, scope + b"\x00" + model.encode()))
            found.append(
                _traced(
                    chain,
                    _runs(entry.get("hash_rle")),
                    block=block,
                    scope=scope,
                    session=session,
                    seq=len(found),
                    ts=at,
                    model=model,
                    lengths=(entry.get("in"), entry.get("out")),
                    finish=_finish(entry.get("stop")),
                    static=told if session == name else 0,  # those of sub-agents are others
                )
            )
    yield from found


def _traced(
    chain: Blocks,
    runs: list[tuple[int, int]],
    *,
    block: int,
    scope: bytes,
    session: str,
    seq: int,
    ts: float | None,
    model: str,
    lengths: tuple[Any, Any],
    finish: str,
    static: int = 0,
) -> Recorded:
    prompt, output = lengths
    if not all(type(length) is int and 0 <= length <= LONGEST_PROMPT for length in lengths):
        raise BadLine("the lengths of prompt and answer are not numbers of tokens")
    blocks = sum(number for _, number in runs)
    if blocks * block >= prompt + block:
        raise BadLine(f"{blocks} blocks of {block} tokens are more than a prompt of {prompt}")
    # Where the last, partial block has no hash the prompt is not known to its end; the length of the answer then
    # counts as well, so that two requests are taken for one only if everything that is known of them agrees.
    known = (prompt,) if blocks * block >= prompt else (prompt, output)
    identity = hashlib.blake2b(repr((scope, model, known, runs)).encode(), digest_size=16).digest()
    return Recorded(
        session,
        seq,
        ts,
        model,
        identity=identity,
        links=chain.links(runs, prompt),
        static=static,
        prompt_tokens=prompt,
        output_tokens=output,
        response=Response(None, finish),
    )


def read_csv(line: str, history: History) -> Recorded:
    """A line of the Azure traces, `TIMESTAMP,ContextTokens,GeneratedTokens`: arrivals and lengths, no identity."""
    parts = line.strip().split(",")
    try:
        when, prompt, output = parts[0], int(parts[1]), int(parts[2])
        # Seven digits of a second, where Python reads six; the time is UTC (the trace's own description).
        at = datetime.fromisoformat(when[:26]).replace(tzinfo=UTC).timestamp()
    except (ValueError, IndexError, OverflowError) as error:
        raise BadLine("not a time and two numbers of tokens") from error
    if not (0 <= prompt <= LONGEST_PROMPT and 0 <= output <= LONGEST_PROMPT):
        raise BadLine("the lengths of prompt and answer are not numbers of tokens")
    session = f"{history.name}:{history.line}"
    return Recorded(session, 0, at, "", prompt_tokens=prompt, output_tokens=output, response=Response(None, "stop"))


READERS = (
    ({"request": dict}, _session_line),
    ({"custom_id": str, "body": dict}, _batch),
    ({"hash_ids": list, "input_length": int}, _mooncake),
    ({"id": str, "requests": list}, _claude_code),
)
"""Formats of JSON lines: the members that tell each, and its reader."""


def _messages(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(message, dict) for message in value):
        raise BadLine("its messages are not a list of objects")
    return list(value)


def _response(value: Any) -> Response | None:
    if not isinstance(value, dict) or not isinstance(value.get("message"), dict):
        return None
    return Response(value["message"], _finish(value.get("finish_reason")))


def _finish(value: Any) -> str:
    return FINISHES.get(value, value) if isinstance(value, str) else ""


def _runs(value: Any) -> list[tuple[int, int]]:
    runs = [tuple(run) for run in value if isinstance(run, list)] if isinstance(value, list) else None
    if runs is None or not all(len(run) == 2 and all(type(n) is int and 0 <= n < 2**62 for n in run) for run in runs):
        raise BadLine("`hash_rle` is not a list of [first id, count]")
    return runs


def _seconds(value: Any) -> float | None:
    return float(value) if type(value) in (int, float) and isfinite(value) else None


def _dollars(*places: Any) -> float | None:
    values = (_seconds(place.get("cost_usd")) for place in places if isinstance(place, Mapping))
    return next((value for value in values if value is not None), None)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
