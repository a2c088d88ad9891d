"""What kind of answer is wanted."""

import pytest

from tests.cache.guarding import objection

KIND_DIFFER = [
    ("Is it big? Why is it big?", "Is it big?"),
    ("Who wrote it?", "When was it written?"),
    ("Where was he born?", "When was he born?"),
    ("Why is the sky blue?", "Is the sky blue?"),
    ("Why is the sky blue?", "How is the sky blue made?"),
    ("How many states are there?", "Which states are there?"),
    ("How many states are there?", "List the states"),
    ("How long is the Nile?", "Why is the Nile long?"),
    ("How old is he?", "How tall is he?"),
    ("How far is it?", "How often is it?"),
    ("Does the train stop here?", "Where does the train stop?"),
    ("Who is the owner?", "Where is the owner?"),
    ("How do I cook rice?", "Why do I cook rice?"),
    ("Is rice healthy?", "How do I cook rice?"),
    ("When does it open?", "Does it open?"),
    ("What is the number of rooms?", "What are the rooms?"),
    ("How do I get there?", "How long does it take?"),
    ("Who was it?", "Why was it?"),
    ("Count the users", "List the users"),
]
KIND_SAME = [
    ("What is the number of states?", "How many states are there?"),
    ("List the states", "What are the states?"),
    ("Show me all states", "Give the states"),
    ("Who wrote it?", "Which authors wrote it?"),
    ("When was it built?", "In what year was it built?"),
    ("Where is it?", "What is the location of it?"),
    ("Why does it rain?", "What causes rain?"),
    ("Why does it rain?", "How come it rains?"),
    ("How do I cook rice?", "What is the best way to cook rice?"),
    ("How do I cook rice?", "What are the steps to cook rice?"),
    ("How much is it?", "What is the price?"),
    ("How tall is it?", "What is its height?"),
    ("Can you tell me who wrote it?", "Who wrote it?"),
    ("Are there any rooms?", "Which rooms are there?"),
    ("capital of France", "What is the capital of France?"),
    ("What is your phone number?", "List your phone number"),
    ("Which city has the largest number of museums?", "Which city has the most museums?"),
    ("Wer hat das Buch und die Karte?", "Wann war das und wo?"),
    ("What happens when we die?", "What happens after death?"),
]


@pytest.mark.parametrize(("a", "b"), KIND_DIFFER)
def test_kind_object(a: str, b: str) -> None:
    assert objection("kind", a, b)


@pytest.mark.parametrize(("a", "b"), KIND_SAME)
def test_kind_let_pass(a: str, b: str) -> None:
    assert objection("kind", a, b) is None
