"""Word lists: their expressions are found, the longest first; what was found is compared."""

import tomllib
from importlib.resources import files

import pytest

from cache.guard_lists import Found, Lexicon, listed, table, unequal, valued
from cache.veto import Veto

LEXICON = Lexicon({"time": ["as of", "now", "right now"], "right": ["right"], "other": ["now"]})


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([], []),
        (["right"], [Found("right", 0, 1)]),
        (["right", "now"], [Found("time", 0, 2)]),
        (["now", "right"], [Found("time", 0, 1), Found("other", 0, 1), Found("right", 1, 2)]),
        (["as", "if"], []),
        (["as", "as", "of"], [Found("time", 1, 3)]),
        (["as"], []),
        (["now", "now"], [Found("time", 0, 1), Found("other", 0, 1), Found("time", 1, 2), Found("other", 1, 2)]),
    ],
)
def test_the_longest_expression_is_found_and_none_within_it(words: list[str], found: list[Found]) -> None:
    assert LEXICON.find(words) == found
    assert LEXICON.meanings(words) == {each.meaning for each in found}


def test_a_list_is_a_string_of_words_or_an_array_of_expressions() -> None:
    assert listed("a b\n c") == ["a", "b", "c"]
    assert listed(["a b", "c"]) == ["a b", "c"]
    assert valued("one=1 two=2\nminus=-") == {"one": "1", "two": "2", "minus": "-"}


def test_what_differs_is_told_as_often_as_it_does() -> None:
    assert unequal("x", "aab", "baa") is None
    assert unequal("x", "aab", "abc") == Veto("x", ("a",), ("c",))
    assert unequal("x", [], ["b"]) == Veto("x", (), ("b",))


def test_every_list_is_read_and_holds_no_expression_that_no_text_can_have() -> None:
    names = [
        file.name.removesuffix(".toml") for file in (files("cache") / "data").iterdir() if file.name[-5:] == ".toml"
    ]
    assert len(names) >= 9
    for name in names:
        assert table(name) is table(name)
        text = (files("cache") / "data" / f"{name}.toml").read_text("utf-8")
        assert tomllib.loads(text) == table(name)
        # Words are compared without letter case and without apostrophes.
        for value in strings(table(name)):
            assert value == value.casefold(), value
            assert "'" not in value, value


def strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for each in value.values() for text in strings(each)]
    return [text for each in value for text in strings(each)] if isinstance(value, list) else []
