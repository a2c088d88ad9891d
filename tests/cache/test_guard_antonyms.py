"""Words that exclude each other, aggregates, and degrees."""

import pytest

from tests.cache.guarding import objection

ANTONYMS_DIFFER = [
    ("How can I become more patient?", "How can I become less patient?"),
    ("Which has the most users?", "Which has the least users?"),
    ("the largest lake", "the smallest lake"),
    ("before the war", "after the war"),
    ("cats and dogs that bark", "cats or dogs that bark"),
    ("turn on dark mode", "turn off dark mode"),
    ("enable 2FA", "disable 2FA"),
    ("How do I buy shares?", "How do I sell shares?"),
    ("push to the branch", "pull to the branch"),
    ("uploading a file", "downloading a file"),
    ("Is the door open?", "Is the door closed?"),
    ("Turn left at the lights", "Turn right at the lights"),
    ("Is he tall?", "Is she tall?"),
    ("male nurses", "female nurses"),
    ("sort in ascending order", "sort in descending order"),
    ("Did all of them pass?", "Did none of them pass?"),
    ("at least five", "at most five"),
    ("pros of nuclear power", "cons of nuclear power"),
    ("causes of the flood", "effects of the flood"),
    ("North Korea", "South Korea"),
    ("Who won the match?", "Who lost the match?"),
    ("the cheapest flight", "the costliest flight"),
    ("borrowing money", "lending money"),
    ("increases in price", "decreases in price"),
    ("her brother", "her sister"),
    ("Wer hat das Spiel gewonnen?", "Wer hat das Spiel verloren?"),
    ("Quelle est la plus grande ville?", "Quelle est la plus petite ville?"),
    ("¿Cuáles son las ventajas de la bici?", "¿Cuáles son las desventajas de la bici?"),
    ("the best film", "the worst film"),
    ("arrivals at the airport", "departures at the airport"),
    ("Who accepted the offer?", "Who rejected the offer?"),
]
ANTONYMS_SAME = [
    ("How do I buy shares?", "How do I purchase shares?"),
    ("turn on dark mode", "enable dark mode"),
    ("the largest lake", "the biggest lake"),
    ("pros of nuclear power", "advantages of nuclear power"),
    ("before the war", "prior to the war"),
    ("How do I raise it?", "How do I increase it?"),
    ("more or less", "less or more"),
    ("cats and dogs", "dogs and cats"),
    ("reasons for the flood", "causes of the flood"),
    ("the lake", "the largest lake"),
    ("Is the door open?", "Was the door opened?"),
    ("delete a file", "remove a file"),
    ("cheap flights", "inexpensive flights"),
    ("every student", "all students"),
    ("any student", "some student"),
    ("quick meals", "fast meals"),
    ("What is the answer to the question?", "What is the question?"),
]


@pytest.mark.parametrize(("a", "b"), ANTONYMS_DIFFER)
def test_antonyms_object(a: str, b: str) -> None:
    assert objection("antonyms", a, b)


@pytest.mark.parametrize(("a", "b"), ANTONYMS_SAME)
def test_antonyms_let_pass(a: str, b: str) -> None:
    assert objection("antonyms", a, b) is None


AGGREGATES_DIFFER = [
    ("average price of cars", "price of cars"),
    ("average price of cars", "total price of cars"),
    ("median age", "average age"),
    ("sum of all fees", "average of all fees"),
    ("percentage of women", "women"),
    ("difference between A and B", "sum of A and B"),
    ("cumulative sales", "sales"),
    ("the standard deviation", "the average"),
    ("Who only eats meat?", "Who eats meat?"),
    ("total sales", "sales"),
    ("ratio of men to women", "men and women"),
    ("fraction of users", "users"),
    ("mean of the scores", "median of the scores"),
    ("combined income", "income"),
    ("How do they differ?", "How do they work?"),
]
AGGREGATES_SAME = [
    ("average price", "avg price"),
    ("average price", "on average the price"),
    ("total sales", "sum of sales"),
    ("What is the total number of users?", "How many users are there?"),
    ("How many users are there in total?", "How many users are there?"),
    ("What does it mean?", "What is its meaning?"),
    ("How do they differ?", "What is the difference?"),
    ("percentage of women", "proportion of women"),
    ("the price", "the cost"),
    ("standard deviation", "variance"),
    ("differences between A and B", "difference between A and B"),
    ("exclusively for men", "only for men"),
    ("What do you mean?", "What is that?"),
    ("the averages", "the average"),
    ("altogether", "in total"),
]


@pytest.mark.parametrize(("a", "b"), AGGREGATES_DIFFER)
def test_aggregates_object(a: str, b: str) -> None:
    assert objection("aggregates", a, b)


@pytest.mark.parametrize(("a", "b"), AGGREGATES_SAME)
def test_aggregates_let_pass(a: str, b: str) -> None:
    assert objection("aggregates", a, b) is None


DEGREE_DIFFER = [
    ("a large city in Texas", "the largest city in Texas"),
    ("a larger city", "a large city"),
    ("the highest point", "the high point"),
    ("an easy way", "the easiest way"),
    ("the hottest day", "the hot day"),
    ("the happiest people", "happy people"),
    ("the wider road", "the wide road"),
    ("cities in Texas", "the most populous cities in Texas"),
    ("rivers in Peru", "longest rivers in Peru"),
    ("the maximum speed", "the speed"),
    ("the top songs", "the songs"),
    ("the nicest beach", "the nicer beach"),
    ("the least known fact", "a known fact"),
    ("an older car", "an old car"),
    ("the minimum age", "the age"),
]
DEGREE_SAME = [
    ("the largest city", "the biggest city"),
    ("How is the test?", "How is the exam?"),
    ("a teacher", "to teach"),
    ("the interest", "the stake"),
    ("What do most people eat?", "What do people eat?"),
    ("at least two", "two or more"),
    ("the best way", "a way"),
    ("the owner", "to own"),
    ("forest fires", "fires in the woods"),
    ("the maximum speed", "the highest speed"),
    ("west of here", "left of here"),
    ("a number", "numb"),
    ("the longest river", "the longest of the rivers"),
    ("large cities", "big cities"),
    ("a request", "a wish"),
]


@pytest.mark.parametrize(("a", "b"), DEGREE_DIFFER)
def test_degree_object(a: str, b: str) -> None:
    assert objection("degree", a, b)


@pytest.mark.parametrize(("a", "b"), DEGREE_SAME)
def test_degree_let_pass(a: str, b: str) -> None:
    assert objection("degree", a, b) is None
