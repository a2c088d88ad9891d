"""When recorded requests arrive in a replay: as they were recorded, or the sessions of one task all at once.

Requests with a time arrive at it, whatever became of those before them. Requests without one follow the end of the
answer before them, `THINK` seconds later; sessions of such requests run one after the other (or one task after the
other, its sessions side by side), behind everything that has a time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from proxy.replay_facts import Fact, Survey
from proxy.replay_points import before_last

ARRIVALS = ("recorded", "together")

THINK = 5.0
"""Seconds between an answer and the next request, where nobody recorded them. An assumption: it only has to be far from
the life of a cache entry."""

_trial = re.compile(r"^(.+?)[-_./:#](?:r|run|rep|repeat|trial|sample|attempt|try|seed)[-_]?\d+$", re.IGNORECASE)
"""A name that says which trial of a task it is: `airline-t00-r3`, `task7/trial-2`."""


class Arrivals(NamedTuple):
    timed: list[tuple[float, int]]
    """Seconds, and the index of the fact."""
    waves: list[list[list[int]]]
    """Of what has no time: groups of sessions of facts. The sessions of a group run side by side."""
    starts: dict[int, int]
    """Facts that are known to start together with others: index of the fact to number of the group."""


def arrivals_of(found: Survey, together: bool) -> Arrivals:
    """`together`: sessions of one task start when the first of them did; their later requests keep their distance."""
    sessions: dict[int, list[int]] = {}
    for index, fact in enumerate(found.facts):
        sessions.setdefault(fact.session, []).append(index)
    groups = _groups(found, sessions) if together else [[number] for number in sessions]
    timed: list[tuple[float, int]] = []
    waves: list[list[list[int]]] = []
    starts: dict[int, int] = {}
    for number, group in enumerate(groups):
        begins = {session: _begin(found.facts, sessions[session]) for session in group}
        first = min((begin for begin in begins.values() if begin is not None), default=0.0)
        lanes = []
        for session in group:
            shift = first - (begins[session] or 0.0)
            for index in sessions[session]:
                ts = found.facts[index].ts
                if ts is not None:
                    timed.append((ts + shift, index))
            if untimed := [index for index in sessions[session] if found.facts[index].ts is None]:
                lanes.append(untimed)
        if lanes:
            waves.append(lanes)
        if len(group) > 1:
            starts |= {sessions[session][0]: number for session in group}
    timed.sort(key=_when)
    return Arrivals(timed, waves, starts)


def _when(item: tuple[float, int]) -> float:
    return item[0]


def _begin(facts: Sequence[Fact], session: Sequence[int]) -> float | None:
    return next((ts for index in session if (ts := facts[index].ts) is not None), None)


def _groups(found: Survey, sessions: dict[int, list[int]]) -> list[list[int]]:
    """Sessions of one task: by their names where these tell trials apart, else by their first requests, if these are
    equal up to the last message."""
    groups: dict[object, list[int]] = {}
    for number, indices in sessions.items():
        named = _trial.match(found.sessions[number])
        start = before_last(found.facts[indices[0]].points)
        key: object = number
        if named:
            key = named[1]
        elif start is not None and start.tokens:
            key = start.digest
        groups.setdefault(key, []).append(number)
    return list(groups.values())
