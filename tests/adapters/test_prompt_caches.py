from collections.abc import Callable

import pytest

from adapters.breakpoint_cache import BreakpointCache
from adapters.message_cache import MessageCache
from adapters.prefix_cache import PrefixCache
from adapters.profiles import Profile, profile_of
from adapters.prompt import Billed, Point, Prompt, PromptCache
from adapters.prompt_caches import BestEffort, Uncached, prompt_cache_of, readable_at
from adapters.unit_cache import UnitCache


def spread() -> Callable[[], float]:
    """Numbers from 0 to 1 that fill it evenly, in no order that matters."""
    drawn = 0.0

    def next_one() -> float:
        nonlocal drawn
        drawn = (drawn + 0.6180339887) % 1
        return drawn

    return next_one


def of(model: str) -> Profile:
    return profile_of("maker", model)


def long(text: str = "a", tokens: int = 6000, mark: str = "", *, minimum: int = 1024) -> Prompt:
    return Prompt((Point(text.encode(), tokens, mark=mark, edge="message"),), minimum)


def life(cache: PromptCache, mark: str = "") -> int:
    """Seconds that an entry lives unused, found by trying."""
    cache.lookup_and_store(long(mark=mark), 0, 0)
    low, high = 0, 2**20
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if cache.lookup(long(mark=mark), middle).read else (low, middle)
    return high


@pytest.mark.parametrize(
    ("profile", "kind", "mark", "seconds"),
    [
        (of("claude-opus-5-5"), BreakpointCache, "5m", 300),
        (of("claude-opus-5-5"), BreakpointCache, "1h", 3600),
        (profile_of("bedrock", "claude-opus-4-7"), BreakpointCache, "5m", 300),
        (of("gpt-5.6-sol"), MessageCache, "", 1800),
        (of("gpt-6-luna"), MessageCache, "12h", 43_200),
        (of("gpt-4o"), PrefixCache, "", 300),
        (of("gpt-5.5"), PrefixCache, "", 86_400),
        (of("deepseek-chat"), UnitCache, "", 300),
        (of("gemini-3.8-flash"), PrefixCache, "", 300),
        (of("grok-4.7"), PrefixCache, "", 300),
        (of("mistral-large"), PrefixCache, "", 300),
        (of("vllm/x"), PrefixCache, "", 300),
        (profile_of("llamacpp", "x"), PrefixCache, "", 300),
        (profile_of("nobody", "x"), PrefixCache, "", 300),
    ],
)
def test_the_profile_says_which_cache_it_is_and_how_long_it_keeps(
    profile: Profile, kind: type, mark: str, seconds: int
) -> None:
    cache = prompt_cache_of(profile)
    assert type(cache) is kind
    assert life(cache, mark) == seconds


@pytest.mark.parametrize(
    ("model", "read"),
    [("gpt-4o", 4992), ("gpt-5.5", 4096), ("mistral-large", 4992), ("vllm", 4992), ("grok-4.7", 5001)],
)
def test_the_profile_says_where_a_read_ends(model: str, read: int) -> None:
    cache = prompt_cache_of(of(model))
    cache.lookup_and_store(long(tokens=5001), 0, 0)
    assert cache.lookup(long(tokens=5001), 1) == Billed(read=read, uncached=5001 - read)


def test_the_profile_says_how_far_back_a_breakpoint_looks() -> None:
    points = [Point(b"%d" % n, 2000 + n, n) for n in range(40)]
    for lookback, read in ((20, 0), (30, 2010)):
        profile = Profile(**{**profile_fields(of("claude-opus-5-5")), "lookback": lookback})
        cache = prompt_cache_of(profile)
        cache.lookup_and_store(Prompt((*points[:10], points[10]._replace(mark="5m")), 1024), 0, 0)
        assert cache.lookup(Prompt((*points[:39], points[39]._replace(mark="5m")), 1024), 1).read == read


def profile_fields(profile: Profile) -> dict[str, object]:
    return {name: getattr(profile, name) for name in profile.__struct_fields__}


def test_bounds_and_intervals_are_passed_on() -> None:
    for model in ("claude-opus-5-5", "gpt-5.6", "gpt-4o", "deepseek-chat"):
        cache = prompt_cache_of(of(model), max_entries=3)
        for n in range(10):
            cache.lookup_and_store(long(str(n), mark="5m"), n, n)
        assert len(cache) == 3  # type: ignore[arg-type]
    units = prompt_cache_of(of("deepseek-chat"), interval=1000)
    shared = Point(b"s", 2500)
    for name in (b"a", b"b"):
        billed = units.lookup_and_store(Prompt((shared, Point(name, 3000)), 0), 0, 0)
    assert billed.read == 2000


