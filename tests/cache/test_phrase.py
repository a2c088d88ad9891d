"""What a question consists of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.phrase import LONG_PAYLOAD, Phrase, polite


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("What is the capital of France?", "capit franc"),
        ("List the names of all cities", "name all citi"),
        ("Please give me the names", "name"),
        ("Could you tell me who wrote it?", "write"),
        ("What's my name?", "my name"),
        ("Is it not his?", "not his"),
        ("Where does she live before 1990?", "she live befor 1990"),
        ("Wie heißt mein Hund?", "heisst mein hund"),
        ("Hi!\nWhat is rain?\nThanks!", "rain"),
        ("東京", "東 京"),
        ("", ""),
        ("the of and", ""),
    ],
)
def test_content(text: str, content: str) -> None:
    assert Phrase(text).content == tuple(content.split())


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is the capital?", "en"),
        ("python list sort", "en"),
        ("half a dozen eggs", "en"),
        ("Wie ist das Wetter?", "de"),
        ("Quel est le temps dans la ville?", "fr"),
        ("¿Qué es el amor?", "es"),
        ("Che cosa è la vita?", "it"),
        ("O que é isso?", "pt"),
        ("Hoe is het weer in de stad?", "nl"),
        ("天气", ""),
        ("Какая погода", ""),
        ("", "en"),
    ],
)
def test_language(text: str, language: str) -> None:
    assert Phrase(text).language == language


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        ("What is it?", ""),
        ("Translate: good morning", "good morning"),
        ("Translate:\n good\n\n morning", "good morning"),
        ("Translate this\ngood morning", "good morning"),
        ("Hello!\nWhat is it?\nThank you", ""),
        ("Question: what is it?", ""),
        ("Question: translate: a", "a"),
        ("Translate:\nThank you", "Thank you"),
        ("Fix\n```\na: b\n```", ""),
        ("", ""),
    ],
)
def test_payload(text: str, payload: str) -> None:
    assert Phrase(text).payload == payload


def test_prose_is_without_code_and_without_a_long_payload() -> None:
    assert Phrase("Fix `a`\n```\nb\n```").prose == "Fix a"
    assert Phrase("Sum up: a b").prose == "Sum up\na b"
    assert Phrase("Sum up: " + "a" * LONG_PAYLOAD).prose == "Sum up\n" + "a" * LONG_PAYLOAD
    assert Phrase("Sum up: " + "a" * (LONG_PAYLOAD + 1)).prose == "Sum up"


def test_statements_are_without_courtesies_unless_nothing_else_is_said() -> None:
    assert Phrase("Hi. What is it? Thanks!").statements == (("what", "is", "it"),)
    assert Phrase("Hi. What is it? Thanks!").words == ("hi", "what", "is", "it", "thanks")
    assert Phrase("Thanks!").statements == (("thanks",),)
    assert Phrase("Translate this. Thank you.").statements == (("translate", "this"), ("thank", "you"))


def test_a_part_is_read_once() -> None:
    seen: list[str] = []

    def read(phrase: Phrase) -> int:
        seen.append(phrase.text)
        return len(seen)

    phrase = Phrase("a")
    assert [phrase.part(read), phrase.part(read), Phrase("b").part(read)] == [1, 1, 2]
    assert seen == ["a", "b"]


def test_what_is_polite() -> None:
    assert polite("Thanks in advance!")
    assert polite("Could you help me with this?")
    assert polite("...")
    assert not polite("What is it?")
    assert not polite("thanks " * 40)


@given(st.text())
def test_no_text_fails(text: str) -> None:
    phrase = Phrase(text)
    assert len(phrase.content) <= len(phrase.asked) <= len(phrase.words)
    assert all(phrase.content)
    assert all(phrase.words)
    assert all(phrase.statements)
    assert all(phrase.sentences)
    assert Phrase(text).content == phrase.content
