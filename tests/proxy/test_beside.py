"""What goes on beside the requests of a running proxy."""

import json

from aiohttp import web

from tests.fakes import CHAT, provider, until
from tests.running import proxy


async def told(ours, name):
    async with ours.session.get(ours.root + "/metrics") as response:
        text = await response.text()
    lines = [line for line in text.splitlines() if line.startswith(name)]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def status(answer):
    return answer[1]["X-Cache-Status"]


async def test_with_a_budget_hot_answers_are_asked_for_before_they_expire(tmp_path):
    config = "cache: {stale: {dollars: 1, min_hits: 2, beta: 1000000000}}"
    async with provider() as fake, proxy(fake.base_url, tmp_path, config) as ours:
        await ours.chat()
        for _ in range(2):
            assert status(await ours.chat()) == "hit"
        await until(lambda: fake.calls == 2)
        assert (await told(ours, "warmgate_cache_refreshes"))['warmgate_cache_refreshes_total{why="early"}'] == 1


async def test_without_one_nothing_is_asked_that_nobody_asked_for(tmp_path):
    async with provider() as fake, proxy(fake.base_url, tmp_path) as ours:
        for _ in range(9):
            await ours.chat()
        assert fake.calls == 1
        assert await told(ours, "warmgate_cache_refreshes") == {}


async def test_what_rests_on_a_file_goes_when_it_changes(tmp_path):
    prompt = tmp_path / "prompt.md"
    prompt.write_text("one")
    invalidation = {"files": [str(tmp_path)], "depends": {"prompt:a": [f"file:{prompt}"]}}
    config = json.dumps({"cache": {"invalidation": invalidation}})
    async with provider() as fake, proxy(fake.base_url, tmp_path, config) as ours:
        for _ in range(2):
            answer = await ours.chat(Cache_Tags="prompt:a")
        assert status(answer) == "hit"
        prompt.write_text("another one")
        assert status(await ours.chat(Cache_Tags="prompt:a")) == "miss"
        assert status(await ours.chat(Cache_Tags="prompt:a")) == "hit"
        assert status(await ours.chat(CHAT | {"seed": 1})) == "miss"


async def test_a_file_that_changes_is_noticed_before_somebody_asks(tmp_path):
    prompt = tmp_path / "prompt.md"
    prompt.write_text("one")
    invalidation = {"files": [str(tmp_path)], "depends": {"prompt:a": [f"file:{prompt}"]}}
    config = json.dumps({"cache": {"invalidation": invalidation}})
    async with provider() as fake, proxy(fake.base_url, tmp_path, config) as ours:
        await ours.chat(Cache_Tags="prompt:a")
        assert len(ours.app.levels.l1) == 1
        prompt.write_text("another one")
        await until(lambda: len(ours.app.levels.l1) == 0)


async def test_other_settings_are_an_event(tmp_path):
    async with provider() as fake:
        for config, expected in (("", "miss"), ("", "hit"), ("cache: {stale: {beta: 2}}", "miss")):
            async with proxy(fake.base_url, tmp_path, config) as ours:
                # The address of the provider is the same, and so are the settings but for what is said here.
                assert status(await ours.chat(Cache_Tags="config")) == expected


async def test_what_is_only_in_memory_is_on_disk_after_the_end(tmp_path):
    config = "cache: {multi_level: {write_policy: write_back, flush_interval: 1h}}"
    async with provider() as fake:
        async with proxy(fake.base_url, tmp_path, config) as ours:
            await ours.chat()
            assert ours.app.levels.dirty == 1
        async with proxy(fake.base_url, tmp_path, config) as ours:
            assert status(await ours.chat()) == "hit"


async def test_a_memory_that_sizes_itself_is_told(tmp_path):
    config = "cache: {multi_level: {l1: {adaptive: {enabled: true}}}}"
    async with provider() as fake, proxy(fake.base_url, tmp_path, config) as ours:
        await ours.chat()
        name = "warmgate_cache_sizing_total"
        assert await told(ours, name) == {f'{name}{{what="grown"}}': 0, f'{name}{{what="shrunk"}}': 0}


async def test_stale_answers_ride_out_an_outage(tmp_path):
    config = "cache: {namespaces: {quick: {ttl: 1ms}}}\nupstream: {retries: 0}"
    async with provider() as fake, proxy(fake.base_url, tmp_path, config) as ours:
        body = CHAT | {"cache": {"namespace": "quick"}}
        await ours.chat(body)
        good, fake.script = fake.script, down
        code, headers, _ = await ours.chat(body)
        assert (code, headers["X-Cache-Status"]) == (200, "stale")
        assert "stale-if-error" in headers["Cache-Status"]
        assert "ttl=-" in headers["Cache-Status"] or "ttl=0" in headers["Cache-Status"]
        code, *_ = await ours.chat(body, Cache_Control="stale-if-error=0")
        assert code == 503
        fake.script = good


async def down(request, seen):
    return web.json_response({"error": {"message": "down"}}, status=503)
