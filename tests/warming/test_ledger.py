"""What warming was worth, in dollars."""

from __future__ import annotations

import pytest

from adapters.usage import Usage
from adapters.vocabulary import Call, Extra, Warming
from tests.warming.prompts import prompt, terms
from warming.ledger import KEPT, OTHER, Ledger
from warming.plan import Plan, Shared
from warming.request import Request

PRICE = 2e-6
WROTE = Usage(write_5m=10_000, uncached=30, output=5)
READ = Usage(read=10_000, uncached=30, output=5)


def answered(ledger, usage, *, at=0.0, tenant="t", saved=None, role="leader", group="", marks=((0, "5m"),), text="s"):
    given = prompt(f"system:{text}:10000", "message:q:30")
    request = Request(Call("POST", "/messages", {}, b"", tenant=tenant), b"", "x", given, terms(), "m", PRICE)
    noted = Warming(role=role, saved=saved, group=group, waited=0.5)
    ledger.request(request, Plan(given, terms(), at, "cold", marks=marks), usage, noted, at)


def test_what_was_saved_less_what_was_spent_is_net_and_may_be_negative():
    ledger = Ledger()
    answered(ledger, WROTE, saved=-0.005)
    answered(ledger, READ, saved=0.018, role="follower")
    ledger.extra(Extra("warm", WROTE, 0.0251, 1.5), "t")
    assert ledger.total.saved == pytest.approx(0.013)
    assert ledger.total.net == pytest.approx(0.013 - 0.0251)
    assert (ledger.total.requests, ledger.total.calls) == (2, 1)
    assert ledger.figures["dollars", "saved"] == pytest.approx(0.013)
    assert ledger.figures["dollars", "warm"] == pytest.approx(0.0251)
    assert ledger.figures["seconds", "creating"] == 1.5
    assert ledger.figures["seconds", "waited"] == 1.0


def test_tokens_of_real_calls_of_warms_and_of_pings_are_apart():
    ledger = Ledger()
    answered(ledger, READ)
    ledger.extra(Extra("warm", WROTE, 0.02, 1.0), "t")
    ledger.extra(Extra("ping", READ, 0.002, 1.0), "t")
    tokens = {key[1:]: value for key, value in ledger.figures.items() if key[0] == "tokens"}
    assert tokens == {
        ("real", "read"): 10_000, ("real", "written"): 0, ("real", "uncached"): 30,
        ("warm", "read"): 0, ("warm", "written"): 10_000, ("warm", "uncached"): 30,
        ("ping", "read"): 10_000, ("ping", "written"): 0, ("ping", "uncached"): 30,
    }  # fmt: skip


def test_a_write_that_nobody_reads_in_time_is_money_lost():
    ledger = Ledger()
    answered(ledger, WROTE, at=0.0, text="read in time")
    answered(ledger, READ, at=100.0, text="read in time")
    answered(ledger, WROTE, at=100.0, text="too late")
    answered(ledger, READ, at=401.0, text="too late")
    answered(ledger, WROTE, at=402.0, text="anything")
    assert ledger.figures[("unread_tokens",)] == 10_000
    assert ledger.figures["dollars", "unread"] == pytest.approx(10_000 * 0.25 * PRICE)


def test_a_call_that_failed_or_has_no_price_is_counted_and_costs_nothing_known():
    ledger = Ledger()
    ledger.extra(Extra("warm", None, None, 10.0, "timeout"), "t")
    assert ledger.figures["calls", "warm", "failed"] == 1
    assert ("dollars", "warm") not in ledger.figures
    answered(ledger, None)
    assert ledger.total.requests == 1


def test_each_tenant_and_each_fan_out_has_its_own_account_and_groups_of_two_tenants_are_two():
    ledger = Ledger()
    answered(ledger, READ, tenant="a", group="g", saved=0.1)
    answered(ledger, READ, tenant="b", group="g", saved=0.2)
    ledger.extra(Extra("warm", WROTE, 0.05, 1.0), "a", "g")
    assert ledger.tenants["a"].net == pytest.approx(0.05)
    assert ledger.tenants["b"].net == pytest.approx(0.2)
    assert sorted(account.net for account in ledger.fanouts.values()) == pytest.approx([0.05, 0.2])
    assert ledger.nets("a", "g") == (pytest.approx(0.05), pytest.approx(0.05))
    assert ledger.nets("b", "") == (pytest.approx(0.2), None)


def test_tenants_beyond_the_bound_are_told_together_and_nothing_is_lost():
    ledger = Ledger()
    for number in range(KEPT + 100):
        answered(ledger, READ, tenant=f"tenant {number}", saved=1.0)
    assert len(ledger.tenants) <= KEPT + 1
    assert sum(account.saved for account in ledger.tenants.values()) == KEPT + 100
    assert ledger.tenants[OTHER].requests >= 99


def test_fan_outs_by_what_became_of_them():
    ledger = Ledger()
    for why in ("cold", "cold", "warm", "nothing shared"):
        ledger.fanout(Shared(-1, 0, why))
    assert ledger.figures["fanouts", "cold"] == 2
    assert ledger.figures["fanouts", "nothing shared"] == 1
