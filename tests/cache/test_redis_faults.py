from __future__ import annotations

import pytest
from redis import exceptions as faults

from cache.redis_faults import FAULTS, fault_of, said

FOR = [
    (TimeoutError(), "timeout", True),
    (faults.TimeoutError("x"), "timeout", True),
    (faults.ConnectionError("x"), "connection", True),
    (ConnectionResetError("x"), "connection", True),
    (IndexError("x"), "connection", True),
    (faults.InvalidResponse("x"), "connection", True),
    (faults.MaxConnectionsError("x"), "crowded", False),
    (faults.AuthenticationError("x"), "auth", True),
    (faults.ResponseError("NOAUTH Authentication required."), "auth", True),
    (faults.BusyLoadingError("x"), "loading", True),
    (faults.ResponseError("BUSY Redis is busy running a script"), "busy", True),
    (faults.ReadOnlyError("x"), "read_only", True),
    (faults.ResponseError("MISCONF Redis is configured to save RDB snapshots"), "read_only", True),
    (faults.ClusterDownError("x"), "cluster", True),
    (faults.MasterDownError("x"), "cluster", True),
    (faults.RedisClusterException("x"), "cluster", True),
    (faults.SlotNotCoveredError("x"), "cluster", True),
    (faults.OutOfMemoryError("x"), "full", False),
    (faults.ResponseError("OOM command not allowed. script: 1, on @user_script:12."), "full", False),
    (
        faults.ResponseError("Error running script (call to f_1): @user_script:7: -OOM not allowed"),
        "full",
        False,
    ),
    (faults.NoPermissionError("x"), "denied", False),
    (faults.ResponseError("WRONGTYPE Operation against a key"), "type", False),
    (faults.NoScriptError("x"), "error", False),
    (faults.ResponseError("unknown command"), "error", False),
    (faults.DataError("x"), "error", False),
]


@pytest.mark.parametrize(("error", "kind", "opens"), FOR)
def test_what_a_failure_says_about_the_server(error: Exception, kind: str, opens: bool) -> None:
    assert isinstance(error, FAULTS)
    assert fault_of(error) == (kind, opens)


def test_a_failure_in_words() -> None:
    assert said("timeout", TimeoutError()) == "no answer in time (timeout)"
    assert said("connection", faults.ConnectionError("refused")) == "refused (connection)"
    assert said("connection", ConnectionResetError()) == "ConnectionResetError (connection)"
