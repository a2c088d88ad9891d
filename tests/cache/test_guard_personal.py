"""Whose it is, and who is spoken of."""

import pytest

from tests.cache.guarding import objection

PERSONAL_DIFFER = [
    ("What is my name?", "What is your name?"),
    ("Who am I?", "Who are you?"),
    ("Where is his car?", "Where is her car?"),
    ("Where is his car?", "Where is the car?"),
    ("Who is her father?", "Who is the father?"),
    ("What is your favourite film?", "What is the favourite film?"),
    ("Do you like tea?", "Do I like tea?"),
    ("Are you alive?", "Am I alive?"),
    ("Is he rich?", "Is she rich?"),
    ("my account", "their account"),
    ("our car", "your car"),
    ("Wo ist mein Auto und das Rad?", "Wo ist dein Auto und das Rad?"),
    ("Where did he go?", "Where did she go?"),
    ("Is it mine?", "Is it yours?"),
    ("Is it his?", "Is it hers?"),
    ("Were you there?", "Were they there?"),
]
PERSONAL_SAME = [
    ("How do I cook rice?", "How do you cook rice?"),
    ("How do you sync your phone?", "How do you sync a phone?"),
    ("How do I sync my phone?", "How do I sync a phone?"),
    ("our car", "my car"),
    ("How do birds get their food?", "How do birds get food?"),
    ("What is my name?", "what's my name"),
    ("Where is his car?", "where's his car"),
    ("What should I do?", "What should you do?"),
    ("Can you tell me the time?", "What is the time?"),
    ("Could you list the rivers?", "List the rivers"),
    ("How can we win?", "How can I win?"),
    ("the car", "a car"),
    ("Do you know what it is?", "What is it?"),
    ("What do you think of it?", "What do you think about it?"),
    ("Who are you?", "who are you"),
]


@pytest.mark.parametrize(("a", "b"), PERSONAL_DIFFER)
def test_personal_object(a: str, b: str) -> None:
    assert objection("personal", a, b)


@pytest.mark.parametrize(("a", "b"), PERSONAL_SAME)
def test_personal_let_pass(a: str, b: str) -> None:
    assert objection("personal", a, b) is None
