from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proxy.semantic_sets import Pair, Prompt, SetError, multiturn, pairs, stream
from tests.proxy.semantics import written

PAIR = {"id": "d1", "a": "x", "b": "y", "label": 1, "source": "s", "kind": "k"}


@pytest.mark.parametrize("zipped", [False, True])
def test_plain_and_gzipped_files_are_read_whatever_their_names(tmp_path: Path, zipped: bool) -> None:
    path = written(tmp_path / "set", [PAIR, " ", {"a": "", "b": "y", "label": False}], zipped=zipped)
    assert pairs(path) == [Pair("x", "y", True, "s", "k"), Pair("", "y", False, "", "")]


def test_a_limit_reads_no_further(tmp_path: Path) -> None:
    path = written(tmp_path / "set", [PAIR, PAIR, "damaged"])
    assert len(pairs(path, 2)) == 2


def test_classes_of_different_type_differ(tmp_path: Path) -> None:
    path = written(tmp_path / "set", [{"query": "x", "cls": 1}, {"query": "y", "cls": "1", "source": "s"}])
    assert stream(path) == [Prompt("x", "1", ""), Prompt("y", '"1"', "s")]


def test_requests_say_where_they_stand(tmp_path: Path) -> None:
    path = written(tmp_path / "set", ["", {"a": {"messages": []}, "b": {}, "label": 0}])
    (found,) = multiturn(path)
    assert found.a == {"messages": []}
    assert found.place == f"{path}:2"


@pytest.mark.parametrize(
    ("read", "row", "why"),
    [
        (pairs, "{", "not JSON"),
        (pairs, "[1]", "not a JSON object"),
        (pairs, {**PAIR, "a": None}, "`a` has to be a text"),
        (pairs, {**PAIR, "b": ["y"]}, "`b` has to be a text"),
        (pairs, {**PAIR, "label": 2}, "`label` has to be 0 or 1"),
        (pairs, {**PAIR, "label": 1.0}, "`label` has to be 0 or 1"),
        (pairs, {**PAIR, "label": "1"}, "`label` has to be 0 or 1"),
        (pairs, {"a": "x", "b": "y"}, "`label` has to be 0 or 1"),
        (pairs, {**PAIR, "kind": 3}, "`kind` has to be a text"),
        (stream, {"query": "x"}, "`cls` has to be"),
        (stream, {"query": "x", "cls": {}}, "`cls` has to be"),
        (stream, {"query": "x", "cls": 0.5}, "`cls` has to be"),
        (stream, {"query": 1, "cls": 1}, "`query` has to be a text"),
        (multiturn, PAIR, "`a` has to be a request"),
        (pairs, '{"a": "\\ud800", "b": "", "label": 0}', "not JSON"),
        (pairs, "[" * 100_000, "not JSON"),
    ],
)
def test_a_line_of_another_kind_is_named(
    tmp_path: Path, read: Callable[..., Any], row: Any, why: str, request: pytest.FixtureRequest
) -> None:
    good = PAIR if read is pairs else {"query": "x", "cls": 1} if read is stream else {"a": {}, "b": {}, "label": 1}
    path = written(tmp_path / "set", [good, row])
    with pytest.raises(SetError) as error:
        read(path)
    assert str(error.value).startswith(f"{path}:2: ")
    assert why in str(error.value)


def test_files_that_can_not_be_read_say_why(tmp_path: Path) -> None:
    with pytest.raises(SetError, match="No such file"):
        pairs(tmp_path / "absent")
    with pytest.raises(SetError, match="Is a directory"):
        pairs(tmp_path)
    with pytest.raises(SetError, match="nothing in it"):
        pairs(written(tmp_path / "empty", [""]))
    whole = written(tmp_path / "whole", [PAIR] * 500, zipped=True).read_bytes()
    for damaged in (whole[:-20], whole[:40] + b"\0" + whole[41:]):
        (tmp_path / "cut").write_bytes(damaged)
        with pytest.raises(SetError, match="damaged after line"):
            pairs(tmp_path / "cut")
