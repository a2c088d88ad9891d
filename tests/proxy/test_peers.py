"""Metrics of several workers as one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from proxy.metrics import Metrics, exposition
from proxy.peers import Peers, state_of, together


def counted(times: int) -> Metrics:
    """What a worker with `times` requests has."""
    sizes = {"l1": {"entries": times, "hits": times}, "l2": {"entries": 7, "bytes": 70, "hits": times}}
    metrics = Metrics(lambda: sizes)
    for _ in range(times):
        metrics.requests["chat", "l1", "200"] += 1
        metrics.dollars["saved", "l1"] += 0.5
        metrics.added.observe(0.0003)
    metrics.in_flight, metrics.retries = times, 1
    return metrics


def test_counters_add_up_and_what_is_shared_is_not_counted_twice() -> None:
    page = exposition(together([state_of(counted(2)), state_of(counted(3))])).decode()
    assert 'warmgate_requests_total{route="chat",source="l1",status="200"} 5.0' in page
    assert 'warmgate_dollars_total{kind="saved",source="l1"} 2.5' in page
    assert "warmgate_upstream_retries_total 2.0" in page
    assert "warmgate_in_flight 5.0" in page
    assert 'warmgate_added_seconds_bucket{le="0.00025"} 0.0' in page
    assert 'warmgate_added_seconds_bucket{le="0.0005"} 5.0' in page
    assert 'warmgate_store{fact="entries",level="l1"} 5.0' in page
    assert 'warmgate_store{fact="entries",level="l2"} 7.0' in page
    assert 'warmgate_store{fact="hits",level="l2"} 5.0' in page


def test_one_alone_is_the_same_as_itself() -> None:
    assert exposition(together([state_of(counted(4))])) == exposition(counted(4))


def test_who_is_scraped_tells_of_all(tmp_path: Path) -> None:
    first, second = Peers(tmp_path, 0, counted(2)), Peers(tmp_path, 1, counted(3))
    second.write()
    assert first.all().requests["chat", "l1", "200"] == 5
    assert second.all().requests["chat", "l1", "200"] == 3, "nobody has heard of the first one yet"
    (tmp_path / "2.metrics").write_bytes(b"torn")
    assert first.all().requests["chat", "l1", "200"] == 5


def test_a_directory_that_is_gone_costs_nobody_a_request(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    peers = Peers(tmp_path / "gone", 0, counted(2))
    peers.write()
    assert "can't be shared" in caplog.text
    assert peers.all().requests["chat", "l1", "200"] == 2


async def test_it_writes_again_and_again(tmp_path: Path) -> None:
    metrics, slept = counted(1), []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await Peers(tmp_path, 0, metrics).write_for_ever(sleep)
    assert slept == [1.0, 1.0, 1.0]
    assert (tmp_path / "0.metrics").exists()
