"""What each conversation has cost so far: the sum of its requests, and of the calls made on its account.

A conversation is what the client calls one (`X-Session-Id`), or all requests of a tenant that begin alike, up to the
first thing the user said. Bounded: the least recently continued are forgotten, and begin anew if they go on.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from adapters.routing import conversation_of
from adapters.vocabulary import Call
from proxy.events import Event, Session

KEPT = 10_000
NAMED = "x-session-id"


class Conversations:
    """A sink in front of all others: it fills `event.session`."""

    def __init__(self, kept: int = KEPT) -> None:
        self.kept = kept
        self._open: OrderedDict[str, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def note(self, event: Event) -> None:
        """Only requests that cost something, or saved it, make a conversation known: others would cost it time."""
        call, trace = event.call, event.trace
        if call is None or not call.parsed or event.source not in ("upstream", "collapsed"):
            return
        name = name_of(call)
        session = self._open.pop(name, None) or Session(name)
        warming = trace.warming
        session.requests += 1
        session.dollars += trace.cost or 0.0
        if warming is not None:
            session.dollars += sum(extra.cost or 0.0 for extra in warming.extra)
            session.saved += warming.net or 0.0
        self._open[name] = session
        while len(self._open) > self.kept:
            self._open.popitem(last=False)
        event.session = session


def name_of(call: Call) -> str:
    """A hash: what a client calls its session may be the name of a person."""
    named = call.headers.get(NAMED, "")
    if named:
        return hashlib.blake2b(f"{call.tenant}\0{named}".encode("utf-8", "replace"), digest_size=8).hexdigest()
    return conversation_of(call)[:8].hex()
