from __future__ import annotations

import logging

import pytest

from cache.disk_faults import Circuit
from tests.cache.contract import Clock


def test_it_skips_for_a_while_and_tells_each_change_once(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    circuit = Circuit("write x", clock, 5)
    circuit.worked()
    assert circuit.allows()
    for _ in range(3):
        circuit.failed("locked")
        assert not circuit.allows()
        clock.tick(5)
        assert circuit.allows()
    circuit.worked()
    circuit.worked()
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, "write x: failed (locked); doing without, trying every 5 s"),
        (logging.WARNING, "write x: works again"),
    ]


def test_a_clock_set_back_does_not_close_it_for_a_day() -> None:
    clock = Clock()
    circuit = Circuit("write x", clock, 5)
    circuit.failed("")
    assert not circuit.allows()
    clock.tick(-86_400)
    assert circuit.allows()
