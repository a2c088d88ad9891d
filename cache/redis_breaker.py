"""When a server that does not answer is left alone, and when it is tried again. Pure."""

from __future__ import annotations

import logging
from typing import Literal

from adapters.vocabulary import Clock

log = logging.getLogger("warmgate.cache")

State = Literal["closed", "open", "half-open"]


class Breaker:
    """Closed: all is asked. The first failure opens it: nothing is, for `retry_after` seconds. Then whoever comes first
    finds that a probe is due, which makes it half-open: the others still ask nothing. The probe's end closes it or
    opens it for as long again. No request ever waits for a probe.

    One log line when it opens, one when it closes.
    """

    def __init__(self, what: str, clock: Clock, retry_after: float) -> None:
        """`clock`: a monotonic one. `what` stands in the log, so it holds no credentials."""
        self.state: State = "closed"
        self.why = ""
        self.openings = 0
        self._what, self._clock, self._retry_after = what, clock, retry_after
        self._failed_at = 0.0

    @property
    def closed(self) -> bool:
        return self.state == "closed"

    def due(self) -> bool:
        """Whether to probe now. Who hears True has to tell `failed` or `worked` later."""
        # A clock that was set back says nothing about how long ago it was: try.
        if self.state != "open" or 0 <= self._clock() - self._failed_at < self._retry_after:
            return False
        self.state = "half-open"
        return True

    def failed(self, why: str) -> None:
        """A request failed, or the probe did. What was sent before it opened and fails after changes nothing."""
        if self.state == "open":
            return
        if self.state == "closed":
            self.openings += 1
            log.warning("%s: %s; doing without, trying every %g s", self._what, why, self._retry_after)
        self.state, self.why, self._failed_at = "open", why, self._clock()

    def worked(self) -> None:
        """The probe did. (A request that was sent before it opened, and is answered after, proves nothing.)"""
        if self.state == "half-open":
            log.warning("%s: works again", self._what)
            self.state, self.why = "closed", ""
