"""One wide event per request, whatever happened to it. Metrics, logs and recordings are sinks of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adapters.vocabulary import Answer, Call, Nearness, Trace, Warming

log = logging.getLogger("warmgate.request")


@dataclass(slots=True)
class Session:
    """A conversation so far. Money in US dollars."""

    name: str
    requests: int = 0
    dollars: float = 0.0
    """What its requests cost, and the calls made on their account."""
    saved: float = 0.0
    """What warming saved it, net of those calls."""


@dataclass(slots=True)
class Event:
    """What the edge knows when a request is over. `seconds` is the whole time, `at` the wall clock when it ended."""

    at: float
    method: str
    route: str
    """A name from a bounded set: `chat`, `v1`, `ops`, `none`."""
    status: int
    """As sent; 499 where the client hung up first."""
    seconds: float
    source: str
    call: Call | None
    trace: Trace
    answer: Answer | None
    bytes_out: int
    session: Session | None = None


Sink = Callable[[Event], None]


def log_event(event: Event) -> None:
    """The request as one log record; its text never comes from the request's headers or messages."""
    if not log.isEnabledFor(logging.INFO):
        return
    call, trace = event.call, event.trace
    facts = {
        "method": event.method,
        "route": event.route,
        "status": event.status,
        "ms": round(event.seconds * 1000, 2),
        "source": event.source,
        "upstream": trace.upstream,
        "warnings": list(trace.warnings),
        "why": trace.why,
        "model": call.model[:200] if call else "",
        "tenant": call.tenant[:12] if call else "",
        "stream": call.stream if call else False,
        "key": call.key.hex()[:16] if call else "",
        "stored": trace.stored,
        "refused_to_store": trace.refused_to_store,
        "attempts": trace.attempts,
        "upstream_status": trace.upstream_status,
        "upstream_ms": None if trace.upstream_seconds is None else round(trace.upstream_seconds * 1000, 2),
        "first_frame_ms": None if trace.first_frame_seconds is None else round(trace.first_frame_seconds * 1000, 2),
        "usage": trace.usage._asdict() if trace.usage else None,
        "cost": trace.cost,
        "cost_by_class": {name: dollars for name, dollars in trace.costs._asdict().items() if dollars}
        if trace.costs is not None
        else None,
        "saved": trace.saved,
        "cost_without": None if trace.cost is None else trace.cost + (trace.saved or 0.0),
        "finish": trace.finish,
        "error": trace.error,
        "bytes_out": event.bytes_out,
        "warming": _warmed(trace.warming),
        "semantic": _looked(trace.nearness),
        "session": None if event.session is None else event.session.name,
        "session_cost": None if event.session is None else event.session.dollars,
    }
    log.info("%s %s %d %s", event.method, event.route, event.status, event.source, extra={"event": facts})


def _looked(nearness: Nearness | None) -> dict[str, Any] | None:
    """Without the reason in words: it may quote the question."""
    if nearness is None:
        return None
    return {
        "mode": nearness.mode,
        "outcome": nearness.outcome,
        "why": nearness.why.partition(":")[0],
        "entry": nearness.entry,
        "similarity": nearness.similarity,
        "score": nearness.score,
        "threshold": nearness.threshold,
        "ms": round(nearness.seconds * 1000, 2),
        "spent": nearness.spent,
    }


def _warmed(warming: Warming | None) -> dict[str, Any] | None:
    if warming is None:
        return None
    return {
        "role": warming.role,
        "why": warming.why,
        "group": warming.group[:64],
        "waited_ms": round(warming.waited * 1000, 2),
        "shared": warming.shared,
        "expected": warming.expected,
        "breakpoints": warming.marks,
        "saved": warming.saved,
        "net": warming.net,
        "fanout_net": warming.fanout_net,
        "tenant_net": warming.tenant_net,
        "pruned": warming.pruned,
        "proposed": warming.proposed,
        "calls": [
            {"kind": extra.kind, "cost": extra.cost, "ms": round(extra.seconds * 1000, 2), "failed": extra.failed}
            for extra in warming.extra
        ],
    }
