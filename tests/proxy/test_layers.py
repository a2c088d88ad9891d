"""Warming and pruning as they are configured, through the running proxy and the simulated provider."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from proxy.config_file import loads
from proxy.config_problem import ConfigError
from tests.running import Proxy, proxy, serving

QUICK = "simulated: {first_token: 0, tokens_per_second: 1000000, prefill_per_second: 100000000}\n"
SLOWER = "simulated: {first_token: 0.05, tokens_per_second: 1000000, prefill_per_second: 100000000}\n"
SYSTEM = "You are a careful assistant. " * 900


def claude(question: str, **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": question}]
    return {"model": "claude-sonnet-5", "max_tokens": 50, "system": SYSTEM, "messages": messages} | more


async def ask(running: Proxy, body: dict[str, Any]) -> dict[str, Any]:
    async with running.post(body, path="/messages", anthropic_version="2026-10-21") as response:
        assert response.status == 200, await response.text()
        found: dict[str, Any] = json.loads(await response.read())
        return found


async def metrics(running: Proxy) -> str:
    async with running.session.get(f"{running.root}/metrics") as response:
        return await response.text()


@pytest.mark.parametrize("stream", [False, True])
async def test_siblings_over_http_write_once(stream: bool) -> None:
    async with proxy("simulated", config=SLOWER) as running:
        bodies = [claude(f"Question {n}?") for n in range(6)]
        answers = await asyncio.gather(*(ask(running, body) for body in bodies))
        usage = [answer["usage"] for answer in answers]
        assert sum(each["cache_creation_input_tokens"] > 0 for each in usage) == 1
        assert sum(each["cache_read_input_tokens"] > 4000 for each in usage) == 5
        page = await metrics(running)
    assert 'warmgate_warming_requests_total{role="leader"} 1.0' in page
    assert 'warmgate_warming_requests_total{role="follower"} 5.0' in page


async def test_claude_through_chat_completions_gets_breakpoints_behind_the_translation() -> None:
    async with proxy("simulated", config=SLOWER) as running:
        asked = [
            {"model": "claude-sonnet-5", "messages": [{"role": "system", "content": SYSTEM},
                                                      {"role": "user", "content": f"{n}?"}]} for n in range(4)
        ]  # fmt: skip
        answers = [json.loads(body) for _, _, body in await asyncio.gather(*(running.chat(each) for each in asked))]
    read = [answer["usage"]["prompt_tokens_details"]["cached_tokens"] for answer in answers]
    assert sorted(tokens > 4000 for tokens in read) == [False, True, True, True]


async def test_the_answer_of_a_warm_call_is_nobodys() -> None:
    async with proxy("simulated", config=QUICK) as running:
        named = {"X_Warmgate_Fanout": "g; n=3", "anthropic_version": "2026-10-21"}

        async def one(number: int) -> None:
            async with running.post(claude(f"{number}?", max_tokens=900), path="/messages", **named) as response:
                assert response.status == 200

        await asyncio.gather(*map(one, range(3)))
        page = await metrics(running)
    assert 'warmgate_warming_calls_total{kind="warm",outcome="ok"} 1.0' in page
    assert "warmgate_stored_total 3.0" in page or "warmgate_stored_total 0.0" in page
    assert 'warmgate_store{fact="entries",level="l1"} 4.0' not in page


MANAGED = """
upstream: {base_url: simulated}
tenants:
  mode: managed
  share_cache: SHARE
  keys: [{tenant: a, key: wg-key-of-team-a}, {tenant: b, key: wg-key-of-team-b}]
upstreams: {anthropic: {base_url: simulated, speaks: anthropic}}
routes: [{model: "claude-*", upstream: anthropic}]
"""


@pytest.mark.parametrize("share", [False, True])
async def test_tenants_wait_for_one_another_only_where_they_share_a_cache(share: bool) -> None:
    async with proxy("simulated", config=SLOWER + MANAGED.replace("SHARE", str(share).lower())) as running:

        async def one(team: str) -> None:
            key = f"wg-key-of-team-{team}"
            async with running.post(claude(f"{team}?"), path="/messages", key=key) as response:
                assert response.status == 200, await response.text()

        await asyncio.gather(one("a"), one("b"))
        page = await metrics(running)
    assert ('warmgate_warming_requests_total{role="follower"} 1.0' in page) is share


async def test_off_means_that_no_byte_is_changed() -> None:
    async with proxy("simulated", config=QUICK + "warming: {enabled: false}") as running:
        answers = await asyncio.gather(*(ask(running, claude(f"{n}?")) for n in range(3)))
        assert all(answer["usage"]["cache_creation_input_tokens"] == 0 for answer in answers)
        assert "role=" not in await metrics(running) or 'role="leader"} 1' not in await metrics(running)


async def test_a_route_may_have_its_own_strategy() -> None:
    config = QUICK + "routes: [{model: 'claude-*', upstream: anthropic, warming: 'off'}]"
    async with proxy("simulated", config=config) as running:
        answer = await ask(running, claude("?"))
        assert answer["usage"]["cache_creation_input_tokens"] == 0


def turn(results: int, size: int = 9000) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Read the file."}]
    for number in range(results):
        call = {"type": "tool_use", "id": f"toolu_{number}", "name": "read", "input": {"path": "/a/file.py"}}
        said = {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": "line of text\n" * (size // 13)}
        messages += [{"role": "assistant", "content": [call]}, {"role": "user", "content": [said]}]
    return messages


TOOLS = [{"name": "read", "description": "Reads.", "input_schema": {"type": "object"}}]


@pytest.mark.parametrize(("mode", "less"), [("off", False), ("observe", False), ("on", True)])
async def test_pruning_as_configured(mode: str, less: bool) -> None:
    config = QUICK + f"pruning: {{mode: '{mode}', hooks: [duplicate_results], keep_results: 1}}"
    async with proxy("simulated", config=config) as running:
        body = claude("", messages=turn(3), tools=TOOLS)
        usage = (await ask(running, body))["usage"]
        page = await metrics(running)
    plain = 3 * 9000 / 4.5
    total = sum(usage[name] for name in ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"))
    assert (total < 4500 + plain * 0.6) is less
    assert ('hook="duplicate_results",what="proposed"' in page) is (mode != "off")


async def test_what_was_pruned_stays_pruned_after_a_restart(tmp_path: Any) -> None:
    config = QUICK + "pruning: {mode: 'on', hooks: [duplicate_results]}"
    totals = []
    for _ in range(2):
        async with proxy("simulated", tmp_path, config=config) as running:
            usage = (await ask(running, claude("", messages=turn(3), tools=TOOLS, temperature=None)))["usage"]
            totals.append(usage)
    assert totals[0] == totals[1] or totals[1]["input_tokens"] <= totals[0]["input_tokens"]
    assert (tmp_path / "pruned.sqlite").exists()


@pytest.mark.parametrize("hook", ["no_such_hook", "json:nothing", "json:__doc__", "not a path", "os.path"])
async def test_a_hook_that_is_not_to_be_had_is_a_mistake_of_the_configuration(hook: str) -> None:
    settings = loads(f"pruning: {{mode: observe, hooks: ['{hook}']}}\nupstream: {{base_url: simulated}}", "test")
    with pytest.raises(ConfigError, match=r"pruning\.hooks\[0\]"):
        async with serving(settings, {"cache.multi_level.l2.enabled": False}):
            pass


def test_pruning_needs_to_know_what_is_warm() -> None:
    with pytest.raises(ConfigError, match=r"pruning\.mode: needs `warming\.enabled`"):
        loads("pruning: {mode: observe}\nwarming: {enabled: false}", "test")
