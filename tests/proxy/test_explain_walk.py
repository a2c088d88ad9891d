from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.prompt import Point
from adapters.usage import Usage
from proxy.explain_walk import Look, Walk
from proxy.importers import Recorded
from tests.proxy.recordings import CLAUDE, DEEPSEEK, GPT, LONG, WORDS, ask, say, talk
from tests.proxy.test_explain_prompt import JSON


def looked(*requests: Recorded) -> list[Look]:
    walk = Walk()
    looks = [walk.look(recorded) for recorded in requests]
    assert all(look is not None for look in looks)
    return [look for look in looks if look is not None]


def test_a_growing_conversation_reads_what_was_written_before_exactly() -> None:
    """The provider's own counts of earlier requests are the predictions for later ones, to the token."""
    usages = [Usage(3, 0, 5000), Usage(3, 5000, 117), Usage(3, 5117, 63)]
    looks = looked(*[ask(messages, usage, ts=ts) for (messages, ts), usage in zip(talk(3), usages, strict=True)])
    assert [(look.predicted, look.could) for look in looks] == [(0, 0), (5000, 5000), (5117, 5117)]
    assert [look.follows for look in looks] == [False, True, True]


def test_a_lapsed_life() -> None:
    requests = [ask(messages, Usage(3, 0, 5000), ts=ts) for messages, ts in talk(2, gap=301.0)]
    look = looked(*requests)[1]
    assert (look.predicted, look.could, look.gap, look.life) == (0, 5000, 301.0, 300.0)


def test_an_hour_that_was_asked_for_is_known_by_its_writes() -> None:
    requests = [ask(messages, Usage(3, 0, 0, 5000), ts=ts) for messages, ts in talk(2, gap=301.0)]
    look = looked(*requests)[1]
    assert (look.predicted, look.life) == (5000, 3600.0)


def test_units_hold_the_answer_too_and_reads_are_rounded() -> None:
    usages = [Usage(5000, 0, output=100), Usage(120, 5056, output=40)] + [Usage(200, 64 * n) for n in (80, 81, 83, 85)]
    requests = [ask(m, usage, ts=ts, model=DEEPSEEK) for (m, ts), usage in zip(talk(6), usages, strict=True)]
    looks = looked(*requests)
    assert looks[1].predicted == 5100
    assert looks[-1].grain == 64
    assert looks[-1].predicted % 64 == 0


def test_what_stands_behind_a_difference_could_have_been_read() -> None:
    def request(stamp: str, turns: int, usage: Usage) -> Recorded:
        messages = [say("system", f"Now: {stamp}. {LONG}"), say("user", LONG), say("assistant", LONG)]
        return ask([*messages[:turns], say("user", "and?")], usage)

    look = looked(request("2026-11-21", 3, Usage(3, 0, 9000)), request("2026-11-22", 3, Usage(3, 0, 9000)))[1]
    assert look.predicted == 0
    assert 8990 < look.could < 9003  # all but the date
    assert look.difference is not None
    assert look.difference.kind == "time"


def test_a_title_asked_for_in_between_does_not_count_as_the_conversation() -> None:
    (first, _), (second, _) = talk(2)
    aside = ask([say("system", "Make a title."), say("user", "x")], Usage(30))
    looks = looked(ask(first, Usage(3, 0, 5000)), aside, ask(second, Usage(3, 5000, 100)))
    assert (looks[2].predicted, looks[2].difference) == (5000, None)


def test_models_that_take_turns_each_have_come_as_far_before() -> None:
    requests = []
    for index, (messages, ts) in enumerate(talk(4)):
        model = CLAUDE if index % 2 == 0 else "claude-opus-5"
        requests.append(ask(messages, Usage(3, 0, 5000 + index), ts=ts, model=model))
    looks = looked(*requests)
    assert looks[1].difference is not None
    assert looks[1].difference.what == "model"
    assert looks[2].difference is None
    assert looks[2].predicted == 5000


def test_another_session_that_begins_alike() -> None:
    messages = [say("system", LONG), say("user", "A")]
    other = [say("system", LONG), say("user", "B")]
    walk = Walk()
    walk.look(ask(messages, session="a"))
    look = walk.look(ask(other, session="b", ts=20.0))
    assert look is not None
    assert (look.session, look.follows, look.gap) == (1, False, 20.0)
    assert look.could == look.predicted == look.front
    late = walk.look(ask([say("system", LONG), say("user", "C")], session="c", ts=500.0))
    assert late is not None
    assert (late.could, late.predicted) == (look.front, 0)


def test_sessions_that_stand_in_another_order_than_they_ran() -> None:
    walk = Walk()
    walk.look(ask([say("system", LONG), say("user", "A")], session="a", ts=1000.0))
    look = walk.look(ask([say("system", LONG), say("user", "B")], session="b", ts=0.0))
    assert look is not None
    assert (look.could, look.predicted) == (0, 0)


