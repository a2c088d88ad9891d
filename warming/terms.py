"""What the planner goes by, for one model at one upstream: rules of the prompt cache, prices, what was configured."""

from __future__ import annotations

from typing import NamedTuple

from adapters.profiles import Multipliers, Profile

PAID = Multipliers(1.0, 0.1, 1.25, 2.0, 1.25, 2.5, 5.0)
FREE = Multipliers(1.0, 0.5, 1.0, 1.0, 1.0, 1.0, 5.0)
"""For models without a price: the usual ones where writing is counted apart, the least favourable ones elsewhere."""


class Terms(NamedTuple):
    """What the planner goes by, for one model at one upstream."""

    profile: Profile
    prices: Multipliers | None
    strategy: str = "leader"
    """`leader` or `auto`: requests wait for one another; `off`: they never do."""
    breakpoints: bool = True
    """Whether breakpoints may be set where the client set none."""
    ttl: str = "5m"
    """The life asked for at static text, where the provider has it."""
    name: str = ""
    """Of the model, at its upstream: what is learned of one is not believed of another."""

    @property
    def rates(self) -> Multipliers:
        """The prices, or what they are taken to be where there are none."""
        return self.prices or (PAID if self.paid else FREE)

    @property
    def paid(self) -> bool:
        """Whether the provider counts, and bills, what it writes."""
        life = self.profile.life
        return life is not None and life.counted != "uncached"

    @property
    def usual(self) -> str:
        """The life that an entry has where the request does not ask for another."""
        return self.profile.life.name if self.profile.life is not None else ""
