"""The connection to a Redis or a cluster of them: bounded in time and in connections, behind one breaker.

The only module, with `cache.redis_faults`, that needs the library `redis`, an extra. What is chosen on purpose:

* RESP2: with RESP3 the library shakes hands twice per connection, and lets the server push what nobody here wants.
* No retries and no timeouts of the library (ten by default, each with its own): one deadline around the whole of a
  request. It is asked once more where its connection ends before the answer comes, so it may be done twice.
* A request that is cancelled, by its caller or by the deadline, has its connection closed: its answer may still come.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

try:
    from redis.asyncio import Redis, RedisCluster
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import NoScriptError
except ImportError as error:
    raise ImportError(f"a Redis needs the library for it ({error}): pip install 'warmgate[redis]'") from error

from adapters.tasks import Tasks
from adapters.vocabulary import Clock
from cache.level import Valid, always
from cache.redis_address import server_of
from cache.redis_asking import Command, Message, Overtaken, Part, Refused, Run, Unavailable, length
from cache.redis_breaker import Breaker
from cache.redis_faults import FAULTS, fault_of, said

log = logging.getLogger("warmgate.cache")

BYTES_PER_SECOND = 16 * 1024 * 1024
"""Long requests get that much more time: a large value over a slow line is no sign of a dead server."""

AT_ONCE = 256
"""Commands per round trip."""

STALLED = 0.25
"""Parts of a timeout by which one that comes later says that this process stood still, and nothing of the server."""


def connect(
    url: str,
    *,
    tasks: Tasks,
    clock: Clock,
    timeout: float = 0.25,
    retry_after: float = 5.0,
    cluster: bool = False,
    connections: int = 16,
) -> Connected:
    """`url`: `redis://`, `rediss://` (TLS) or `unix://`, with user, password and database as usual. `clock`: monotonic.
    `connections`: requests that are under way at the same time, others wait. Raises `ValueError` for an address that
    can't be one. Nothing is asked of the server before `open`."""
    where = server_of(url, cluster=cluster)
    choices = {
        "protocol": 2,
        "socket_timeout": None,
        "socket_connect_timeout": timeout,
        "driver_info": None,
        "decode_responses": False,
        "health_check_interval": 0,
        "retry": Retry(NoBackoff(), 0),
        "max_connections": 2 * connections,
    }
    kind: Callable[..., Any] = RedisCluster.from_url if cluster else Redis.from_url
    breaker = Breaker(f"Redis at {where}", clock, retry_after)
    asking, listening = kind(url, **choices), kind(url, **choices)
    return Connected(asking, listening, breaker, tasks, timeout=timeout, cluster=cluster, connections=connections)


