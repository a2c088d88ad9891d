"""Where breakpoints go: as deep into a prompt as what is written there is expected to be read.

Rules (Anthropic's guide of 2026-08, OpenAI's of 2026-09, read 2026-11): at most four; an entry is written at each, and
billed once however many there are, so that a breakpoint in front of another costs nothing; each looks back over at most
20 positions for entries written earlier; entries that live longer stand before those that live shorter. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from adapters.prompt import Edge, Prompt
from adapters.prompt_entries import edge_at, mark_at
from warming.expectation import Kind
from warming.terms import Terms

Mark = tuple[int, str]
"""The index of a point, and the life asked for there."""


ENDS: tuple[Edge, ...] = ("tools", "system")


class Candidate(NamedTuple):
    at: int
    """Index of the point."""
    kind: Kind


def static_end(prompt: Prompt) -> int:
    """The index of the last point of tools and system prompt; -1 where there are none."""
    return max(_static(list(map(edge_at, prompt.points))), default=-1)


def _static(edges: list[Edge]) -> list[int]:
    """Where tools and system prompt end."""
    return [len(edges) - 1 - edges[::-1].index(edge) for edge in ENDS if edge in edges]


def family_of(prompt: Prompt) -> bytes:
    """What tells one application's traffic from another's: its static text."""
    at = static_end(prompt)
    return prompt.points[at].digest if at >= 0 else b""


def placed(
    prompt: Prompt,
    terms: Terms,
    found: Sequence[Candidate],
    warm: int,
    minimum: int,
    reads: Callable[[Kind], float],
    hopeless: Callable[[bytes], bool],
    *,
    shared: int,
) -> tuple[tuple[Mark, ...], bool]:
    """The breakpoints to set, and whether the provider is to write nowhere else (else it writes at the end by itself,
    where `profile.writes` is `both`).

    `found`: the candidates. `warm`: index of the last point believed readable, -1 for none. `reads`: how often each
    kind of entry is expected to be read. `hopeless`: what is to be left alone, by digest. `shared`: index of the point
    up to which a declared fan-out shares it, -1 for none.
    """
    profile, points = terms.profile, prompt.points
    if not terms.breakpoints or not profile.breakpoints:
        return (), False
    own = sum(map(bool, map(mark_at, points)))
    if own:
        # The client knows what it does; only what it declared itself to share may still need one.
        bare = shared >= 0 and not points[shared].mark and own < profile.breakpoints
        return (((shared, terms.usual),) if bare and points[shared].tokens >= minimum else ()), False
    if shared >= 0:
        found = [*(each for each in found if each.at < shared), Candidate(shared, "trunk")]
    found = [each for each in found if not hopeless(points[each.at].digest)]
    life_of = _lives(prompt, terms)
    counted = {life.name: life.counted for life in profile.lives}
    count = len(found)
    if shared < 0:
        rates = terms.rates
        write: Callable[[int], float] = lambda at: float(getattr(rates, counted[life_of(at)]))  # noqa: E731
        count = depth(found, prompt, warm, reads, read=rates.read, write=write)
    automatic = profile.writes == "both"
    whole = 0 < count == len(found) and found[-1].kind in ("tail", "leaf")
    if automatic and whole:
        count -= 1  # the provider writes there by itself
    slots = profile.breakpoints - (automatic and whole)
    return chosen(found[:count], warm, slots, life_of), automatic and not whole


def of_warm_call(prompt: Prompt, terms: Terms, at: int, warm: int) -> tuple[Mark, ...]:
    """The breakpoints of a warm call that ends at this point: there; at the ends of tools and system prompt in front of
    it, for those who share no more than these; and where `warm` says that something can be read, which some providers
    only find at a breakpoint."""
    if not terms.profile.breakpoints:
        return ()
    life_of, own = _lives(prompt, terms), any(point.mark for point in prompt.points)
    found = candidates(prompt, prompt.minimum, leaf=False) if terms.breakpoints and not own else []
    inside = {each.at for each in found if each.kind == "static"} | ({warm} if found else set())
    return tuple((index, life_of(index)) for index in (*sorted(index for index in inside if 0 <= index < at), at))


def _lives(prompt: Prompt, terms: Terms) -> Callable[[int], str]:
    """The life that a breakpoint asks for, by its index. Static text stands in front of all else, so that what is to
    live longer does, too."""
    usual = terms.usual
    lasting = terms.ttl if terms.ttl in [life.name for life in terms.profile.lives] else usual
    if lasting == usual:
        return lambda at: usual
    static = static_end(prompt)
    return lambda at: lasting if at <= static else terms.usual


def candidates(prompt: Prompt, minimum: int, *, leaf: bool) -> list[Candidate]:
    """In the order of the prompt: the end of the tools and of the system prompt; the end of the message before the last
    and the block before the last, which is all that branches of a fan-out share; the end. `leaf`: whether this request
    is itself a branch."""
    points, edges = prompt.points, list(map(edge_at, prompt.points))

    def able(at: int) -> bool:
        return points[at].markable and points[at].tokens >= minimum

    found = [Candidate(at, "static") for at in _static(edges) if able(at)]
    static, end = found[-1].at if found else -1, len(points) - 1
    tail = next((at for at in range(end, static, -1) if able(at)), -1)
    if tail < 0:
        return found
    before = [next((at for at in range(tail - 1, static, -1) if able(at)), -1)]
    if "message" in edges[static + 1 : tail]:
        before.append(next((at for at in range(tail - 1, static, -1) if edges[at] == "message" and able(at)), -1))
    found += [Candidate(at, "trunk") for at in sorted({*before} - {-1})]
    if tail == next((at for at in range(end, -1, -1) if edges[at] != "step"), -1):
        found.append(Candidate(tail, "leaf" if leaf else "tail"))
    return found


def depth(
    found: Sequence[Candidate],
    prompt: Prompt,
    warm: int,
    reads: Callable[[Kind], float],
    *,
    read: float,
    write: Callable[[int], float],
) -> int:
    """How many of the candidates to mark, from the front, so that the expected gain is greatest: what is written up to
    the last of them costs (w - 1) a token more than leaving it alone, and each read of it saves (1 - r). `read` is r,
    `write` is w by the index of the point, `reads` how many reads are expected."""
    expected = [reads(candidate.kind) for candidate in found]
    behind = prompt.points[warm].tokens if warm >= 0 else 0
    best, best_gain = 0, 0.0
    for count in range(1, len(found) + 1):
        gain, begin = 0.0, behind
        for place in range(count):
            end = max(begin, prompt.points[found[place].at].tokens)
            # Whoever reads a deeper entry has read this part of it, too.
            often = max(expected[place:count])
            gain += (end - begin) * (often * (1 - read) - (write(found[place].at) - 1))
            begin = end
        if gain > best_gain or (gain == best_gain and not best and begin == behind):
            best, best_gain = count, gain
    return best


def chosen(found: Sequence[Candidate], warm: int, slots: int, life_of: Callable[[int], str]) -> tuple[Mark, ...]:
    """The marks, in the order of the prompt: the end of what is believed warm (it is read only if a breakpoint stands
    near), then of the candidates the deepest, the end of the static text, what a fan-out may share, the others."""
    marks = {warm} if warm >= 0 else set()
    static = [candidate for candidate in found if candidate.kind == "static"]
    for candidate in (*found[-1:], *static[-1:], *reversed(found)):
        if len(marks) < slots and candidate.at >= warm:
            marks.add(candidate.at)
    return tuple((index, life_of(index)) for index in sorted(marks)[:slots])


def reachable(prompt: Prompt, marks: Sequence[int], index: int, lookback: int) -> bool:
    """Whether a breakpoint stands at this point, or behind it within the lookback."""
    place = prompt.points[index].place
    return any(mark >= index and (not lookback or prompt.points[mark].place - place < lookback) for mark in marks)
