"""Declared fan-outs: requests that belong together by their client's word wait for one another before any is sent.

A group is complete when as many have come as were announced, or when none has come for a while. Then the prefix that
all of them share is warmed once, and all are released at the same moment. What the client says is not relied upon: a
group that never completes goes as it is, and one whose members share nothing as if nobody had declared anything.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from adapters.prompt import Prompt
from adapters.tasks import Tasks
from adapters.vocabulary import Clock, Sleep
from warming.plan import Shared
from warming.request import Request
from warming.waits import Waits

REMEMBERED = 1024
"""Groups that were released, so that a latecomer is not held for a group that has gone."""

LATE = 5.0
"""Seconds behind its release in which a request of that name is a latecomer; later it begins a new fan-out, for clients
give all of theirs one name."""

Release = Callable[[Sequence[Request]], Awaitable[Shared]]
"""Warms what the members share, and says what that is."""


@dataclass(slots=True, eq=False)
class Group:
    n: int
    members: list[Request] = field(default_factory=list)
    latest: float = 0.0
    shared: Shared | None = None
    """Set when it is released."""
    released: float = 0.0
    """When."""
    prompt: Prompt | None = None
    """Of one of them, once all have gone: a latecomer is known by it."""


class Groups:
    def __init__(
        self,
        release: Release,
        tasks: Tasks,
        *,
        gather: float,
        clock: Clock,
        sleep: Sleep,
        remembered: int = REMEMBERED,
    ) -> None:
        """`gather`: seconds to wait for the next member."""
        self._release, self._tasks, self._gather = release, tasks, gather
        self._clock, self._remembered = clock, remembered
        self._waits = Waits(tasks, sleep)
        self._open: dict[str, Group] = {}
        self._gone: OrderedDict[str, Group] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    async def join(self, name: str, n: int, request: Request, patience: float) -> Shared:
        """The shared prefix, once the group is released; `why` says so where patience ended first (`deadline`)."""
        gone = self._gone.get(name)
        if gone is not None and gone.shared is not None and self._clock() - gone.released <= LATE:
            return gone.shared if _agrees(request, gone) else Shared(-1, 0, "came late")
        group = self._open.get(name)
        if group is None:
            group = self._open[name] = Group(n)
            self._tasks.spawn(self._gathered(name, group))
        group.members.append(request)
        group.n = max(group.n, n)
        group.latest = self._clock()
        if len(group.members) >= group.n:
            self._waits.over((group, "complete"))
        if group.shared is None and not await self._waits.until((group, "released"), patience):
            return Shared(-1, 0, "deadline")
        return group.shared or Shared(-1, 0, "deadline")

    async def _gathered(self, name: str, group: Group) -> None:
        while len(group.members) < group.n:
            left = group.latest + self._gather - self._clock()
            if left <= 0 or await self._waits.until((group, "complete"), left):
                break
        del self._open[name]
        self._gone[name] = group
        while len(self._gone) > self._remembered:
            self._gone.popitem(last=False)
        try:
            group.shared = await self._release(group.members)
        finally:
            group.shared = group.shared or Shared(-1, 0, "failed")
            group.released = self._clock()
            group.prompt = group.members[0].prompt
            group.members.clear()  # with their bodies
            self._waits.over((group, "released"))


def _agrees(request: Request, group: Group) -> bool:
    """Whether a latecomer shares what the others do."""
    at = group.shared.at if group.shared is not None else -1
    return at >= 0 and group.prompt is not None and group.prompt.shares(request.prompt) > at
