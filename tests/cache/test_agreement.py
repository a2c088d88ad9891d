"""Pairs of answers, and what can be told of them without asking a model."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cache.agreement import compare, normalised

PROSE = "Water boils at a lower temperature on a mountain because the air presses less on it."
PYTHON = "def add(a, b):\n    return a + b\n"


def fenced(code: str, name: str = "python") -> str:
    return f"```{name}\n{code}```"


SAME = [
    (PROSE, PROSE),
    (PROSE, f"  {PROSE.upper()}  \n"),
    (PROSE, f"**{PROSE.rstrip('.')}**"),
    (PROSE, f"Sure! {PROSE}"),
    (PROSE, f"Great question! {PROSE} I hope this helps!"),
    (PROSE, f"{PROSE}\n\nLet me know if you have any other questions."),
    (f"Here is a short explanation:\n\n{PROSE}", PROSE),
    ("Of course! Here's the list:\n- milk\n- bread", "* milk\n* bread"),
    ("1. milk\n2. bread", "- milk\n- bread"),
    ("# Title\n\ntext", "Title text"),
    ("It’s “done”", 'It\'s "done".'),
    ("ＡＢＣ　１２３", "abc 123"),
    ("Natürlich! Die Antwort steht unten", "Die Antwort steht unten."),
    ("当然可以！水在一百度沸腾。", "水在一百度沸腾"),
    ("Paris", "paris."),
    ("**Paris**", "The answer is Paris."),
    ("The Pacific Ocean", "Pacific Ocean."),
    ("Yes", "Yes, it is."),
    ("Yeah.", "Yes!"),
    ("True", "Yes"),
    ("Nein.", "nein"),
    ("No", "No, they can't."),
    ("42", "forty-two"),
    ("42", "The answer is 42."),
    ("42", "42.0"),
    ("42", "\\boxed{42}"),
    ("$42$", "42"),
    ("1,234,567", "1234567"),
    ("1 234 567", "1,234,567"),
    ("1,234", "1234"),
    ("about 300", "300"),
    ("$5", "5 dollars"),
    ("$1.5 million", "1,500,000 USD"),
    ("5 km", "5000 m"),
    ("5 kilometers", "5 km."),
    ("90 minutes", "1.5 hours"),
    ("12 inches", "1 foot"),
    ("50%", "50 percent"),
    ("8 planets", "There are eight planets."),
    ("42 years old", "42 years"),
    ("two hundred and five", "205"),
    ("There are 3 states", "There are three states."),
    ("B", "(B)"),
    ("MP3", "mp3"),
    ("B", "Option B"),
    ("B", "B) Paris"),
    ("The answer is C.", "C"),
    ("Use `os.path`", "Use os.path"),
    ('{"a": 1, "b": [true, null]}', '{"b":[true,null],"a":1.0}'),
    ('```json\n{"a": 1}\n```', '{"a":1}'),
    (fenced(PYTHON), fenced(PYTHON, "")),
    (fenced(PYTHON), fenced("# adds\ndef add(a,b):\n  return a+b  # sum\n")),
    (f"Sure! Here's the code:\n{fenced(PYTHON)}", f"Here is the function:\n{fenced(PYTHON)}"),
]

DIFFERENT = [
    ("Yes", "No"),
    ("Yes, you can do that with a second account.", "No, a second account is not allowed here."),
    ("Sure! Yes, it works.", "No. It has not worked since version 2."),
    ("True", "False"),
    ("Oui", "Non"),
    ("はい", "いいえ"),
    ("是的", "不是"),
    ("42", "43"),
    ("forty-two", "24"),
    ("1500", "1,600"),
    ("-5", "5"),
    ("5 km", "9 km"),
    ("5 km", "600 m"),
    ("$5", "$50"),
    ("3 million", "3 billion"),
    ("8 planets", "nine planets"),
    ("A", "B"),
    ("(a)", "Option C"),
    ("B) Paris", "C) Rome"),
    ("The shop is open on Sundays.", "The shop is not open on Sundays."),
    ("It works on Linux", "It never works on Linux"),
    ("You can return it.", "You cannot return it."),
    ("You can return it.", "You can't return it."),
    ("Das geht.", "Das geht nicht."),
    ("The limit is 20 requests per minute.", "The limit is 60 requests per minute."),
    ("It was founded in 1998 in Ohio.", "It was founded in 1989 in Ohio."),
    ('{"total": 12}', '{"total": 13}'),
    ('{"ok": true, "name": "x"}', '{"ok": false, "name": "y"}'),
    ("[1, 2, 3]", "[1, 3, 2]"),
    (fenced(PYTHON), fenced(PYTHON.replace("+", "-"))),
    (fenced("sleep(5)\n"), fenced("sleep(50)\n")),
    (fenced('open("a.txt")\n'), fenced('open("b.txt")\n')),
]

UNKNOWN = [
    (PROSE, "Less air pressure up there means that water needs less heat to boil."),
    ("Paris", "London"),
    ("USA", "The United States of America"),
    ("Yes, on Mondays.", "Yes, but only on Sundays."),
    ("Yes", "It depends on the size."),
    ("No problem, I will do that.", "Yes, I will do that."),
    ("No. 5 is the best one", "Yes, it is the best one"),
    ("about 300", "320"),
    ("10²", "102"),
    ("3½", "31 / 2"),
    ("3.14", "3.14159"),
    ("5 km", "3.1 miles"),
    ("5 km", "5"),
    ("5 km", "5 kg"),
    ("1,234", "1.234"),
    ("20 °C", "68 °F"),
    ("12 apples", "13 pears"),
    ("A and C", "A"),
    ("(A) and (C)", "(A)"),
    ("(A), (B)", "(C)"),
    ("X7kq", "x7kq"),
    ("B) Paris", "B) Rome"),
    ("1. Paris", "2. Paris"),
    ("getName", "getname"),
    ("abC123", "ABc123"),
    ("It is open, not closed, I think", "It is not open, I think, closed"),
    ("The 3 rules are old", "The 3 laws are old"),
    ("", "Paris"),
    ("!!!", "..."),
    ('{"name": "Ann"}', '{"name": "Anna"}'),
    ('{"a": 1}', '{"a": 1, "b": 2}'),
    ('{"a": 1}', "The value of a is 1"),
    (fenced(PYTHON), "a + b"),
    (fenced(PYTHON), fenced(PYTHON.replace("a", "x"))),
    (fenced(PYTHON), fenced("add = lambda a, b: a + b\n")),
    (fenced("if a:\n    b()\n    c()\n"), fenced("if a:\n    b()\nc()\n")),
    (fenced("say('x')\n"), fenced('say("x")\n')),
    (f"Use this:\n{fenced(PYTHON)}", f"Never use this, it is slow, whatever they say:\n{fenced(PYTHON)}"),
]

PAIRS = [(a, b, told) for told, pairs in ((True, SAME), (False, DIFFERENT), (None, UNKNOWN)) for a, b in pairs]


@pytest.mark.parametrize(("a", "b", "told"), PAIRS)
def test_what_two_answers_tell(a, b, told):
    assert compare(a, b) is told
    assert compare(b, a) is told


TEXTS = st.text(max_size=60) | st.sampled_from([text for pair in PAIRS for text in pair[:2]])
LOOSE = st.lists(
    st.sampled_from(
        [*"0123456789.,-+*$`{}[]()'\"\n# %²½", "yes", "no", "not ", "five ", " km", "```\n", "A) ", "1,000"]
    ),
    max_size=24,
).map("".join)


@settings(max_examples=500, deadline=None)
@given(TEXTS | LOOSE, TEXTS | LOOSE)
def test_any_two_texts_in_either_order(a, b):
    assert compare(a, b) is compare(b, a)


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(), max_size=80) | LOOSE)
def test_every_text_agrees_with_itself_and_is_never_told_to_contradict_itself_in_capitals(text):
    assert compare(text, text) is True
    assert compare(text, text + " ") is not False


@pytest.mark.parametrize("text", ["\ud800", "[" * 100_000, "*" * 50_000, "`" * 50_000, "1" * 50_000, "no " * 30_000,
                                  "```\n" * 20_000, "let me know if " * 20_000, "# " * 30_000])  # fmt: skip
def test_texts_that_are_meant_to_break_it(text):
    assert compare(text, text + "x") is not True
    assert compare(text, "42") is not True


def test_what_only_dresses_an_answer_goes_and_what_it_says_stays():
    assert normalised("Sure! **Done**.") == "done"
    assert normalised("Sure!") == "sure"  # that is all there is
    assert normalised("2 * 3 and 2*3") == "2 * 3 and 2*3"
    assert normalised("McDonald asked NASA") == "McDonald asked nasa"
