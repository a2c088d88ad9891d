"""What the library for Redis raises, and what that says about the server."""

from __future__ import annotations

from typing import NamedTuple

from redis import exceptions as faults

FAULTS = (faults.RedisError, faults.RedisClusterException, OSError, IndexError)
"""Everything that the library raises. `RedisClusterException` is no `RedisError`; IndexError is what it raises for a
cluster that names no primary."""


class Fault(NamedTuple):
    kind: str
    opens: bool
    """Whether the server can't be used now. Otherwise it answered, and said no."""


def fault_of(error: BaseException) -> Fault:
    """What kind of failure this is."""
    message = str(error)
    if isinstance(error, faults.MaxConnectionsError):
        return Fault("crowded", False)
    for kind, opens, classes in _CLASSES:
        if isinstance(error, classes):
            return Fault(kind, opens)
    for kind, opens, beginning in _WORDS:
        if message.startswith(beginning) or f"-{beginning}" in message:
            return Fault(kind, opens)
    return Fault("error", False) if isinstance(error, faults.RedisError) else Fault("connection", True)


def said(kind: str, error: BaseException) -> str:
    """The failure in words, for the log and whoever asked."""
    return f"no answer in time ({kind})" if kind == "timeout" else f"{str(error) or type(error).__name__} ({kind})"


_CLASSES: tuple[tuple[str, bool, tuple[type[BaseException], ...]], ...] = (
    ("timeout", True, (TimeoutError, faults.TimeoutError)),
    ("auth", True, (faults.AuthenticationError, faults.AuthorizationError)),
    ("loading", True, (faults.BusyLoadingError,)),
    ("read_only", True, (faults.ReadOnlyError,)),
    ("cluster", True, (faults.ClusterError, faults.RedisClusterException)),
    ("connection", True, (faults.ConnectionError, faults.InvalidResponse)),
    ("full", False, (faults.OutOfMemoryError,)),
    ("denied", False, (faults.NoPermissionError,)),
)
_WORDS = (
    ("full", False, "OOM"),
    ("type", False, "WRONGTYPE"),
    ("denied", False, "NOPERM"),
    ("auth", True, "NOAUTH"),
    ("busy", True, "BUSY"),
    ("read_only", True, "READONLY"),
    ("read_only", True, "MISCONF"),  # can't persist, so it takes no writes
)
"""The first word of what the server says, where the library has no class for it. (In front of what a script ran into
the server of version 6 puts words of its own.)"""
