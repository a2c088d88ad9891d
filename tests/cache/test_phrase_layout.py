"""Code, lines, colons and quotation marks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.phrase_layout import layout, quoted, split_at_colon, trimmed


def test_code_in_fences_is_taken_out_with_its_indentation() -> None:
    found = layout("Fix this.\n```Python\nif a:  \n    b()\n```\nand `c d` too\n\n~~~\ne\n~~~")
    assert found.blocks == ("if a:\n    b()", "e")
    assert found.tags == ("python", "")
    assert found.inline == ("c d",)
    assert found.lines == ("Fix this.", "and c d too")


def test_a_fence_within_a_line_and_one_that_is_never_closed() -> None:
    assert layout("Run ```x = 1``` now").blocks == ("x = 1",)
    assert layout("Run ```x = 1``` now").lines == ("Run", "now")
    assert layout("Run\n```\nx\ny").blocks == ("x\ny",)


def test_indented_lines_behind_others_are_code() -> None:
    found = layout("    Why?\n    a\n\n    b\nc\n\td")
    assert found.lines == ("Why?", "c")
    assert found.blocks == ("    a\n\n    b\n\td",)
    assert layout("Why?\n  two blanks").blocks == ()


def test_white_space_within_lines_is_one_blank() -> None:
    assert layout("  a   b\t c \n\n d ").lines == ("a b c", "d")
    assert layout("").lines == layout(" \n ").lines == ()


def test_trimmed_keeps_what_counts() -> None:
    assert trimmed("\n\n  a \n\n b\t\n\n") == "  a\n\n b"


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("Translate: a b", ("Translate", "a b")),
        ("Translate:", ("Translate", "")),
        ("Translate:a", ("Translate", "a")),
        ("Translate: 5", ("Translate", "5")),
        ("翻译：你好", ("翻译", "你好")),
        ("a: b: c", ("a", "b: c")),
        ("see http://a.b", None),
        ("std::map", None),
        ("at 3:45", None),
        ("C:\\a", None),
        (" : a", None),
        ("none", None),
    ],
)
def test_colons(line: str, parts: tuple[str, str] | None) -> None:
    assert split_at_colon(line) == parts


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('say "a b" and "c."', ("a b", "c")),
        ("“a” „b“ «c» « d » »e« ‹f› 「g」『h』‘i’ 'j'", ("a", "b", "c", "d", "e", "f", "g", "h", "i", "j")),
        ("don't and can't", ()),
        ("the boys' toys", ()),
        ("'it's me'", ("it's me",)),
        ('5" nails', ()),
        ('""', ()),
        ("none", ()),
    ],
)
def test_quotation_marks_of_all_kinds(text: str, found: tuple[str, ...]) -> None:
    assert quoted(text) == found


@given(st.text(alphabet=st.sampled_from("a`~\n \t:'\"“”«»：1")))
def test_no_text_fails(text: str) -> None:
    found = layout(text)
    assert len(found.blocks) == len(found.tags)
    assert all(line == " ".join(line.split()) and line for line in found.lines if "`" not in text)
    for line in found.lines:
        split_at_colon(line)
        assert all(quoted(line))
