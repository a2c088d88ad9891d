"""Size, script, language and length."""

import pytest

from tests.cache.guarding import objection

SIZE_DIFFER = [
    ("", "What is it?"),
    ("   ", "What is it?"),
    ("a" * 10_001, "a" * 10_002),
    ("a b " * 4000, "a c " * 4000),
    ("a" * 10_001, "a"),
    ("\n", "?"),
    ("x" * 20_000, "y" * 20_000),
    ("", "0"),
    ("\xa0", "a"),
    ("b " * 9000, "b " * 9001),
    ("\t", "tab"),
    ("word " * 3000, "word"),
    ("z" * 10_001, ""),
    ("", "😀"),
    ("q" * 10_001 + "1", "q" * 10_001 + "2"),
]
SIZE_SAME = [
    ("", ""),
    ("  ", " \n"),
    ("What?", "Why?"),
    ("a", "b"),
    ("a b " * 4000, "a  b\n" * 4000),
    ("a" * 10_001, "a" * 10_001),
    ("a" * 10_000, "b" * 10_000),
    ("?", "!"),
    ("\n\n", "\t"),
    ("x", "x"),
    (" a", "a "),
    ("😀", "😁"),
    ("0", "1"),
    ("你", "我"),
    ("a b", "a  b"),
]


@pytest.mark.parametrize(("a", "b"), SIZE_DIFFER)
def test_size_object(a: str, b: str) -> None:
    assert objection("size", a, b)


@pytest.mark.parametrize(("a", "b"), SIZE_SAME)
def test_size_let_pass(a: str, b: str) -> None:
    assert objection("size", a, b) is None


LANGUAGE_DIFFER = [
    ("What is the weather?", "Wie ist das Wetter?"),
    ("What is the weather?", "Quel est le temps dans la ville?"),
    ("What is the weather?", "天气怎么样"),
    ("What is the weather?", "Какая погода"),
    ("¿Qué es el amor y la vida?", "O que é o amor e a vida?"),
    ("नमस्ते दुनिया", "hello world"),
    ("ما هو الطقس", "What is the weather?"),
    ("天气怎么样", "天気はどうですか"),
    ("날씨 어때", "天气怎么样"),
    ("Τι είναι αυτό", "Что это"),
    ("What does 你好 mean?", "What does hello mean?"),
    ("Wie ist das Wetter in der Stadt?", "Hoe is het weer in de stad?"),
    ("Che cosa è la vita?", "Quelle est la vie?"),
    ("What is the weather?", "What is the погода?"),
    ("שלום עולם", "hello world"),
]
LANGUAGE_SAME = [
    ("What is the weather?", "weather?"),
    ("Wie ist das Wetter?", "Wie ist das Wetter heute?"),
    ("Python list sort", "What is the way to sort a list in Python?"),
    ("天气怎么样", "今天天气怎么样"),
    ("Какая погода", "погода какая"),
    ("café near me", "cafe near me"),
    ("1 + 1", "2 - 1"),
    ("", "?"),
    ("Quel est le temps?", "Quel temps est-ce dans la ville?"),
    ("rent due", "when is the rent due"),
    ("OK", "ok"),
    ("What does déjà vu mean?", "What is déjà vu?"),
    ("5 km", "5 kilometres"),
    ("½ cup", "half a cup"),
    ("naïve Bayes", "naive Bayes"),
]


@pytest.mark.parametrize(("a", "b"), LANGUAGE_DIFFER)
def test_language_object(a: str, b: str) -> None:
    assert objection("language", a, b)


@pytest.mark.parametrize(("a", "b"), LANGUAGE_SAME)
def test_language_let_pass(a: str, b: str) -> None:
    assert objection("language", a, b) is None


LENGTH_DIFFER = [
    ("cat", "cat worda wordb wordc wordd worde wordf wordg wordh wordi wordj"),
    ("red cat sleeps", "red cat sleeps near old wooden table while rain falls over small quiet village"),
    ("apple", "apple pear plum fig lime kiwi date nut corn bean"),
    ("", "pear plum fig lime kiwi date nut corn bean"),
    ("?", "river lake ocean pond creek stream sea bay gulf"),
    ("what is the", "river lake ocean pond creek stream sea bay gulf"),
    ("sun", "sun moon star comet planet dwarf giant nova hole dust"),
    ("big dog", "big dog cat cow pig hen fox owl elk bat"),
    ("one", "iron gold tin lead zinc silver copper nickel cobalt"),
    ("tea", "tea coffee milk water juice beer wine rum gin vodka"),
    ("dog", "cow pig hen fox owl elk bat ant bee"),
    ("oak", "oak elm ash fir pine yew birch beech maple cedar"),
    ("knee", "knee hip toe heel shin calf thigh elbow wrist palm"),
    ("red", "red blue green pink gray black white brown gold silver"),
    ("drum", "drum harp lute flute horn viola cello bass organ piano"),
]
LENGTH_SAME = [
    ("cat", "dog"),
    ("red cat", "red cat sleeps near the table"),
    ("", ""),
    ("", "a b c"),
    ("one two three", "one two three four five six seven eight nine"),
    ("what", "cat dog"),
    ("cat", "cat dog cow pig hen fox owl elk"),
    ("sun moon star", "sun moon star comet planet dwarf giant nova hole"),
    ("tea", "tea please"),
    ("drum", "drum kit"),
    ("oak", "the oak"),
    ("knee", "my knee hurts"),
    ("red", "red or blue"),
    ("?", "!"),
    ("big dog runs", "big dog runs over there"),
]


@pytest.mark.parametrize(("a", "b"), LENGTH_DIFFER)
def test_length_object(a: str, b: str) -> None:
    assert objection("length", a, b)


@pytest.mark.parametrize(("a", "b"), LENGTH_SAME)
def test_length_let_pass(a: str, b: str) -> None:
    assert objection("length", a, b) is None
