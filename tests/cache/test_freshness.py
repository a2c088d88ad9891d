"""How long an answer stays true: questions of every kind in several languages, and years around now."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.freshness import CATEGORIES, GENERAL, SECONDS, STATIC, TABLE, TEMPORAL, category_of, ttl_of

NOW = datetime(2026, 11, 15, 12, tzinfo=UTC).timestamp()

OF_THIS_MOMENT = [
    "What is the weather like in Lisbon?",
    "Will it rain tomorrow in Oslo",
    "What's the latest version of Node.js?",
    "Who is the president of France?",
    "Who's the CEO of Siemens",
    "Who is the prime minister of Japan?",
    "who are the reigning champions of the premier league",
    "What is the price of gold per ounce?",
    "How much does a Netflix subscription cost?",
    "How is Tesla stock doing?",
    "What is the exchange rate between the euro and the yen?",
    "Convert 250 USD to EUR",
    "What's the score of the Lakers game?",
    "Give me today’s headlines",
    "Any news about the strike?",
    "What time is it in Tokyo?",
    "What day of the week is it today?",
    "Is the pharmacy on Main Street open now?",
    "What are the opening hours of the Louvre?",
    "When does the next season start?",
    "What happened last week in Geneva?",
    "How many people have signed up so far?",
    "What movies came out this month?",
    "How has the market moved in the past few days?",
    "What did the senate decide two days ago?",
    "Is Jimmy Carter still alive?",
    "Has the new album been released yet?",
    "As of today, how many members does the EU have?",
    "What are the current visa rules for Brazil?",
    "Are there any flights on sale?",
    "Which team is going to win the 2027 championship?",
    "What is planned for 2030?",
    "What were the biggest hits of 2026?",
    "Events on 3 December 2026",
    "Who is the richest person in the world?",
    "What is the minimum wage nowadays?",
    "Wie wird das Wetter am Wochenende?",
    "Wer ist der Bundeskanzler?",
    "Wer ist Präsident der USA?",
    "Was kostet ein Liter Benzin?",
    "Wie spät ist es gerade eben in Sydney?",
    "Was ist vor drei Tagen in Wien passiert?",
    "Was läuft nächsten Freitag im Kino?",
    "Welche ist die neueste Version von Firefox?",
    "Quel temps fait-il aujourd'hui à Lyon ?",
    "Quel est le prix du baril de pétrole ?",
    "Qui est le premier ministre du Canada ?",
    "Qui a gagné le match hier ?",
    "Que s'est-il passé la semaine dernière ?",
    "¿Qué tiempo hace en Madrid?",
    "¿Quién es el presidente de México?",
    "¿Cuánto cuesta un billete de metro?",
    "¿Qué pasó el lunes pasado?",
    "Quem é o presidente do Brasil?",
    "Qual é a cotação do dólar?",
    "O que aconteceu há duas semanas?",
    "Chi è il presidente del consiglio?",
    "Che tempo fa a Roma?",
    "Chi ha vinto tre giorni fa?",
    "Wie is de premier van België?",
    "Wat is het laatste nieuws?",
    "Wat gebeurde er twee weken geleden?",
    "今天北京天气怎么样?",
    "現在の首相は誰ですか",
    "WHAT IS THE CURRENT POPULATION OF KENYA",
    "",
    "?!",
]

SETTLED = [
    "What is photosynthesis and how does it work?",
    "Define entropy",
    "What is a monad?",
    "What does GDP stand for?",
    "Explain the difference between TCP and UDP",
    "How does a heat pump work?",
    "Why is the sky blue?",
    "How do I reverse a list in Python?",
    "Write a regex that matches an email address",
    "Why does `x = x + 1` fail?",
    "```\nfn main() {}\n```\nWhat is wrong here?",
    "Solve 3x + 7 = 22",
    "What is 17 * 23?",
    "What is 15% of 80?",
    "What is the derivative of sin(x)?",
    "Convert 5 miles to kilometers",
    "How many feet are in a mile?",
    "Translate 'the red house' into Finnish",
    "Who won the World Cup in 1998?",
    "When was the treaty of 1848 signed?",
    "What happened in Berlin in November 1989?",
    "Who wrote Pride and Prejudice?",
    "What is the capital of Mongolia?",
    "Was ist eine Primzahl?",
    "Was bedeutet Schadenfreude?",
    "Wie funktioniert ein Kühlschrank?",
    "Berechne die Ableitung von x^2",
    "Qu'est-ce que la photosynthèse ?",
    "Que signifie le mot « dépaysement » ?",
    "¿Qué significa saudade?",
    "¿Cómo funciona un motor diésel?",
    "O que é fotossíntese?",
    "Cos'è la fotosintesi?",
    "Wat betekent gezellig?",
]

BETWEEN = [
    "Translate 'good morning' into Finnish",  # `good` may be an opinion: the safe side
    "Plan a three course dinner for six people",
    "Write a poem about the sea",
    "What is the best laptop for students?",
    "Recommend some books on gardening",
    "Should I learn Rust or Go?",
    "What is the population of Kenya?",
    "How did the economy do in 2025?",
    "How has Berlin changed since 1990?",
    "Was ist hier falsch?",
    "Nenne mir drei Städte in Österreich",
    "Donne-moi une recette de crêpes",
    "Cuéntame un chiste",
    "How tall is Mount Fuji?",
    "Where do penguins live?",
]


@pytest.mark.parametrize("text", OF_THIS_MOMENT)
def test_of_this_moment(text: str) -> None:
    assert category_of(text, NOW) == TEMPORAL


@pytest.mark.parametrize("text", SETTLED)
def test_settled(text: str) -> None:
    assert category_of(text, NOW) == STATIC


@pytest.mark.parametrize("text", BETWEEN)
def test_between(text: str) -> None:
    assert category_of(text, NOW) == GENERAL


def test_there_are_enough_questions_and_none_stands_twice() -> None:
    everything = [*OF_THIS_MOMENT, *SETTLED, *BETWEEN]
    assert len(set(everything)) == len(everything) >= 100


@pytest.mark.parametrize(
    ("year", "category"),
    [(1500, GENERAL), (1799, GENERAL), (1800, STATIC), (1998, STATIC), (2024, STATIC), (2025, GENERAL),
     (2026, TEMPORAL), (2027, TEMPORAL), (2101, TEMPORAL), (2102, GENERAL), (9999, GENERAL)],
)  # fmt: skip
def test_a_year_is_history_only_when_it_is_settled(year: int, category: str) -> None:
    assert category_of(f"Who won in {year}?", NOW) == category


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("Compare 1998 and 2025", GENERAL),
        ("Compare 1998 and 2026", TEMPORAL),
        ("Order 19987 of 1-800-1998", STATIC),
        ("What changed since 1998?", GENERAL),
        ("Who won in ２０２６?", TEMPORAL),
        ("Who won in ٢٠٢٦?", TEMPORAL),
        ("Solve x for 2026 * 3", TEMPORAL),
        ("What is the value of x² + ²²²²?", STATIC),
    ],
)
def test_the_latest_of_several_years_counts(text: str, category: str) -> None:
    assert category_of(text, NOW) == category


def test_what_is_history_depends_on_now() -> None:
    text, years = "Who won the cup in 2026?", (2025, 2026, 2027, 2028)
    moments = [datetime(year, 6, 1, tzinfo=UTC).timestamp() for year in years]
    assert [category_of(text, now) for now in moments] == [TEMPORAL, TEMPORAL, GENERAL, STATIC]
    eve = datetime(2027, 1, 1, tzinfo=UTC).timestamp()
    assert [category_of(text, now) for now in (eve - 1, eve)] == [TEMPORAL, GENERAL]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("¿Qué pasó mañana?", "¿QUE PASO MANANA?"),
        ("Quel temps aujourd'hui", "Quel temps aujourd’hui"),
        ("Wie ist der AKTUELLE Stand", "wie ist der aktuelle stand"),
        ("What’s the latest?", "whats the ＬＡＴＥＳＴ"),
        ("an up-to-date list", "an up to date list"),
        ("news!", "“News”"),
    ],
)
def test_letter_case_accents_and_signs_do_not_matter(one: str, other: str) -> None:
    assert category_of(one, NOW) == category_of(other, NOW) == TEMPORAL


@pytest.mark.parametrize("text", ["knowledge", "a snowy newsletter", "renown", "hereafter", "repriced scorer"])
def test_words_are_whole_words(text: str) -> None:
    assert category_of(text, NOW) == GENERAL


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("next Friday", TEMPORAL),
        ("the next big Friday", TEMPORAL),
        ("next very big Friday", GENERAL),
        ("next", GENERAL),
    ],
)
def test_a_unit_of_time_stands_near_to_the_word_that_makes_it_near(text: str, category: str) -> None:
    assert category_of(text, NOW) == category


def test_the_seconds_are_those_of_the_category() -> None:
    seconds = {STATIC: 9.0, GENERAL: 5.0, TEMPORAL: 0.0}
    asked = ["Define entropy", "Write a poem", "Is it raining today?"]
    assert [ttl_of(text, NOW, seconds) for text in asked] == [9.0, 5.0, 0.0]
    assert [ttl_of(text, NOW) for text in asked] == [86400.0, 14400.0, 300.0]
    assert set(SECONDS) == set(CATEGORIES)
    assert [ttl_of(text, NOW, {GENERAL: -1.0}) for text in asked] == [0.0, 0.0, 0.0]


# The table


def table() -> dict[str, Any]:
    return tomllib.loads((files("cache") / "data" / "freshness.toml").read_text("utf-8"))


def test_every_language_has_the_core_words() -> None:
    languages = {"en", "de", "fr", "es", "it", "pt", "nl"}
    assert languages <= set(table()["temporal"])
    assert languages <= set(table()["topics"])


def test_every_phrase_of_the_moment_is_found_by_itself() -> None:
    phrases = [phrase for name in ("temporal", "topics") for words in table()[name].values() for phrase in words]
    assert [phrase for phrase in phrases if category_of(phrase, NOW) != TEMPORAL] == []
    assert len(phrases) > 300


def test_every_word_of_nearness_and_every_unit_is_used() -> None:
    near = table()["near"]
    found = [category_of(f"{word} Monday", NOW) for word in near["words"]]
    found += [category_of(f"next {unit}", NOW) for unit in near["units"]]
    found += [category_of(f"Montag {word}", NOW) for word in near["after"]]
    assert set(found) == {TEMPORAL}


def test_every_pair_is_used() -> None:
    for pair in table()["pairs"]:
        assert all(category_of(f"{first} x {pair['then'][0]}", NOW) == TEMPORAL for first in pair["first"])
        assert all(category_of(f"{pair['first'][0]} x {then}", NOW) == TEMPORAL for then in pair["then"])
    assert category_of("king, who is this?", NOW) == GENERAL, "in this order only"


def test_what_may_be_of_this_moment_is_taken_to_be() -> None:
    """The moment goes before opinion, opinion before what stays."""
    for words in (TABLE.general, TABLE.static):
        for phrases in words.values():
            assert all(category_of(f"{' '.join(phrase)} today", NOW) == TEMPORAL for phrase in phrases)
    for phrases in TABLE.static.values():
        assert all(category_of(f"{' '.join(phrase)} best", NOW) in (GENERAL, TEMPORAL) for phrase in phrases)


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["next", "week", "2026", "who", "is", "ceo", "`", "1+1"])).map(" ".join)
)
def test_any_text_has_a_category(text: str) -> None:
    assert category_of(text, NOW) in CATEGORIES
    assert category_of(f"{text} today", NOW) == TEMPORAL
