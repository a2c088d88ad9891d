"""The demo: it runs from end to end and says so, and says what did not hold."""

from __future__ import annotations

import io
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from aiohttp import web

from proxy import demo
from tests.fakes import Seen, answer, completion, provider
from tests.running import proxy


def test_all_of_it_holds() -> None:
    out = io.StringIO()
    assert demo.run(out) == 0
    page = out.getvalue()
    assert "all of it held" in page
    assert "failed" not in page
    rows = {line.split("│")[1].strip(): line.split("│")[2].strip() for line in page.splitlines() if line.count("│") > 2}
    talks = sum(map(len, demo.TALKS))
    assert {name: int(rows[name]) for name in ("coalesced", "L1 memory", "L2 disk")} == {
        "coalesced": demo.CROWD - 1,
        "L1 memory": 2 * talks,
        "L2 disk": talks,
    }


Check = Callable[[demo.Ledger, str], Coroutine[Any, Any, Any]]


async def repeats(ledger: demo.Ledger, base_url: str) -> None:
    await demo._repeats(ledger, base_url, await demo._conversations(ledger, base_url))


async def restarted(ledger: demo.Ledger, base_url: str) -> None:
    await demo._restarted(ledger, base_url, await demo._conversations(ledger, base_url))


async def strangers(ledger: demo.Ledger, base_url: str) -> None:
    await demo._crowd(ledger, base_url)
    await demo._strangers(ledger, base_url)


@pytest.mark.parametrize(
    ("check", "config", "says"),
    [
        (repeats, "cache: {enabled: false}", "came from provider"),
        (restarted, "", "after the restart came from L1 memory"),
        (demo._crowd, "cache: {coalesce: {enabled: false}}", "upstream calls for one question"),
        (strangers, "tenants: {share_cache: true}", "another tenant was answered from L1 memory"),
        (strangers, "", "a truncated answer came from L1 memory"),
    ],
)
async def test_what_does_not_hold_is_noticed(check: Check, config: str, says: str) -> None:
    """Each check of the demo against a proxy, or a provider, that does not do what the demo is there to show."""

    async def never_truncated(request: web.Request, seen: Seen) -> web.StreamResponse:
        if "Authorization" not in seen.headers:
            return web.json_response({}, status=401)
        if b"max_tokens" in seen.body:
            return web.json_response(completion())
        return await answer(request, seen)

    ledger = demo.Ledger()
    async with provider(never_truncated) as fake, proxy(fake.base_url, config=config) as ours:
        await check(ledger, ours.base_url)
    assert any(says in failure for failure in ledger.failures), ledger.failures


async def test_the_same_checks_pass_where_it_does() -> None:
    ledger = demo.Ledger()
    async with provider() as fake, proxy(fake.base_url) as ours:
        await repeats(ledger, ours.base_url)
        await demo._crowd(ledger, ours.base_url)
    assert ledger.failures == []


@pytest.mark.parametrize("held", [True, False])
def test_the_exit_code_is_that_of_the_ledger(held: bool) -> None:
    ledger, out = demo.Ledger(), io.StringIO()
    ledger.expect(True, "this held")
    ledger.expect(held, "the moon is made of cheese")
    assert demo.report(ledger, [], [], [], 1.25, out) == (0 if held else 1)
    assert ("failed: the moon is made of cheese" in out.getvalue()) is not held
    assert "this held" not in out.getvalue()
    assert ("not all of it held" in out.getvalue()) is not held
