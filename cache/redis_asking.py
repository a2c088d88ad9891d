"""What is asked of a Redis, whatever library talks to it, and what it says where that does not work.

Nothing here needs the library: `cache.redis_client` alone does, and is imported where a Redis is configured.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from hashlib import sha1
from typing import Any, NamedTuple, Protocol

from cache.level import Valid, always

Part = bytes | str | int
Words = tuple[Part, ...]
"""A command and its arguments."""


class Unavailable(Exception):
    """Redis did not answer in time, can't be reached, or is left alone for a while. Says why; holds no credentials."""


class Refused(Exception):
    """Redis answered, and said no. The connection is sound."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        """`full` (out of memory), `denied` (not permitted), `type` (something else has that name), `error`."""


class Overtaken(Exception):
    """What was about to be sent is not valid any more, and was not sent."""


class Script:
    """A program in Lua that the server keeps by its hash, and is sent once. It runs as a whole or not at all, and
    touches only names of one cluster slot, of which the first key tells which one it is."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = sha1(text.encode(), usedforsecurity=False).hexdigest()

    def of(self, keys: Sequence[str], *values: Part) -> Run:
        return Run(self, tuple(keys), values)


class Run(NamedTuple):
    """One run of a script."""

    script: Script
    keys: tuple[str, ...]
    values: Words

    def by_hash(self) -> Words:
        return ("EVALSHA", self.script.sha, len(self.keys), *self.keys, *self.values)

    def by_text(self) -> Words:
        return ("EVAL", self.script.text, len(self.keys), *self.keys, *self.values)


Command = Words | Run


def length(commands: Sequence[Command]) -> int:
    """About how many bytes they are."""
    words = (part for each in commands for part in (each.values if isinstance(each, Run) else each))
    return sum(len(part) for part in words if isinstance(part, bytes | str))


class Message(NamedTuple):
    """One message of a stream."""

    stream: str
    id: str
    fields: Mapping[bytes, bytes]


class Client(Protocol):
    """One Redis, or one cluster, with one breaker for all who use it. Every method but `listen` answers within the
    timeout, and at once while the breaker is open; each raises `Unavailable`."""

    cluster: bool
    timeout: float
    """Seconds that one round trip may take."""

    @property
    def up(self) -> bool:
        """Known at once: False while the breaker is open. Asking is what has a closed-again breaker tried for."""

    @property
    def why(self) -> str:
        """What opened the breaker."""

    async def open(self) -> None:
        """Connects. Where that does not work it says so in the log, and is tried again later."""

    async def close(self) -> None: ...

    async def ask(self, command: Command, valid: Valid = always) -> Any:
        """The answer, its texts as bytes. `valid` is asked when all that is left is to send it; raises `Overtaken`
        where that is False, and `Refused`."""

    async def ask_all(self, commands: Sequence[Command]) -> list[Any]:
        """The answers to all, in one round trip (in a cluster one per node, at the same time); a `Refused` stands in
        the place of its answer."""

    async def everywhere(self, *words: Part) -> list[Any]:
        """The answers of all nodes that hold data. Raises `Refused`."""

    def scan(self, pattern: str) -> AsyncIterator[list[bytes]]:
        """Names that match, some at a time, of all nodes. Each that is there all the while comes at least once. May
        raise `Refused`."""

    async def listen(self, places: Mapping[str, str], seconds: float) -> list[Message]:
        """What came into streams behind these ids, in order; waits for it, at most so long, on a connection of its
        own. Streams of one cluster slot only. May raise `Refused`; does not touch the breaker."""

    def stats(self) -> dict[str, int]:
        """`errors`, `errors_KIND` for each kind that there was, `skipped` (not asked because the breaker was open),
        `openings` of the breaker."""