class Connected:
    """A `cache.redis_asking.Client`."""

    def __init__(
        self,
        redis: Any,
        listening: Any,
        breaker: Breaker,
        tasks: Tasks,
        timeout: float,
        cluster: bool,
        connections: int,
    ) -> None:
        self.cluster, self.timeout = cluster, timeout
        self.errors: Counter[str] = Counter()
        self._redis, self._listening, self._breaker, self._tasks = redis, listening, breaker, tasks
        self._slots = asyncio.Semaphore(connections)
        self._skipped = 0
        self._told: set[str] = set()

    @property
    def up(self) -> bool:
        if self._breaker.closed:
            return True
        if self._breaker.due():
            self._tasks.spawn(self._probe())
        return False

    @property
    def why(self) -> str:
        return self._breaker.why

    @property
    def unhurried(self) -> float:
        """Seconds for what no request waits for; to find out about a cluster takes several round trips."""
        return max(2.0, 4 * self.timeout)

    async def open(self) -> None:
        await self._probe()

    async def close(self) -> None:
        for redis in (self._redis, self._listening):
            try:
                async with asyncio.timeout(self.unhurried):
                    await redis.aclose()
                    if self.cluster:  # it closes nothing where it was about to ask anew who is in the cluster
                        await redis.nodes_manager.aclose("nodes_cache")
                        await redis.nodes_manager.aclose("startup_nodes")
            except FAULTS as error:  # it is closed all the same
                log.debug("closing a connection to Redis: %s", error)

    async def _probe(self) -> None:
        """Whether it answers, on a new connection; the end of a half-open breaker, whatever happens."""
        why = "the probe was cancelled"
        try:
            async with asyncio.timeout(self.unhurried):
                await self._anew()
                await self._redis.execute_command("PING")
            why = ""
        except FAULTS as error:
            kind = fault_of(error).kind
            self.errors[kind] += 1
            why = said(kind, error)
        finally:
            if why:
                self._breaker.failed(why)
            else:
                self._breaker.worked()

    async def ask(self, command: Command, valid: Valid = always) -> Any:
        async def one() -> Any:
            if not isinstance(command, Run):
                return await self._redis.execute_command(*command)
            try:
                return await self._redis.execute_command(*command.by_hash())
            except NoScriptError:
                return await self._redis.execute_command(*command.by_text())

        return await self._within(self.timeout + length([command]) / BYTES_PER_SECOND, one, valid)

    async def ask_all(self, commands: Sequence[Command]) -> list[Any]:
        answers: list[Any] = []
        for start in range(0, len(commands), AT_ONCE):
            answers += await self._together(commands[start : start + AT_ONCE])
        return answers

    async def _together(self, commands: Sequence[Command]) -> list[Any]:
        async def all_of(words: list[tuple[Part, ...]]) -> list[Any]:
            pipeline = self._redis.pipeline(transaction=False)
            for each in words:
                pipeline.execute_command(*each)
            answers = await pipeline.execute(raise_on_error=False)
            for answer in answers:
                if isinstance(answer, FAULTS) and fault_of(answer).opens:
                    raise answer
            return cast(list[Any], answers)

        async def whole() -> list[Any]:
            answers = await all_of([each.by_hash() if isinstance(each, Run) else each for each in commands])
            unknown = {
                at: each.by_text()
                for at, each in enumerate(commands)
                if isinstance(each, Run) and isinstance(answers[at], NoScriptError)
            }
            if unknown:
                for at, answer in zip(unknown, await all_of(list(unknown.values())), strict=True):
                    answers[at] = answer
            return answers

        answers = await self._within(self.timeout + length(commands) / BYTES_PER_SECOND, whole)
        return [self._refusal(answer) if isinstance(answer, FAULTS) else answer for answer in answers]

    async def everywhere(self, *words: Part) -> list[Any]:
        return [await self._of(node, *words) for node in await self._primaries()]

    async def scan(self, pattern: str) -> AsyncIterator[list[bytes]]:
        for node in await self._primaries():
            cursor = 0
            while True:
                found, names = await self._of(node, "SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
                # Of a cluster the library gives one cursor per node that it asked.
                cursor = int(next(iter(found.values()))) if isinstance(found, dict) else int(found)
                if names:
                    yield names
                if not cursor:
                    break

    async def _primaries(self) -> list[Any]:
        if not self.cluster:
            return [None]
        await self._within(self.unhurried, self._redis.initialize)
        return list(self._redis.get_primaries())

    async def _of(self, node: Any, *words: Part) -> Any:
        to = {} if node is None else {"target_nodes": node}
        return await self._within(self.timeout, lambda: self._redis.execute_command(*words, **to))

    async def listen(self, places: Mapping[str, str], seconds: float) -> list[Message]:
        words = ("XREAD", "COUNT", 100, "BLOCK", max(1, int(seconds * 1000)), "STREAMS", *places, *places.values())
        to: dict[str, Any] = {}
        try:
            async with asyncio.timeout(seconds + self.unhurried):
                if self.cluster:
                    await self._listening.initialize()
                    to = {"target_nodes": self._listening.get_node_from_key(next(iter(places)))}
                answer = await self._listening.execute_command(*words, **to)
        except FAULTS as error:
            raise self._down(error, touches=False) from error
        return [
            Message(stream.decode(), id.decode(), fields or {})
            for stream, messages in answer or []
            for id, fields in messages
        ]

    async def _within(self, seconds: float, work: Callable[[], Awaitable[Any]], valid: Valid = always) -> Any:
        self._ready()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                await self._slots.acquire()
        except TimeoutError:
            self.errors["crowded"] += 1
            raise Unavailable("too many requests to Redis are under way") from None
        try:
            self._ready()  # it may have failed others while this one waited for its turn
            until = loop.time() + seconds
            async with asyncio.timeout_at(until):
                return await self._tried(work, valid)
        except FAULTS as error:
            if isinstance(error, TimeoutError) and loop.time() - until > seconds * STALLED:
                self.errors["stalled"] += 1
                raise Unavailable("this process was too busy to hear the answer") from error
            raise self._down(error) from error
        finally:
            self._slots.release()

    async def _tried(self, work: Callable[[], Awaitable[Any]], valid: Valid) -> Any:
        """Once; where its connection was closed, as idle ones are by restarts and by what stands between, once more on
        a new one, within the same time."""
        if not valid():
            raise Overtaken
        try:
            return await work()
        except FAULTS as error:
            if fault_of(error).kind != "connection":
                raise
        await self._anew()
        if not valid():
            raise Overtaken
        return await work()

    async def _anew(self) -> None:
        """Gives up idle connections. (A cluster does so itself.)"""
        if not self.cluster:
            await self._redis.connection_pool.disconnect(inuse_connections=False)

    def _ready(self) -> None:
        if not self.up:
            self._skipped += 1
            raise Unavailable(self._breaker.why)

    def _down(self, error: BaseException, *, touches: bool = True) -> Exception:
        """What to raise for a failure; the breaker is told of it."""
        fault = fault_of(error)
        if not fault.opens:
            return self._refusal(error)
        self.errors[fault.kind] += 1
        why = said(fault.kind, error)
        if touches:
            self._breaker.failed(why)
        return Unavailable(why)

    def _refusal(self, error: BaseException) -> Refused:
        kind = fault_of(error).kind
        self.errors[kind] += 1
        if kind not in self._told:
            self._told.add(kind)
            log.warning("Redis refuses (%s): %s (said once)", kind, error)
        return Refused(kind, said(kind, error))

    def stats(self) -> dict[str, int]:
        kinds = {f"errors_{kind}": count for kind, count in sorted(self.errors.items())}
        openings = self._breaker.openings
        return {"errors": self.errors.total(), **kinds, "skipped": self._skipped, "openings": openings}
