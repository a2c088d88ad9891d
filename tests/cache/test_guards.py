"""All guards together: symmetric, total, silent where nothing differs; and what they catch of the measurement data."""

import gzip
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.guard_language import LARGEST
from cache.guards import GUARDS, veto, vetoes
from cache.phrase import Phrase
from cache.veto import Veto

DATA = Path(os.environ.get("WARMGATE_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")
PAIRS = DATA / "semantic" / "pairs.jsonl.gz"

PIECES = [
    *("what is the", "how many", "not", "don't", "Paris", "NASA", "iPhone 6s", "5 km", "1/2", "II", "two hundred"),
    *(
        "```",
        "`",
        "\n",
        "\n    x = 1",
        ":",
        '"',
        "'",
        "“",
        "»",
        "http://a.b/c",
        "a_b",
        "$5",
        "%",
        "½",
        "٥",
        "你好",
        "हैं",
    ),
    *("by", "from", "to", "and", "or", "she", "him", "my", "your", "most", "largest", "in May", "last week", "at 6 am"),
    *("in French", "as JSON", "for a 5 year old", "thanks", "please", "translate", "von", "le", "\u0301", "\u200d"),
    *("हैं", "-3", "ß", "\x00", "🤗"),
]
TEXTS = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join))


@given(TEXTS, TEXTS)
def test_every_guard_takes_any_two_texts_and_says_the_same_of_them_exchanged(a: str, b: str) -> None:
    for name, guard in GUARDS.items():
        one, other = guard(Phrase(a), Phrase(b)), guard(Phrase(b), Phrase(a))
        assert (one is None) == (other is None), name
        if one is not None:
            assert one.guard == name
            assert str(one).startswith(f"{name}: ")
            assert one.here or one.there


@given(TEXTS)
def test_no_guard_objects_to_a_text_and_itself(text: str) -> None:
    assert vetoes(Phrase(text), Phrase(text)) == []


@given(TEXTS)
def test_white_space_around_changes_nothing(text: str) -> None:
    if text.split() and "`" not in text and "\n" not in text:
        assert vetoes(Phrase(text.strip()), Phrase(f"\n {text.strip()} \n")) == []


def test_all_that_object_and_the_first_that_does() -> None:
    a, b = Phrase("How far is 5 km from Rome?"), Phrase("How far is 6 miles from Paris?")
    found = vetoes(a, b)
    assert [each.guard for each in found] == ["numbers", "units", "entities"]
    assert veto(a, b) == found[0] == Veto("numbers", ("5",), ("6",))
    assert [str(each) for each in found] == [
        "numbers: 5 / 6",
        "units: kilometre / mile",
        "entities: Rome / Paris",
    ]
    same = Phrase("What is 2 + 2?"), Phrase("2 + 2 is what?")
    assert vetoes(*same) == []
    assert veto(*same) is None


def test_what_is_too_long_is_refused_before_anything_of_it_is_read() -> None:
    a, b = Phrase("a " * LARGEST), Phrase("b " * LARGEST)
    assert [each.guard for each in vetoes(a, b)] == ["size"]
    first = veto(a, b)
    assert first is not None
    assert first.guard == "size"


LONG = [
    "a",
    "a ",
    "1",
    "1,",
    "-a",
    "a.",
    "_a",
    "'",
    " '",
    ' "',
    "`",
    "a:\n",
    "<",
    "é",
    "你",
    "a-",
    "@",
    "/a",
    "the ",
    "( ",
]


@pytest.mark.parametrize("piece", LONG)
def test_no_text_of_the_largest_size_takes_long(piece: str) -> None:
    """Expressions that look back and forth over a long text would run into the time limit of the tests."""
    text = (piece * LARGEST)[: LARGEST - 10]
    vetoes(Phrase(text + "x"), Phrase(text + "y"))
    vetoes(Phrase(f"What? {text}"), Phrase("What is it?"))


CAUGHT = [
    ("checklist_qqp", "number_swap"),
    ("svamp", "math_near_miss"),
    ("qqp_synth", "unit_swap"),
    ("qqp_synth", "direction_swap"),
    ("code_synth", "code_mutation"),
    ("code_synth", "code_swap"),
    ("code_synth", "code_other_task"),
    ("payload_synth", "payload_swap"),
    ("situatedqa", "temporal"),
    ("checklist_qqp", "negation"),
    ("checklist_qqp", "antonym"),
    ("checklist_qqp", "logic"),
    ("checklist_qqp", "temporal"),
    ("checklist_qqp", "role_swap"),
    ("checklist_qqp", "entity_swap"),
    ("arena_hard_synth", "constraint_added"),
    ("arena_hard_synth", "constraint_changed"),
]


@pytest.fixture(scope="module", name="rows")
def _rows() -> list[dict[str, str]]:
    if not PAIRS.exists():
        pytest.skip(f"measurement data not found at {PAIRS}: set WARMGATE_DATA")
    with gzip.open(PAIRS, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.mark.parametrize(("source", "kind"), CAUGHT)
def test_kinds_that_are_caught_entirely(source: str, kind: str, rows: list[dict[str, str]]) -> None:
    pairs = [row for row in rows if row["source"] == source and row["kind"] == kind]
    assert pairs
    assert [row["id"] for row in pairs if veto(Phrase(row["a"]), Phrase(row["b"])) is None] == []


def test_few_pairs_that_mean_the_same_are_lost(rows: list[dict[str, str]]) -> None:
    """Outside the sources whose `duplicate` is looser than `same answer`."""
    pairs = [row for row in rows if row["label"] and row["source"] != "qqp"]
    lost = sum(veto(Phrase(row["a"]), Phrase(row["b"])) is not None for row in pairs)
    assert lost <= 0.14 * len(pairs)
