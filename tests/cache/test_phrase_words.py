"""Sentences, words, numerals, stems, courtesies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.phrase_words import asked, folded, fraction, normalised, numeral, sentences, stem, times


def words(text: str) -> list[str]:
    return [word for sentence in sentences(normalised(text)) for word in folded(sentence)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What's the time?", "what is the time"),
        ("I can't, won't, shan't and don't", "i can not will not shall not and do not"),
        ("dont cant cannot", "do not can not can not"),
        ("they're we've I'll I'd I'm", "they are we have i will i would i am"),
        ("John's dog and the boys' cat", "john dog and the boys cat"),
        ("let's go", "let us go"),
        ("It’s here", "it is here"),
        ("l'eau qu'il n'a d'or", "eau que il ne a de or"),
        ("O'Brien", "obrien"),
        ("C++ and C# and .NET and Node.js", "cpp and csharp and dotnet and nodejs"),
        ("the U.S. economy, e.g. jobs", "the usa economy eg jobs"),
        ("the United States and the UK", "the usa and the uk"),
        ("give us time", "give us time"),
        ("5% of $20 or €3", "5 percent of dollar 20 or euro 3"),
        ("20°C", "20 celsius"),
        ("A & B", "a and b"),
        ("w/o sugar, w/ milk", "without sugar with milk"),
        ("2020-05-12", "12 may 2020"),
        ("13/05/2020 and 05/13/2020", "13 may 2020 and 13 may 2020"),
        ("05/12/2020", "05 12 2020"),
        ("2020-13-45", "2020 13 45"),
        ("at 6:00 or 6:30 a.m.", "at 6 or 6 30 am"),
        ("COVID-19 6s EECS280", "covid 19 6 s eecs 280"),
        ("v2.10.0", "version 2.10.0"),
        ("snake_case camelCase", "snake case camelcase"),
        ("x² and 1½", "x 2 and 1 0.5"),
        ("٥ كتب", "5 كتب"),
        ("१२ लोग", "12 लोग"),
        ("कितने लोग हैं", "कितने लोग हैं"),
        ("東京の人", "東 京 の 人"),
        ("Straße STRASSE", "strasse strasse"),
        ("ｆｕｌｌ １２", "full 12"),
        ("soft\u00adhyphen zero\u200bwidth", "softhyphen zerowidth"),
        ("cafe\u0301", "café"),
        ("...!?", ""),
        ("", ""),
        ("'", ""),
        ("n't", "not"),
    ],
)
def test_words(text: str, expected: str) -> None:
    assert words(text) == expected.split()


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("1,000", "1000"),
        ("1,00,000", "100000"),
        ("1'000", "1000"),
        ("1,000.50", "1000.50"),
        ("1.000,5", "1000.5"),
        ("0,5", "0.5"),
        ("1,5", "1.5"),
        ("1.000", "1.000"),
        ("3.10", "3.10"),
        ("3.11.2", "3.11.2"),
        ("007", "007"),
        ("-5", "-5"),
        ("1/2", "0.5"),
        ("2/4", "0.5"),
        ("1/3", "1/3"),
        ("1/0", "1/0"),
        ("2.5k", "2500"),
        ("4k", "4000"),
        ("3rd", "3"),
        ("21st", "21"),
        ("9" * 5000, "9" * 5000),
        ("9" * 5000 + "k", "9" * 5000 + "x1000"),
    ],
)
def test_numerals(word: str, expected: str) -> None:
    assert numeral(word) == expected


def test_fractions_and_products() -> None:
    assert [fraction(1, 4), fraction(2, 3), fraction(4, 2), fraction(1, 0)] == ["0.25", "2/3", "2", ""]
    assert [times("1.5", 1000), times("-2", 12), times("1.0005", 100)] == ["1500", "-24", "100.05"]
    assert times("x", 2) == "xx2"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("One. Two? Three!", 3),
        ("Dr. Smith met Mr. Jones vs. the U.S. team.", 1),
        ("One\nTwo", 2),
        ("你好。再见？", 2),
        ("Is 3.5 more than 3.4?", 1),
        ("Hi, what is it?", 2),
        ("What is it, please?", 2),
        ("Make it so Thanks!", 2),
        ("Ends with Dr.", 1),
    ],
)
def test_sentences(text: str, count: int) -> None:
    assert len(sentences(normalised(text))) == count


@pytest.mark.parametrize(
    ("one", "other"),
    [("running", "run"), ("cities", "city"), ("taught", "teach"), ("children", "child"), ("won", "wins")],
)
def test_forms_of_a_word_have_one_stem(one: str, other: str) -> None:
    assert stem(one) == stem(other)


def test_what_is_no_english_word_is_its_own_stem() -> None:
    for word in ("städte", "город", "2.10.0", "ab", "a" * 41, "книги"):
        assert stem(word) == word


@pytest.mark.parametrize(
    ("sentence", "left"),
    [
        ("could you please tell me what it is", "what it is"),
        ("please list them", "list them"),
        ("thank you in advance", ""),
        ("can you help me with this", ""),
        ("hello there", ""),
        ("hello in french", "hello in french"),
        ("how do you say thank you", "how do you say thank you"),
        ("what is it", "what is it"),
        ("kannst du mir helfen", "helfen"),
    ],
)
def test_courtesies_at_the_beginning_are_left_out(sentence: str, left: str) -> None:
    assert asked(sentence.split()) == tuple(left.split())


@given(st.text())
def test_no_text_fails_and_every_word_is_one(text: str) -> None:
    found = words(text)
    assert all(found)
    assert all(not word.isspace() for word in found)
    assert words(text) == found
