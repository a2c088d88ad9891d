"""What is counted: spelled out and abbreviated."""

import pytest

from tests.cache.guarding import objection

UNITS_DIFFER = [
    ("How far is 5 km?", "How far is 5 miles?"),
    ("I lost 40 pounds", "I lost 40 kilograms"),
    ("I lost 40 lbs", "I lost 40 kg"),
    ("in 9 weeks", "in 9 months"),
    ("a 3 day trip", "a 3 hour trip"),
    ("How many minutes is that?", "How many seconds is that?"),
    ("Is $5 too much?", "Is €5 too much?"),
    ("Is 5 USD too much?", "Is 5 CAD too much?"),
    ("£20 for lunch", "20 dollars for lunch"),
    ("Set it to 20°C", "Set it to 20°F"),
    ("20 degrees Celsius", "20 degrees Fahrenheit"),
    ("a 500 GB disk", "a 500 MB disk"),
    ("What is 5% of it?", "What is 5 of it?"),
    ("Convert 10 feet to metres", "Convert 10 feet to yards"),
    ("How many pounds are in it?", "How many kg are in it?"),
    ("100 mph", "100 km/h"),
    ("5 ml of water", "5 l of water"),
    ("100 mg", "100 mcg"),
    ("5 Tage warten und die Zeit", "5 Wochen warten und die Zeit"),
    ("the price in euros", "the price in dollars"),
    ("in two weeks", "in two days"),
    ("60 hertz", "60 watts"),
]
UNITS_SAME = [
    ("How far is 5 km?", "How far is 5 kilometres?"),
    ("How far is 5km?", "How far is 5 kilometers?"),
    ("I lost 40 lbs", "I lost 40 pounds"),
    ("Is $5 too much?", "Is 5 dollars too much?"),
    ("Is 5 USD too much?", "Is 5 dollars too much?"),
    ("Set it to 20°C", "Set it to 20 degrees Celsius"),
    ("What is 5% of it?", "What is 5 percent of it?"),
    ("5 per cent", "5 %"),
    ("wait 10 mins", "wait 10 minutes"),
    ("100 mph", "100 miles per hour"),
    ("a 500 GB disk", "a 500 gigabyte disk"),
    ("My foot hurts", "My leg hurts"),
    ("Give me a second chance", "Give me another chance"),
    ("Which bachelor degree is best?", "Which bachelor is best?"),
    ("€20 for lunch", "20 euros for lunch"),
    ("₹500 notes", "500 rupee notes"),
    ("Is it a good day?", "Is it good?"),
    ("5 m of rope", "5 metres of rope"),
    ("a 2 hr film", "a 2 hour film"),
]


@pytest.mark.parametrize(("a", "b"), UNITS_DIFFER)
def test_units_object(a: str, b: str) -> None:
    assert objection("units", a, b)


@pytest.mark.parametrize(("a", "b"), UNITS_SAME)
def test_units_let_pass(a: str, b: str) -> None:
    assert objection("units", a, b) is None
