"""Quotes, and what an instruction is about."""

import pytest

from tests.cache.guarding import objection

QUOTES_DIFFER = [
    ('Translate "good morning"', 'Translate "good night"'),
    ("names with 'Ann'", "names with 'Bob'"),
    ("Say “hi”", "Say “ho”"),
    ("Sag „hallo“", "Sag „tschüss“"),
    ("Dis « oui »", "Dis « non »"),
    ("Sag »ja«", "Sag »nein«"),
    ("说「你好」", "说「再见」"),
    ("说『你好』", "说『再见』"),
    ('Who said "I came"?', "Who said that?"),
    ("‘a b’ or not", "‘a c’ or not"),
    ("prefix 'Initial'", "prefix 'initial x'"),
    ('"red" and "fast"', '"red" and "slow"'),
    ("‹a› it is", "‹b› it is"),
    ('What is "x"?', 'What is "y"?'),
    ("What's 'it's me' about?", "What's 'it's you' about?"),
]
QUOTES_SAME = [
    ('Translate "good morning"', "Translate “good morning”"),
    ('Translate "good morning"', "Translate good morning"),
    ('What does "entropy" mean?', "What does entropy mean?"),
    ("names with 'Ann'", 'names with "Ann"'),
    ('"red" and "fast"', '"fast" and "red"'),
    ("don't and can't", "do not and cannot"),
    ("the boys' toys and the girls' toys", "toys"),
    ('Say "hi."', 'Say "hi"'),
    ("It's 5 o'clock", "it is five"),
    ("'90s music", "music of the 90s"),
    ('""', "x"),
    ("Say «hi»", "Say « hi »"),
    ("John's and Ann's", "of John and Ann"),
    ("a", "b"),
    ('5" nails', "5 inch nails"),
]


@pytest.mark.parametrize(("a", "b"), QUOTES_DIFFER)
def test_quotes_object(a: str, b: str) -> None:
    assert objection("quotes", a, b)


@pytest.mark.parametrize(("a", "b"), QUOTES_SAME)
def test_quotes_let_pass(a: str, b: str) -> None:
    assert objection("quotes", a, b) is None


PAYLOAD_DIFFER = [
    ("Translate: good morning", "Translate: good night"),
    ("Summarise:\nCats sleep a lot.", "Summarise:\nDogs sleep a lot."),
    ("Summarise this\nCats sleep.", "Summarise this\nDogs sleep."),
    ("Summarise this\n\nCats sleep.\n\nDogs bark.", "Summarise this\n\nCats sleep.\n\nDogs run."),
    ("Translate to French: yes", "Translate to French"),
    ("Fix the grammar: he go", "Fix the grammar: he went"),
    ("翻译：你好", "翻译：再见"),
    ("Classify:good film", "Classify:bad film"),
    ("Translate good morning to French", "Translate good night to French"),
    ("Rewrite the cat sat", "Rewrite the dog ran"),
    ("What is the claim?\nIt rained.", "What is the claim?\nIt snowed."),
    ("Is this spam?\nBuy now", "Is this spam?\nBuy later"),
    ("Question 5: what is it?", "Question 5: who is it?"),
    ("Summarise: " + "a b " * 200, "Summarise: " + "a c " * 200),
    ("Sort: 3, 1, 2", "Sort: 3, 2, 1"),
    ("Correct: Its me", "Correct: It's me"),
    ("Translate:\nThank you", "Translate:\nHello"),
    ("Translate. Thank you", "Translate. Good morning"),
]
PAYLOAD_SAME = [
    ("Translate good morning", "Translate good morning quickly"),
    ("Translate: good morning", "Translate:\ngood morning"),
    ("Summarise:\nCats  sleep.", "Sum up:\nCats sleep."),
    ("Which is better: tea or coffee?", "Which is better, tea or coffee?"),
    ("Hi!\nWhat is it?", "What is it?"),
    ("What is it?\nThanks", "What is it?"),
    ("Question: what is it?", "what is it?"),
    ("Translate good morning to French", "Translate good morning into French"),
    ("Is it 10:30 yet?", "Is it half past ten?"),
    ("see https://a.com", "look at https://a.com"),
    ("std::map is what?", "What is std::map?"),
    ("a ratio of 3:4", "the ratio 3:4"),
    ("What is it?", "Which is it?"),
    ("Summarise: " + "a b " * 200, "Summarise: " + "a b  " * 200),
    ("Translate cats", "What are cats?"),
    ("Quick question: is it on?", "Is it on?"),
]


@pytest.mark.parametrize(("a", "b"), PAYLOAD_DIFFER)
def test_payload_object(a: str, b: str) -> None:
    assert objection("payload", a, b)


@pytest.mark.parametrize(("a", "b"), PAYLOAD_SAME)
def test_payload_let_pass(a: str, b: str) -> None:
    assert objection("payload", a, b) is None
