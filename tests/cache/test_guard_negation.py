"""Negators in several languages, prefixes and suffixes."""

import pytest

from tests.cache.guarding import objection

NEGATION_DIFFER = [
    ("Is it normal to lie?", "Is it normal not to lie?"),
    ("Can I eat it?", "Can't I eat it?"),
    ("Why does it work?", "Why doesn't it work?"),
    ("Why does it work?", "Why doesnt it work?"),
    ("coffee with sugar", "coffee without sugar"),
    ("students who passed", "students who never passed"),
    ("Is it legal here?", "Is it illegal here?"),
    ("Is that possible?", "Is that impossible?"),
    ("clinical studies", "nonclinical studies"),
    ("How do I get sick?", "How do I avoid getting sick?"),
    ("make the dog bark", "stop the dog barking"),
    ("all but the last", "all except the last"),
    ("Why do some have it?", "Why do some lack it?"),
    ("Is he able to walk?", "Is he unable to walk?"),
    ("Did it succeed?", "Did it fail to succeed?"),
    ("Ist das erlaubt in der Stadt?", "Ist das nicht erlaubt in der Stadt?"),
    ("Ist das mit dem Hund?", "Ist das ohne den Hund?"),
    ("C'est possible dans le train?", "Ce n'est pas possible dans le train?"),
    ("¿Puedo ir con la bici?", "¿No puedo ir con la bici?"),
    ("Posso andare con il cane?", "Non posso andare con il cane?"),
    ("Posso ir com o cão?", "Não posso ir com o cão?"),
    ("Mag ik met de hond?", "Mag ik niet met de hond?"),
    ("What advantages does it have?", "What disadvantages does it have?"),
]
NEGATION_SAME = [
    ("Is it not legal?", "Is it illegal?"),
    ("Is that not possible?", "Is that impossible?"),
    ("Why doesn't it work?", "Why does it not work?"),
    ("I can't go", "I cannot go"),
    ("people without shoes", "people who have no shoes"),
    ("Is it good or not?", "Is it good?"),
    ("Why not go?", "Why go?"),
    ("What is No. 5?", "What is number 5?"),
    ("dont go", "don't go"),
    ("How do I stop smoking?", "How do I quit smoking?"),
    ("It's not only cheap", "It's cheap"),
    ("Wie komme ich ohne Auto in die Stadt?", "Wie komme ich in die Stadt ohne Auto?"),
    ("Why is it under the table?", "Why is it on the table?"),
    ("What is inside?", "What is in it?"),
    ("She has never been here", "She has not been here"),
    ("Is this an island?", "Is this an isle?"),
]


@pytest.mark.parametrize(("a", "b"), NEGATION_DIFFER)
def test_negation_object(a: str, b: str) -> None:
    assert objection("negation", a, b)


@pytest.mark.parametrize(("a", "b"), NEGATION_SAME)
def test_negation_let_pass(a: str, b: str) -> None:
    assert objection("negation", a, b) is None


OPPOSITES_DIFFER = [
    ("How do I import it?", "How do I export it?"),
    ("Is it internal?", "Is it external?"),
    ("increase it", "decrease it"),
    ("Was it overestimated?", "Was it underestimated?"),
    ("prewar art", "postwar art"),
    ("hyperglycemia signs", "hypoglycemia signs"),
    ("the macroeconomy", "the microeconomy"),
    ("Is it useful?", "Is it useless?"),
    ("careful people", "careless people"),
    ("sugar drinks", "sugarless drinks"),
    ("How to ascend?", "How to descend?"),
    ("inhale slowly", "exhale slowly"),
    ("homogeneous mixtures", "heterogeneous mixtures"),
    ("interstate trade", "intrastate trade"),
    ("include it", "exclude it"),
]
OPPOSITES_SAME = [
    ("How do I import it?", "How do I bring it in?"),
    ("useful tools", "handy tools"),
    ("careful people", "cautious people"),
    ("Is it internal?", "Is it inside?"),
    ("increase it", "raise it"),
    ("prewar art", "art before the war"),
    ("careless people", "careless folks"),
    ("What is a macro?", "What is a shortcut?"),
    ("the upside", "the benefit"),
    ("an overcoat", "a coat"),
    ("include it", "add it"),
    ("the interest", "the stake"),
    ("the deal", "the real thing"),
    ("in", "ex"),
    ("inhale slowly", "breathe in slowly"),
]


@pytest.mark.parametrize(("a", "b"), OPPOSITES_DIFFER)
def test_opposites_object(a: str, b: str) -> None:
    assert objection("opposites", a, b)


@pytest.mark.parametrize(("a", "b"), OPPOSITES_SAME)
def test_opposites_let_pass(a: str, b: str) -> None:
    assert objection("opposites", a, b) is None
