"""Numbers in digits, in words, in other scripts; what only looks like a number."""

import pytest

from tests.cache.guarding import objection

NUMBERS_DIFFER = [
    ("How do I lose 40 pounds?", "How do I lose 49 pounds?"),
    ("Name three rivers", "Name four rivers"),
    ("What is 5% of 80?", "What is 15% of 80?"),
    ("Is -5 a valid temperature?", "Is 5 a valid temperature?"),
    ("What does RFC 2616 say?", "What does RFC 2617 say?"),
    ("What changed in Python 3.1?", "What changed in Python 3.10?"),
    ("upgrade to 3.11.2", "upgrade to 3.11.3"),
    ("Is half of it enough?", "Is a third of it enough?"),
    ("Who won World War II?", "Who won World War III?"),
    ("What is type I error?", "What is type II error?"),
    ("Is 1.000 a lot?", "Is 1000 a lot?"),
    ("How much is 2.5k?", "How much is 25k?"),
    ("a dozen eggs", "two dozen eggs"),
    ("Who was the first president?", "Who was the second president?"),
    ("कमरे में ५ लोग हैं", "कमरे में ६ लोग हैं"),
    ("كم عدد ٣ كتب", "كم عدد ٤ كتب"),
    ("1２ apples", "13 apples"),
    ("三个苹果多少钱", "四个苹果多少钱"),
    ("Wie viel sind zwei Liter Milch in der Küche?", "Wie viel sind drei Liter Milch in der Küche?"),
    ("¿Cuánto es dos más la luz?", "¿Cuánto es tres más la luz?"),
    ("I have 3 apples and 5 pears", "I have 5 apples and 3 pears"),
    ("How tall is he?", "How tall is 1 of them?"),
    ("twenty-one days", "twenty-two days"),
    ("a 1/2 cup", "a 1/4 cup"),
    ("Give me one example", "Give me two examples"),
    ("about 1,00,000 rupees", "about 10,000 rupees"),
    ("twice the dose", "three times the dose"),
    ("Was it chapter 4?", "Was it chapter 5?"),
]
NUMBERS_SAME = [
    ("1,000 users", "1000 users"),
    ("one thousand users", "1000 users"),
    ("2.5k users", "2500 users"),
    ("5 million people", "5,000,000 people"),
    ("1.5 million people", "1500000 people"),
    ("It costs 1.000,50 today", "It costs 1000.50 today"),
    ("the 3rd of them", "the third of them"),
    ("World War II", "World War 2"),
    ("the Second World War", "the 2nd World War"),
    ("twelve eggs", "a dozen eggs"),
    ("half a dozen eggs", "six eggs"),
    ("1/2 of the cake", "half of the cake"),
    ("½ of the cake", "0.5 of the cake"),
    ("three quarters of it", "3/4 of it"),
    ("twenty-one days", "21 days"),
    ("two hundred and five days", "205 days"),
    ("Which one is better?", "Which is better?"),
    ("How does one cook rice?", "How do I cook rice?"),
    ("What is your first name?", "What is your given name?"),
    ("५ लोग", "5 लोग"),
    ("٣ كتب", "3 كتب"),
    ("１２ apples", "12 apples"),
    ("twice the dose", "double the dose"),
    ("as of 2019, what was the 1st single in 1990", "what was the 1st single in 1990 as of 2019"),
    ("zwei Hunde und die Katze", "2 Hunde und die Katze"),
    ("wait 60 seconds", "wait sixty seconds"),
    ("A cat ran", "The cats ran"),
    ("Is #1 good?", "Is number 1 good?"),
]


@pytest.mark.parametrize(("a", "b"), NUMBERS_DIFFER)
def test_numbers_object(a: str, b: str) -> None:
    assert objection("numbers", a, b)


@pytest.mark.parametrize(("a", "b"), NUMBERS_SAME)
def test_numbers_let_pass(a: str, b: str) -> None:
    assert objection("numbers", a, b) is None
