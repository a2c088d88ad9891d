import pytest

from cache.labels import MOST, BadLabel, distinct, entry_label, file_label, tag_of, tags_of


def test_tags_of_a_header_line_are_told_apart_by_commas_and_come_once():
    assert tags_of("doc:42, prompt:v7 ,doc:42,,") == ("doc:42", "prompt:v7")
    assert tags_of("") == ()


@pytest.mark.parametrize("text", ["", "a b", "a,b", 'a"b', "a\n", "x" * 257, "file:/etc/passwd", "entry:00"])
def test_what_is_no_tag_is_refused(text):
    with pytest.raises(BadLabel):
        tag_of(text)


def test_a_tag_may_be_as_long_as_it_says():
    assert tag_of("x" * 256) == "x" * 256


def test_an_entry_has_a_bounded_number_of_labels():
    many = [str(number) for number in range(MOST)]
    assert distinct([*many, "0"]) == tuple(many)
    with pytest.raises(BadLabel, match="64 labels"):
        distinct([*many, "one more"])


def test_labels_of_things_say_of_which_kind_they_are():
    assert entry_label(b"\x01\xff") == "entry:01ff"
    assert file_label("/a/b") == "file:/a/b"