@pytest.mark.parametrize("model", ["claude-opus-5-5", "gpt-5.6", "gpt-4o", "gpt-5.5", "deepseek-chat", "gemini-3.8"])
def test_all_of_them_respect_when_an_entry_becomes_readable(model: str) -> None:
    cache = prompt_cache_of(of(model))
    asked = long(mark="5m", tokens=8192)
    cache.lookup_and_store(asked, 0, 7)
    assert [cache.lookup_and_store(asked, now, now + 99).read > 0 for now in (0, 3, 6.9, 7)] == [False] * 3 + [True]


@pytest.mark.parametrize(
    ("profile", "moment"),
    [
        (of("claude-opus-5-5"), 2.0),
        (of("gpt-4o"), 2.0),
        (of("gemini-3.8-flash"), 2.0),
        (profile_of("vllm", ""), 1.0),
    ],
)
def test_when_an_entry_becomes_readable(profile: Profile, moment: float) -> None:
    assert readable_at(profile, 1.0, 2.0, 5.0) == moment + profile.lag


def test_when_an_entry_becomes_readable_after_the_end() -> None:
    assert readable_at(of("deepseek-chat"), 1.0, 2.0, 5.0) == 5.0 + of("deepseek-chat").lag
    cache, profile = prompt_cache_of(profile_of("llamacpp", "")), profile_of("llamacpp", "")
    cache.lookup_and_store(long(), 1.0, readable_at(profile, 1.0, 2.0, 5.0))
    assert [cache.lookup(long(), now).read > 0 for now in (2.0, 5.0, 5.001)] == [False, False, True]


def test_lag_is_added() -> None:
    slow = Profile(**{**profile_fields(of("gpt-4o")), "lag": 1.5})
    assert readable_at(slow, 1.0, 2.0, 5.0) == 3.5


def test_a_model_without_a_cache_pays_for_everything() -> None:
    cache = Uncached()
    for now in (0, 1):
        assert cache.lookup(long(mark="5m"), now) == cache.lookup_and_store(long(mark="5m"), now, now)
        assert cache.lookup(long(mark="5m"), now) == Billed(uncached=6000)


# Caches that may miss


def test_reads_fail_as_often_as_they_should() -> None:
    cache = prompt_cache_of(of("gpt-4o"), hit=0.7, chance=spread())
    asked = long(tokens=6016)
    told = [cache.lookup_and_store(asked, now, now) for now in range(2000)]
    assert set(told) == {Billed(read=6016), Billed(uncached=6016)}
    assert sum(each.read > 0 for each in told) / 2000 == pytest.approx(0.7, abs=0.03)


def test_a_read_that_fails_is_kept_like_any_other() -> None:
    draws = iter([0.9, 0.1])
    cache = prompt_cache_of(of("gpt-4o"), hit=0.5, chance=lambda: next(draws))
    assert [cache.lookup_and_store(long(), now, now).read > 0 for now in (0, 299, 598)] == [False, False, True]


def test_chance_is_only_asked_where_there_is_something_to_miss() -> None:
    cache = prompt_cache_of(of("gpt-4o"), hit=0.5, chance=lambda: pytest.fail("asked"))
    assert cache.lookup_and_store(long(), 0, 0) == cache.lookup_and_store(long("b"), 1, 1) == Billed(uncached=6000)


def test_what_was_drawn_for_a_look_holds_for_the_request() -> None:
    cache = prompt_cache_of(of("gpt-4o"), hit=0.5, chance=spread())
    cache.lookup_and_store(long(), 0, 0)
    seen = set()
    for now in range(1, 100):
        looked = [cache.lookup(long(), now) for _ in range(3)]
        assert {*looked, cache.lookup_and_store(long(), now, now)} == {looked[0]}
        seen.add(looked[0])
    assert len(seen) == 2
    moments = {cache.lookup_and_store(long(), 100, 100) for _ in range(50)}
    assert len(moments) == 2  # of requests at one moment each has its own


def test_providers_that_give_a_guarantee_do_not_miss() -> None:
    for model in ("claude-opus-5-5", "gpt-5.6"):
        assert not isinstance(prompt_cache_of(of(model), hit=0.5, chance=lambda: 0.9), BestEffort)
    sure = Profile(**{**profile_fields(of("gpt-4o")), "best_effort": False})
    assert not isinstance(prompt_cache_of(sure, hit=0.5, chance=lambda: 0.9), BestEffort)
    assert isinstance(prompt_cache_of(of("deepseek-chat"), hit=0.5, chance=lambda: 0.9), BestEffort)
    assert not isinstance(prompt_cache_of(of("deepseek-chat"), chance=lambda: 0.9), BestEffort)


def test_what_can_not_be_is_told() -> None:
    for hit in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="hit"):
            prompt_cache_of(of("gpt-4o"), hit=hit, chance=lambda: 0.5)
    with pytest.raises(ValueError, match="chance"):
        prompt_cache_of(of("gpt-4o"), hit=0.5)
