"""What is asked for next, by what was asked before: a model of one tenant's questions. Pure and bounded.

    confidence(q) = 0.6 * P(q | the question before)
                  + 0.3 * P(q | the n - 1 questions before)
                  + 0.1 * P(q | this hour of the day)

Each P is how often q followed, divided by how often anything followed, and two (`DOUBT`): what was seen once proves
little. The hours beside this one count half. Where a part knows nothing, because nothing ever followed, it gives
nothing and its weight is lost: confidence is then low, as it should be.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import NamedTuple

from warming.access_rows import Key
from warming.scores import HOURS

TRANSITIONS, NGRAMS, TIME_OF_DAY = 0.6, 0.3, 0.1

DOUBT = 2.0

SESSIONS = 256
"""Of one tenant, whose last questions are known; then the longest silent goes."""

FADING = 4
"""A pattern counts half as much after so many times `max_patterns` questions in which it did not come."""


class Prediction(NamedTuple):
    query: Key
    confidence: float
    """0 to 1."""


class Followers:
    """What came after what, how often. At most so many pairs; then the least useful sixteenth goes."""

    def __init__(self, most: int) -> None:
        self._most, self._turn = most, 0
        self._after: dict[Hashable, dict[Key, list[float]]] = {}
        self._totals: dict[Hashable, float] = {}
        self._pairs = 0

    def __len__(self) -> int:
        return self._pairs

    def note(self, before: Hashable, then: Key) -> None:
        self._turn += 1
        found = self._after.get(before, {}).get(then)
        if found is None:
            if self._pairs >= self._most:
                self._make_room()
            found = self._after.setdefault(before, {})[then] = [0.0, 0.0]
            self._pairs += 1
        found[0] += 1.0
        found[1] = self._turn
        self._totals[before] = self._totals.get(before, 0.0) + 1.0

    def after(self, before: Hashable) -> Iterable[Key]:
        return self._after.get(before, ())

    def count(self, before: Hashable, then: Key) -> float:
        found = self._after.get(before, {}).get(then)
        return 0.0 if found is None else found[0]

    def total(self, before: Hashable) -> float:
        """How often anything came after that, what was forgotten included."""
        return self._totals.get(before, 0.0)

    def _make_room(self) -> None:
        fading = FADING * self._most
        pairs = [
            (count * 0.5 ** ((self._turn - turn) / fading), before, then)
            for before, thens in self._after.items()
            for then, (count, turn) in thens.items()
        ]
        pairs.sort(key=lambda pair: pair[0])
        for _, before, then in pairs[: max(1, self._most // 16)]:
            del self._after[before][then]
            self._pairs -= 1
            if not self._after[before]:
                del self._after[before], self._totals[before]


class Model:
    def __init__(self, max_patterns: int = 500, ngram_size: int = 3) -> None:
        """`max_patterns` of each kind. `ngram_size`: questions of an n-gram, the predicted one included."""
        self._size = ngram_size
        self._transitions, self._ngrams, self._hours = (Followers(max_patterns) for _ in range(3))
        self._sessions: OrderedDict[str, tuple[Key, ...]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._transitions) + len(self._ngrams) + len(self._hours)

    def note(self, query: Key, hour: int, session: str = "") -> None:
        """It was asked for, at that hour of the day. Sessions follow each their own thread."""
        before = self._sessions.pop(session, ())
        if before:
            self._transitions.note(before[-1], query)
        if len(before) >= self._size - 1:
            self._ngrams.note(before[1 - self._size :], query)
        self._hours.note(hour, query)
        self._sessions[session] = (*before, query)[1 - self._size :]
        if len(self._sessions) > SESSIONS:
            self._sessions.popitem(last=False)

    def next(
        self, current: Key, hour: int, session: str = "", *, top_k: int = 5, min_confidence: float = 0.2
    ) -> list[Prediction]:
        """What comes after `current`, the likeliest first, at most `top_k`."""
        before = self._sessions.get(session, ())
        if not before or before[-1] != current:  # it has not been noted
            before = (*before, current)[1 - self._size :]
        grams = before if len(before) >= self._size - 1 else None
        known = {*self._transitions.after(current), *self._ngrams.after(grams)}
        if min_confidence <= TIME_OF_DAY:  # else the hour alone never suffices, and it has the most candidates
            known.update(*(self._hours.after(each) for each in _around(hour)))
        found = [Prediction(query, self._confidence(query, current, grams, hour)) for query in known]
        found = [prediction for prediction in found if prediction.confidence >= min_confidence]
        return sorted(found, key=lambda prediction: (-prediction.confidence, repr(prediction.query)))[:top_k]

    def _confidence(self, query: Key, current: Key, grams: tuple[Key, ...] | None, hour: int) -> float:
        hours = dict(zip(_around(hour), (0.5, 1.0, 0.5), strict=True))
        at_hour = sum(share * self._hours.count(each, query) for each, share in hours.items())
        in_hour = sum(share * self._hours.total(each) for each, share in hours.items())
        return (
            TRANSITIONS * self._transitions.count(current, query) / (self._transitions.total(current) + DOUBT)
            + NGRAMS * self._ngrams.count(grams, query) / (self._ngrams.total(grams) + DOUBT)
            + TIME_OF_DAY * at_hour / (in_hour + DOUBT)
        )


def _around(hour: int) -> tuple[int, int, int]:
    return (hour - 1) % HOURS, hour, (hour + 1) % HOURS
