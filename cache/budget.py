"""Dollars per day for calls that nobody asked for: audits and judges. Pure but for the clock it is given."""

from __future__ import annotations

from math import inf

from adapters.vocabulary import Clock

DAY = 86_400.0


class Budget:
    """What is taken is reserved until it is settled, so that calls in flight together can't overspend.

    A day is one of the clock's (of UTC with a wall clock). What was reserved before midnight is settled on the new
    day.
    """

    def __init__(self, dollars: float, clock: Clock, *, unknown: float = 0.01) -> None:
        """`dollars`: per day; 0 or no number for none, `math.inf` for any. `unknown`: what a call is counted as whose
        price is not known."""
        self._dollars, self._clock, self._unknown = dollars, clock, unknown
        self._day, self._spent, self._reserved = -inf, 0.0, 0.0

    def take(self, estimate: float | None) -> bool:
        """Whether that much may be spent; if so, it is reserved and has to be settled."""
        asked = self._counted(estimate)
        if not 0 < self.left >= asked:
            return False
        self._reserved += asked
        return True

    def settle(self, estimate: float | None, actual: float | None) -> None:
        """What was taken with this estimate has cost that much; None: nobody knows, the estimate counts. A call that
        never was made has cost 0."""
        reserved = self._counted(estimate)
        self._reserved = max(0.0, self._reserved - reserved)
        self._roll()
        self._spent += reserved if actual is None else max(0.0, actual)

    @property
    def left(self) -> float:
        """Dollars that may be spent today."""
        self._roll()
        left = self._dollars - self._spent - self._reserved
        return left if left > 0 else 0.0

    @property
    def spent(self) -> float:
        """Dollars, today."""
        self._roll()
        return self._spent

    def _roll(self) -> None:
        day = self._clock() // DAY
        if day != self._day:
            self._day, self._spent = day, 0.0

    def _counted(self, estimate: float | None) -> float:
        if estimate is None or estimate != estimate:
            return self._unknown
        return max(0.0, estimate)
