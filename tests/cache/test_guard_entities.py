"""Names and what is written like one."""

import pytest

from tests.cache.guarding import objection

ENTITIES_DIFFER = [
    ("Is Samuel Adams evil?", "Is Tyler Long evil?"),
    ("Where is Paris?", "Where is Rome?"),
    ("Who is the CEO of Apple?", "Who is the CEO?"),
    ("Is Jo English?", "Is Jo famous?"),
    ("What does NASA do?", "What does ESA do?"),
    ("What does NASA do?", "what does the agency do?"),
    ("Is the iPhone good?", "Is the Galaxy good?"),
    ("Obama's wife", "Trump's wife"),
    ("Tyler Long is evil, right?", "Jamie Cruz is evil, right?"),
    ("What is the capital of Texas?", "what is the capital of montana"),
    ("What does 你好 mean?", "What does 再见 mean?"),
    ("How good is YouTube?", "How good is Vimeo?"),
    ("Vitamin C for colds", "Vitamin D for colds"),
    ("How do I fly to Iran?", "How do I fly to Iraq?"),
    ("Is Austria big?", "Is Australia big?"),
    ("Did the Germans win?", "Did the Danes win?"),
    ("HOW DO I GET TO PARIS", "HOW DO I GET TO ROME"),
    ("Kalamazoo is in which state?", "Rochester is in which state?"),
    ("Where Is The Famous Samuel Adams Buried?", "Where Is The Famous Tyler Long Buried?"),
    ("Berlin's mayor", "Hamburg's mayor"),
]
ENTITIES_SAME = [
    ("Where is Paris?", "where is paris"),
    ("What is machine learning?", "What is ML?"),
    ("What is Machine Learning?", "What is ML?"),
    ("What does the UK pay?", "What does the United Kingdom pay?"),
    ("Who leads the U.S.?", "Who leads the United States?"),
    ("Students in India", "Indian students"),
    ("Who is the CEO?", "who is the ceo"),
    ("WHERE IS THE NEAREST BANK", "Where is the nearest bank"),
    ("How To Cook Rice Without Burning Anything", "How to cook rice without burning anything"),
    ("Is it 5 KM?", "Is it 5 km?"),
    ("What is GitHub?", "What is git hub?"),
    ("The car is red", "A car is red"),
    ("I think it's fine", "it's fine, I think"),
    ("MacBook Pros", "the MacBook Pro"),
    ("Explain recursion", "What is recursion?"),
    ("Can Tom's dog bark?", "Can the dog of Tom bark?"),
]


@pytest.mark.parametrize(("a", "b"), ENTITIES_DIFFER)
def test_entities_object(a: str, b: str) -> None:
    assert objection("entities", a, b)


@pytest.mark.parametrize(("a", "b"), ENTITIES_SAME)
def test_entities_let_pass(a: str, b: str) -> None:
    assert objection("entities", a, b) is None
