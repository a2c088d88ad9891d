from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.entry import Entry, Shape
from cache.invalidation import Alone, Heard, Invalidation

ENTRY = Entry(
    b"k" * 32, "ann", "llm.response", "m", Shape.MESSAGE, 200, (), b"{}", True, None, None, 0.0, 9.0, ("doc:1", "doc:2")
)


@pytest.mark.parametrize(
    ("what", "covered"),
    [
        (Invalidation(keys=(b"k" * 32,)), True),
        (Invalidation(keys=(b"j" * 32,)), False),
        (Invalidation(labels=("doc:9", "doc:2")), True),
        (Invalidation(labels=("doc:9",)), False),
        (Invalidation(namespaces=("llm.response",)), True),
        (Invalidation(namespaces=("llm",)), False),
        (Invalidation(everything=True), True),
        (Invalidation(), False),
        (Invalidation("ann", everything=True), True),
        (Invalidation("bob", everything=True), False),
        (Invalidation("bob", labels=("doc:1",)), False),
        (Invalidation("", everything=True), False),
    ],
)
def test_what_an_invalidation_covers(what, covered):
    assert what.covers(ENTRY) is covered


texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(
    st.builds(
        Invalidation,
        st.none() | texts,
        st.lists(st.binary()).map(tuple),
        st.lists(texts).map(tuple),
        st.lists(texts).map(tuple),
        st.booleans(),
    )
)
def test_what_was_told_is_heard(what):
    line = what.told()
    assert b"\n" not in line
    assert Invalidation.heard(line) == what


@pytest.mark.parametrize("line", [b"", b"{}", b"[]", b"{", b'{"tenant":1,"keys":[],"labels":[]}', b"\xff"])
def test_anything_else_is_an_error(line):
    with pytest.raises(ValueError, match=r"."):
        Invalidation.heard(line)


class TestAlone:
    def test_tells_what_came_since(self):
        log, one, two = Alone(), Invalidation(labels=("a",)), Invalidation(labels=("b",))
        log.append(one)
        log.append(two)
        assert log.count == 2
        assert log.since(0) == (2, [one, two])
        assert log.since(1) == (2, [two])
        assert log.since(2) == (2, [])

    def test_who_is_too_far_behind_has_to_drop_everything(self):
        log = Alone()
        for _ in range(10_001):
            log.append(Invalidation(labels=("a",)))
        assert log.since(0) == (10_001, [Invalidation(everything=True)])
        assert len(log.since(1)[1]) == 10_000


class TestHeard:
    def test_an_answer_that_was_asked_for_before_is_late(self):
        heard = Heard()
        before = heard.mark
        heard.note(Invalidation(labels=("doc:1",)))
        assert heard.late(ENTRY, before)
        assert not heard.late(ENTRY, heard.mark)

    def test_an_answer_that_nothing_concerns_is_not(self):
        heard = Heard()
        before = heard.mark
        heard.note(Invalidation(labels=("doc:9",)))
        assert not heard.late(ENTRY, before)
        assert not any(heard.late(each, before) for each in (ENTRY, replace(ENTRY, labels=())))
        assert any(heard.late(each, before) for each in (ENTRY, replace(ENTRY, labels=("doc:9",))))

    def test_who_asks_about_forgotten_times_is_told_that_it_is_late(self):
        heard = Heard(remembered=2)
        for _ in range(3):
            heard.note(Invalidation(labels=("doc:9",)))
        assert heard.late(ENTRY, 0)
        assert not heard.late(ENTRY, 1)

    def test_what_may_have_been_invalidated_since_it_was_made_is_told_by_its_time(self):
        heard = Heard(began=100.0)
        made = replace(ENTRY, stored_at=500.0, took=10.0)
        assert not heard.perhaps(made)
        heard.note(Invalidation(labels=("doc:1",)), 400.0)
        assert not heard.perhaps(made), "long before"
        heard.note(Invalidation(labels=("doc:9",)), 495.0)
        assert not heard.perhaps(made), "of others"
        heard.note(Invalidation(labels=("doc:1",)), 440.0)
        assert heard.perhaps(made), "the clocks of replicas differ"

    def test_of_times_that_nobody_remembers_the_worst_is_taken(self):
        heard = Heard(remembered=2, began=100.0)
        assert heard.perhaps(replace(ENTRY, stored_at=99.0))
        made = replace(ENTRY, stored_at=150.0)
        assert not heard.perhaps(made)
        for number in range(3):
            heard.note(Invalidation(labels=("x",)), 200.0 + number)
        assert heard.perhaps(made)
        assert Heard().perhaps(made), "without a clock nothing is known"
