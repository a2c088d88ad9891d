"""Months, weekdays, seasons, words of time, and tense."""

import pytest

from tests.cache.guarding import objection

DATES_DIFFER = [
    ("What happened in May 2020?", "What happened in June 2020?"),
    ("What happened on 2020-05-12?", "What happened on 2020-06-12?"),
    ("Is the shop open on Monday?", "Is the shop open on Tuesday?"),
    ("What is the weather today?", "What is the weather tomorrow?"),
    ("What is the weather today?", "What is the weather?"),
    ("What did he do last week?", "What did he do last month?"),
    ("What is due last week?", "What is due next week?"),
    ("Who is the former chancellor?", "Who is the chancellor?"),
    ("Who is the latest winner?", "Who is the winner?"),
    ("Where did he used to live?", "Where did he live?"),
    ("courses in the fall", "courses in the spring"),
    ("courses in winter", "courses in summer"),
    ("wake me at 6 am", "wake me at 6 pm"),
    ("Was ist heute in der Stadt los?", "Was ist morgen in der Stadt los?"),
    ("Quel temps fait il aujourd'hui dans le sud?", "Quel temps fait il demain dans le sud?"),
    ("¿Qué pasó en enero con la empresa?", "¿Qué pasó en mayo con la empresa?"),
    ("What was the price 3 days ago?", "What was the price in 3 days?"),
    ("sales this year", "sales last year"),
    ("What is the daily rate?", "What is the weekly rate?"),
    ("Who was the king now?", "Who was the king?"),
    ("as of January, who leads?", "who leads?"),
    ("the next 5 years", "the last 5 years"),
    ("hired since 2010", "hired in 2010"),
]
DATES_SAME = [
    ("What happened on 2020-05-12?", "What happened on May 12, 2020?"),
    ("What happened on 12 May 2020?", "What happened on the 12th of May 2020?"),
    ("What happened on 13/05/2020?", "What happened on 13 May 2020?"),
    ("What happened in Jan 2020?", "What happened in January 2020?"),
    ("How may I help?", "How can I help?"),
    ("Why did they march?", "Why did they walk?"),
    ("Why do leaves fall?", "Why do leaves drop?"),
    ("How does a spring work?", "How does a coil work?"),
    ("Who is the current president?", "Who is the president?"),
    ("Is it currently raining?", "Is it raining now?"),
    ("What is the newest phone?", "What is the latest phone?"),
    ("It can be used to cut wood", "It cuts wood"),
    ("the upcoming semester", "the next semester"),
    ("the coming term", "the next semester"),
    ("at 6:00 am", "at 6 am"),
    ("at 6 a.m.", "at 6 am"),
    ("I am 5 and tall", "I'm 5 and tall"),
    ("the past week", "last week"),
    ("open on Mondays", "open on Monday"),
    ("What is your last name?", "What is your surname?"),
]


@pytest.mark.parametrize(("a", "b"), DATES_DIFFER)
def test_dates_object(a: str, b: str) -> None:
    assert objection("dates", a, b)


@pytest.mark.parametrize(("a", "b"), DATES_SAME)
def test_dates_let_pass(a: str, b: str) -> None:
    assert objection("dates", a, b) is None


TENSE_DIFFER = [
    ("Who was the CEO of the bank?", "Who is the CEO of the bank?"),
    ("Where did he live?", "Where does he live?"),
    ("What were the rules?", "What are the rules?"),
    ("Was it legal?", "Is it legal?"),
    ("What did it cost?", "What will it cost?"),
    ("Were there wolves here?", "Are there wolves here?"),
    ("Why wasn't he invited?", "Why isn't he invited?"),
    ("What's her job?", "What was her job?"),
    ("Did the car start?", "Does the car start?"),
    ("Who were the owners?", "Who are the owners?"),
    ("Did it rain?", "Will it rain?"),
    ("How was the food?", "How is the food?"),
    ("When did the show begin?", "When does the show begin?"),
    ("Was I right?", "Am I right?"),
    ("Which were the rules?", "Which are the rules?"),
]
TENSE_SAME = [
    ("Who was the CEO of the bank?", "Who was the bank's CEO?"),
    ("Was the car liked by Jo?", "Did Jo like the car?"),
    ("Who is the CEO?", "Who's the CEO?"),
    ("List the rules", "What were the rules?"),
    ("List the rules", "What are the rules?"),
    ("Is it known who was here?", "Who was here?"),
    ("What is it?", "What will it be?"),
    ("Where are the keys?", "Where do the keys lie?"),
    ("capital of France", "What is the capital of France?"),
    ("Did he say what it is?", "What is it?"),
    ("Are there rules?", "Is there a rule?"),
    ("Were there rules?", "Was there a rule?"),
    ("Tell me what was said", "What was said"),
    ("Has it begun?", "Did it begin?"),
    ("How do I go?", "How can I go?"),
]


@pytest.mark.parametrize(("a", "b"), TENSE_DIFFER)
def test_tense_object(a: str, b: str) -> None:
    assert objection("tense", a, b)


@pytest.mark.parametrize(("a", "b"), TENSE_SAME)
def test_tense_let_pass(a: str, b: str) -> None:
    assert objection("tense", a, b) is None
