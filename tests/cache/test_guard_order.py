"""The same words in another order."""

import pytest

from tests.cache.guarding import objection

ORDER_DIFFER = [
    ("merge develop into main", "merge main into develop"),
    ("how do I get from A to B", "how do I get from B to A"),
    ("show flights to Boston", "show flights from Boston"),
    ("convert PDF to Word", "convert Word to PDF"),
    ("flights from Paris to Rome", "flights from Rome to Paris"),
    ("Does Tom love Mary?", "Does Mary love Tom?"),
    ("Is iron heavier than gold?", "Is gold heavier than iron?"),
    ("Would she reject him?", "Would he reject her?"),
    ("Did Alice own the car?", "Was Alice owned by the car?"),
    ("Did the dog bite the man?", "Did the man bite the dog?"),
    ("What is 10 minus 3?", "What is 3 minus 10?"),
    ("divide 8 by 2", "divide 2 by 8"),
    ("Can lions kill tigers?", "Can tigers kill lions?"),
    ("How do I convert a list to a tuple in Python?", "How would I convert the tuple to a list in Python?"),
    ("first wash then dry", "first dry then wash"),
    ("Did Google buy YouTube in 2006?", "When did YouTube purchase Google?"),
    ("translate English to French", "translate French to English"),
    ("He asked whether she saw him", "She asked whether he saw him"),
    ("Was Rome destroyed by Carthage?", "Did Rome destroy Carthage?"),
]
ORDER_SAME = [
    ("Did Jamie want the factory?", "Was the factory wanted by Jamie?"),
    ("Was Carthage destroyed by Rome?", "Did Rome destroy Carthage?"),
    ("Did she write the book?", "Was the book written by Ann?"),
    ("cats and dogs", "dogs and cats"),
    ("Which is better, tea or coffee?", "Which is better, coffee or tea?"),
    ("difference between New York and New Jersey", "difference between New Jersey and New York"),
    ("types of music", "music types"),
    ("papers about cats", "cat papers"),
    ("web development company in Delhi", "company for web development in Delhi"),
    ("As of 2019, who was the fastest man alive?", "Who was the fastest man alive as of 2019?"),
    ("How do I learn to hack?", "What is the best way to learn hacking?"),
    ("merge develop into main", "how do I merge develop into main"),
    ("the capital of France", "France's capital"),
    ("Tom vs Jerry", "Jerry vs Tom"),
    ("What is it?", "What's it?"),
    ("Does Tom love Mary?", "Does Tom like Mary?"),
    ("He said she saw him", "She saw it"),
]


@pytest.mark.parametrize(("a", "b"), ORDER_DIFFER)
def test_order_object(a: str, b: str) -> None:
    assert objection("order", a, b)


@pytest.mark.parametrize(("a", "b"), ORDER_SAME)
def test_order_let_pass(a: str, b: str) -> None:
    assert objection("order", a, b) is None
