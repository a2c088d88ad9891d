"""The event as one log record: every fact, and nothing that a client could have put there to be read in its place."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from adapters.usage import Usage
from adapters.vocabulary import Call, Extra, Trace, Warming
from proxy.events import Event, Session, log_event
from tests.fakes import dollars

TENANT = "0123456789abcdef0123456789abcdef"
CREDENTIAL = "fedcba9876543210fedcba9876543210"


def event(**changes: Any) -> Event:
    call = Call(
        "POST",
        "/chat/completions?secret=query",
        {"Authorization": "Bearer sk-secret", "Cookie": "secret"},
        b'{"messages":"secret"}',
        parsed={"model": "gpt-4o", "messages": [{"role": "user", "content": "secret"}]},
        tenant=TENANT,
        credential=CREDENTIAL,
        stream=True,
        key=bytes(range(32)),
    )
    trace = Trace(
        source="upstream",
        why="miss",
        stored=True,
        upstream_status=200,
        upstream_seconds=0.5,
        first_frame_seconds=0.25,
        attempts=2,
        usage=Usage(uncached=10, output=5),
        cost=0.01,
        costs=dollars(0.01),
        upstream="anthropic",
        warnings=("seed: dropped",),
        finish="stop",
    )
    facts: dict[str, Any] = {
        "at": 1000.0, "method": "POST", "route": "chat", "status": 200, "seconds": 0.75, "source": "upstream",
        "call": call, "trace": trace, "answer": None, "bytes_out": 99,
    }  # fmt: skip
    return Event(**facts | changes)


def logged(caplog: pytest.LogCaptureFixture, each: Event) -> logging.LogRecord:
    caplog.clear()
    with caplog.at_level(logging.INFO, "warmgate.request"):
        log_event(each)
    (record,) = caplog.records
    return record


def facts(record: logging.LogRecord) -> dict[str, Any]:
    found: dict[str, Any] = vars(record)["event"]
    return found


def test_one_event_is_one_record_with_every_fact(caplog: pytest.LogCaptureFixture) -> None:
    record = logged(caplog, event())
    assert record.getMessage() == "POST chat 200 upstream"
    assert record.levelno == logging.INFO
    assert facts(record) == {
        "method": "POST",
        "route": "chat",
        "status": 200,
        "ms": 750.0,
        "source": "upstream",
        "upstream": "anthropic",
        "warnings": ["seed: dropped"],
        "why": "miss",
        "model": "gpt-4o",
        "tenant": "0123456789ab",
        "stream": True,
        "key": "0001020304050607",
        "stored": True,
        "refused_to_store": "",
        "attempts": 2,
        "upstream_status": 200,
        "upstream_ms": 500.0,
        "first_frame_ms": 250.0,
        "usage": Usage(uncached=10, output=5)._asdict(),
        "cost": 0.01,
        "cost_by_class": {"uncached": 0.01},
        "cost_without": 0.01,
        "saved": None,
        "finish": "stop",
        "error": "",
        "bytes_out": 99,
        "warming": None,
        "semantic": None,
        "session": None,
        "session_cost": None,
    }


def test_no_secret_and_no_message_is_in_it(caplog: pytest.LogCaptureFixture) -> None:
    written = json.dumps(facts(logged(caplog, event()))) + caplog.text
    assert "secret" not in written
    assert CREDENTIAL not in written
    assert TENANT not in written, "only as much of it as is needed to tell tenants apart"


def test_what_is_not_known_is_null_and_not_zero(caplog: pytest.LogCaptureFixture) -> None:
    found = facts(logged(caplog, event(call=None, trace=Trace(), status=404, source="proxy", route="none")))
    unknown = (
        "upstream_status",
        "upstream_ms",
        "first_frame_ms",
        "usage",
        "cost",
        "cost_by_class",
        "cost_without",
        "saved",
    )
    assert {name: found[name] for name in unknown} == dict.fromkeys(unknown)
    assert (found["model"], found["tenant"], found["key"], found["stream"]) == ("", "", "", False)


def test_times_of_zero_are_told(caplog: pytest.LogCaptureFixture) -> None:
    found = facts(logged(caplog, event(trace=Trace(upstream_seconds=0.0, first_frame_seconds=0.0))))
    assert (found["upstream_ms"], found["first_frame_ms"]) == (0.0, 0.0)


@pytest.mark.parametrize("model", [None, 7, ["m"], {}])
def test_a_model_that_is_no_text_is_none(caplog: pytest.LogCaptureFixture, model: Any) -> None:
    call = Call("POST", "/", {}, b"", parsed={"model": model})
    assert facts(logged(caplog, event(call=call)))["model"] == ""


def test_a_model_of_any_length_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    call = Call("POST", "/", {}, b"", parsed={"model": "m" * 10_000})
    assert facts(logged(caplog, event(call=call)))["model"] == "m" * 200


def test_the_facts_are_json(caplog: pytest.LogCaptureFixture) -> None:
    found = facts(logged(caplog, event()))
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_where_nobody_listens_nothing_is_made(caplog: pytest.LogCaptureFixture) -> None:
    class Unread(Trace):
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(f"{name} was read")

    with caplog.at_level(logging.WARNING, "warmgate.request"):
        log_event(event(trace=object.__new__(Unread)))
    assert caplog.records == []


def test_what_warming_did_is_told_with_every_call_that_nobody_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    extra = Extra("warm", Usage(write_5m=5000), 0.02, 1.5)
    warming = Warming("leader", "cold", "g", 0.5, 5000, 0, 2, 0.05, [extra], 10, 20)
    each = event()
    warming.fanout_net, warming.tenant_net = 0.25, -0.5
    each.trace.warming, each.session = warming, Session("5e55", 3, 0.5, 0.1)
    told = facts(logged(caplog, each))
    assert told["warming"] == {
        "role": "leader", "why": "cold", "group": "g", "waited_ms": 500.0, "shared": 5000, "expected": 0,
        "breakpoints": 2, "saved": 0.05, "net": pytest.approx(0.03),
        "fanout_net": 0.25, "tenant_net": -0.5, "pruned": 10, "proposed": 20,
        "calls": [{"kind": "warm", "cost": 0.02, "ms": 1500.0, "failed": ""}],
    }  # fmt: skip
    assert (told["session"], told["session_cost"]) == ("5e55", 0.5)
