"""The errors that are raised on purpose, and what becomes of each."""

from __future__ import annotations


class WarmgateError(Exception):
    """Root of the errors that layers raise on purpose.

    WarmgateError
    ├── Refused        the proxy itself says no: becomes a response of this status in the client's dialect
    ├── UpstreamError  no answer could be had from the upstream: becomes 502 or 504
    └── Torn           the answer broke off after its first frame; nothing of it may be kept
    """


class Refused(WarmgateError):
    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.kind, self.param, self.code = status, message, kind, param, code
        self.headers = headers


class UpstreamError(WarmgateError):
    """The upstream could not be reached or did not answer in time; `status` is what the client is told (502 or 504)."""

    def __init__(self, message: str, *, status: int = 502, code: str = "upstream_unreachable") -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


class Torn(WarmgateError):
    """A body ended without its terminal event. `told` when the upstream's own error event went to the client."""

    def __init__(self, message: str, *, told: bool = False) -> None:
        super().__init__(message)
        self.message, self.told = message, told


class Unfoldable(WarmgateError):
    """A stream (or a message) that cannot be turned into the other form without loss."""


class EmbeddingError(WarmgateError):
    """There is no vector for a text, and why: `timeout`, `status 503`, a model file that is damaged, ..."""
