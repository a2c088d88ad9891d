from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.vocabulary import Controls
from proxy.replay_exact import ExactCache
from proxy.replay_facts import Fact
from tests.replaying import fact


def asked(*facts: Fact, ttl: float | None = None) -> str:
    """What became of each: h(it), u(ncertain), m(iss)."""
    cache = ExactCache(ttl)
    return "".join(cache.ask(one, 0, one.ts or 0.0)[0] for one in facts)


def test_a_repeat_is_a_hit() -> None:
    assert asked(fact(0, "k"), fact(1, "k"), fact(2, "l")) == "mhm"


def test_after_another_answer_the_session_is_uncertain() -> None:
    """b hit what a stored and got another answer than recorded: what b asked later would have been another thing."""
    facts = [fact(0, "k", "a"), fact(0, "l"), fact(1, "k", "b"), fact(1, "l"), fact(1, "l"), fact(2, "l")]
    assert asked(*facts) == "mmhuuh"


def test_after_the_same_answer_it_goes_on() -> None:
    assert asked(fact(0, "k"), fact(0, "l"), fact(1, "k"), fact(1, "l")) == "mmhh"


def test_an_answer_of_unknown_words_ends_what_is_certain() -> None:
    assert asked(fact(0, "k", None), fact(0, "l"), fact(1, "k", None), fact(1, "l")) == "mmhu"


def test_what_a_session_said_after_it_diverged_is_kept_for_nobody() -> None:
    facts = [fact(0, "k", "a"), fact(1, "k", "b"), fact(1, "new"), fact(2, "new"), fact(3, "new")]
    assert asked(*facts) == "mhmmh"


def test_what_is_not_stored_never_hits() -> None:
    assert asked(fact(0, "k", storable=False), fact(1, "k"), fact(2, "k")) == "mmh"
    assert asked(fact(0, ""), fact(1, "")) == "mm"


def test_time_to_live() -> None:
    facts = [fact(0, "k", ts=0.0), fact(1, "k", ts=59.0), fact(2, "k", ts=60.0), fact(3, "k", ts=119.0)]
    assert asked(*facts, ttl=60.0) == "mhmh"  # the third asks again and stores anew
    assert asked(*facts) == "mhhh"
    assert asked(fact(0, "k", ts=None), fact(1, "k", ts=None), ttl=0.001) == "mh"


def test_controls_of_the_recorded_request() -> None:
    assert asked(fact(0, "k"), fact(1, "k", controls=Controls(no_cache=True)), fact(2, "k")) == "mmh"
    assert asked(fact(0, "k", ts=0.0), fact(1, "k", ts=9.0, controls=Controls(max_age=5.0))) == "mm"
    assert asked(fact(0, "k", ts=0.0, controls=Controls(ttl=5.0)), fact(1, "k", ts=9.0), ttl=100.0) == "mm"


def test_branches_are_not_each_other() -> None:
    cache = ExactCache(None)
    assert [cache.ask(fact(0, "k"), variant, 0.0) for variant in (0, 1, 1, 0)] == ["miss", "miss", "hit", "hit"]


@settings(max_examples=150)
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("kl"), st.sampled_from("ab"), st.booleans()), max_size=25))
def test_only_repeats_hit(shape: list[tuple[int, str, str, bool]]) -> None:
    facts = [fact(s, k, a, ts=float(n), storable=keep) for n, (s, k, a, keep) in enumerate(shape)]
    found = asked(*facts)
    assert found.count("h") + found.count("u") <= len(facts) - len({one.key for one in facts})