def test_nothing_is_read_up_to_where_no_entry_ends() -> None:
    """Both go on from one answer, but the first request that had it ended behind it."""
    messages = [say("system", LONG), say("user", "A"), say("assistant", LONG)]
    walk = Walk()
    walk.look(ask([*messages, say("user", "B")], session="a"))
    look = walk.look(ask([*messages, say("user", "C")], session="b"))
    assert look is not None
    assert look.could == look.predicted == look.front
    walk.look(ask([*messages, say("user", "B")], session="c", model=GPT))
    look = walk.look(ask([*messages, say("user", "C")], session="d", model=GPT))
    assert look is not None
    assert look.could > look.front + 2000  # other caches know every prefix


def test_how_a_session_begins_is_learned_from_those_before() -> None:
    """What of a template in front is read is known to the token once an earlier session has read it."""
    walk = Walk()
    predicted = []
    for number, read in enumerate([0, 0, 320, 320, 320]):
        messages = [say("system", WORDS), say("user", f"Consider: {number * 7} {LONG}")]
        look = walk.look(ask(messages, Usage(2000 - read, read), session=str(number), model=DEEPSEEK))
        assert look is not None
        predicted.append(look.predicted)
    assert predicted[3:] == [320, 320]


def test_how_long_a_common_system_prompt_is_shows_when_it_is_read() -> None:
    walk = Walk()
    predicted = []
    for number, read in enumerate([0, 3100, 3100]):
        messages = [say("system", LONG), say("user", f"{number} {LONG}")]
        look = walk.look(ask(messages, Usage(3, read, 6000 - read), session=str(number)))
        assert look is not None
        predicted.append(look.predicted)
    assert predicted[1] != 3100
    assert predicted[2] == 3100


def test_a_part_of_a_message_is_read_where_prefixes_need_no_end() -> None:
    first, second = (ask([say("user", f"{LONG} {n} {LONG}")], session=n, model=GPT) for n in "ab")
    look = looked(first, second)[1]
    assert look.predicted == pytest.approx(look.usage.prompt / 2, rel=0.1)


def test_without_usage_the_cache_is_simulated_by_the_rules_of_the_model() -> None:
    requests = [messages for messages, _ in talk(2)]
    claude = looked(*[ask(messages) for messages in requests])[1]
    assert claude.usage.estimated
    assert claude.usage.read == claude.could > 2000
    assert claude.usage.write_5m > 0
    openai = looked(*[ask(messages, model=GPT) for messages in requests])[1]
    assert openai.usage.read % 128 == 0
    assert openai.usage.write_5m == 0
    walk = Walk(model=CLAUDE)
    seen = [walk.look(ask(messages, model="nobody-knows")) for messages in requests]
    assert seen[1] is not None
    assert seen[1].usage == claude.usage


def test_a_conversation_that_marks_only_its_system_prompt() -> None:
    part = {"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}
    messages = [{"role": "system", "content": [part]}, say("user", "A")]
    more = [*messages, say("assistant", "B"), say("user", "C")]
    first, second = looked(ask(messages), ask(more))
    assert first.usage.write_5m == second.usage.read == second.front


def test_a_trace_is_known_by_its_points() -> None:
    def traced(*lengths: int, ts: float) -> Recorded:
        links = [Point(b"%d" % length, length) for length in lengths]
        return Recorded("t", 0, ts, CLAUDE, links=links, prompt_tokens=lengths[-1], output_tokens=7)

    looks = looked(traced(512, 2000, ts=0.0), traced(512, 2000, 3000, ts=9.0), traced(512, 2000, 3000, 4000, ts=400.0))
    assert [(look.predicted, look.could, look.usage.output) for look in looks] == [
        (0, 0, 7),
        (2000, 2000, 7),
        (0, 3000, 7),
    ]


def test_what_has_neither_prompt_nor_points() -> None:
    assert Walk().look(Recorded("x", 0, None, CLAUDE, usage=Usage(5))) is None


def test_clocks_that_are_set_back() -> None:
    (first, _), (second, _) = talk(2)
    look = looked(ask(first, Usage(3, 0, 5000), ts=100.0), ask(second, Usage(3, 5000), ts=50.0))[1]
    assert (look.gap, look.predicted) == (0.0, 5000)


@pytest.mark.parametrize("model", [CLAUDE, DEEPSEEK, GPT, "gpt-6-sol", "gemini-2.5-pro", "nobody-knows"])
@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_anything_may_be_recorded(model: str, data: Any) -> None:
    walk = Walk()
    counts = st.integers(0, 10**6)
    for _ in range(4):
        usage = data.draw(
            st.none()
            | st.builds(
                Usage, *[counts] * 5, reasoning=counts, estimated=st.just(False), write_30m=counts, write_12h=counts
            )
        )
        members = data.draw(st.dictionaries(st.sampled_from(["tools", "tool_choice", "reasoning", "system"]), JSON))
        messages = data.draw(st.lists(JSON, max_size=3))
        ts = data.draw(st.none() | st.floats(0, 1e6))
        look = walk.look(ask(messages, usage, ts=ts, model=model, **members))
        assert look is not None
        assert 0 <= look.could <= look.usage.prompt
        assert 0 <= look.predicted <= look.usage.prompt
