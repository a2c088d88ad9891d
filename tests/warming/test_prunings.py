"""What each built-in hook proposes, by tables: a conversation, and the pieces it would shorten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from adapters.transcript import Transcript, transcript_of
from tests.adapters import talks
from tests.adapters.talks import Step, read, shell, talk
from warming.hooks import BUILT_IN, Context, Hook, Options, load, safely
from warming.pruning import Terms, Warmth, context_of, prepared
from warming.prunings import PRUNED

LONG = "a line of text\n" * 30
OTHER = "another line\n" * 30
HUGE = "0123456789" * 500

USER: Step = ("user", "go")
END: Step = ("user", "and now?")


def ready(steps: Sequence[Step], api: str, sent: int, options: Options) -> tuple[Transcript, Context]:
    transcript = transcript_of(talk(api, steps), api)
    assert transcript is not None
    context = context_of(transcript, Warmth(sent, 0), Terms(), options)
    return prepared(transcript, context), context


def proposed(
    name: str, steps: Sequence[Step], *, api: str = "openai-chat", sent: int = 0, **options: Any
) -> list[tuple[str, str]]:
    """Kind and call of each piece that would be edited, in their order."""
    ((_, hook),) = load([name])
    transcript, context = ready(steps, api, sent, Options(**options))
    outcome = safely(hook, transcript, context)
    assert not outcome.fault, outcome
    pieces = [transcript.pieces[edit.piece] for edit in sorted(outcome.edits)]
    return [(piece.kind, piece.call_id) for piece in pieces]


def texts(name: str, steps: Sequence[Step], *, sent: int = 0, **options: Any) -> list[str]:
    ((_, hook),) = load([name])
    transcript, context = ready(steps, "openai-chat", sent, Options(**options))
    return [edit.text for edit in safely(hook, transcript, context).edits]


def results(*names: str) -> list[tuple[str, str]]:
    return [("result", name) for name in names]


Case = tuple[list[Step], list[tuple[str, str]]]

DUPLICATES: list[Case] = [
    ([USER, *shell("a", "ls", LONG), *shell("b", "ls", LONG)], results("b")),
    ([USER, *shell("a", "ls", LONG), *shell("b", "dir", LONG), *shell("c", "ls", LONG)], results("b", "c")),
    ([USER, *shell("a", "ls", LONG), *shell("b", "ls", LONG + " ")], []),
    ([USER, *shell("a", "ls", "short"), *shell("b", "ls", "short")], []),
    # Ids that say nothing: not unique, or no plain words.
    ([USER, *shell("a", "ls", LONG), *shell("a", "ls", LONG)], []),
    ([USER, *shell("a b", "ls", LONG), *shell("b", "ls", LONG)], []),
    ([USER, *shell("x" * 65, "ls", LONG), *shell("b", "ls", LONG)], []),
]


@pytest.mark.parametrize("api", talks.APIS)
@pytest.mark.parametrize(("steps", "edits"), DUPLICATES)
def test_duplicate_results(steps: list[Step], edits: list[tuple[str, str]], api: str) -> None:
    assert proposed("duplicate_results", steps, api=api) == edits


def test_a_duplicate_that_was_sent_stays() -> None:
    steps = [USER, *shell("a", "ls", LONG), *shell("b", "ls", LONG), *shell("c", "ls", LONG)]
    assert proposed("duplicate_results", steps, sent=5) == results("c")
    assert texts("duplicate_results", steps, sent=5) == [f"{PRUNED}the same as the result of call a]"]


W = {"tool": "write", "content": LONG}
PART = {"offset": 10, "limit": 5}
EDIT = {"tool": "edit", "old": LONG}

SUPERSEDED: list[Case] = [
    ([*read("a", "/f", LONG), *read("b", "/f", OTHER)], results("a")),
    ([*read("a", "/f", LONG), *read("b", "/g", OTHER)], []),
    ([*read("a", "/x/../f", LONG), *read("b", "/f", OTHER)], results("a")),
    ([*read("a", "/f", "short"), *read("b", "/f", OTHER)], []),
    # Parts: superseded by all of the file or by the same part, and not the other way round.
    ([*read("a", "/f", LONG, **PART), *read("b", "/f", OTHER)], results("a")),
    ([*read("a", "/f", LONG), *read("b", "/f", OTHER, **PART)], []),
    ([*read("a", "/f", LONG, **PART), *read("b", "/f", OTHER, **PART)], results("a")),
    ([*read("a", "/f", LONG, offset=1, limit=5), *read("b", "/f", OTHER, **PART)], []),
    ([*read("a", "/f", LONG, offset=0), *read("b", "/f", OTHER, **PART)], []),
    # Writing: what was read before is not in the file any more, what was written stands in the later call.
    ([*read("a", "/f", LONG), *read("b", "/f", "ok", **W)], results("a")),
    ([*read("a", "/f", "ok", **W), *read("b", "/f", LONG)], [("call", "a")]),
    ([*read("a", "/f", "ok", **W), *read("b", "/f", "ok", **W)], [("call", "a")]),
    ([*read("a", "/f", LONG, **W), *read("b", "/f", "ok", **W)], [("call", "a"), ("result", "a")]),
    # A change of a part leaves what was read before it worth something.
    ([*read("a", "/f", LONG), *read("b", "/f", "ok", **EDIT)], []),
    ([*read("a", "/f", LONG, **EDIT), *read("b", "/f", OTHER)], []),
    # What failed supersedes nothing, and is no reading.
    ([*read("a", "/f", LONG), *read("b", "/f", "no such file", failed=True)], []),
    ([*read("a", "/f", LONG, failed=True), *read("b", "/f", OTHER)], []),
    # Three times: all but the last.
    ([*read("a", "/f", LONG), *read("b", "/f", OTHER), *read("c", "/f", LONG)], results("a", "b")),
    # Tools of other names, and one that has its verb in an argument.
    ([*read("a", "/f", LONG, tool="readFile"), *read("b", "/f", OTHER, tool="view_file")], results("a")),
    ([*read("a", "/f", LONG, tool="list_dir"), *read("b", "/f", OTHER, tool="list_dir")], []),
    (
        [
            *read("a", "/f", LONG, tool="str_replace_based_edit_tool", command="view"),
            *read("b", "/f", OTHER, tool="str_replace_based_edit_tool", command="view"),
        ],
        results("a"),
    ),
    (
        [
            *read("a", "/f", LONG, tool="str_replace_based_edit_tool", command="view"),
            *read("b", "/f", OTHER, tool="str_replace_based_edit_tool", command="str_replace"),
        ],
        [],
    ),
    # More than one file, or none.
    ([("call", "a", "read", {"paths": ["/f", "/g"]}), ("result", "a", LONG), *read("b", "/f", OTHER)], []),
    ([*shell("a", "cat /f", LONG), *shell("b", "cat /f", OTHER)], []),
]


@pytest.mark.parametrize("api", talks.APIS)
@pytest.mark.parametrize(("steps", "edits"), SUPERSEDED)
def test_superseded_files(steps: list[Step], edits: list[tuple[str, str]], api: str) -> None:
    assert proposed("superseded_files", [USER, *steps], api=api) == edits


RESOLVED: list[Case] = [
    ([*shell("a", "make", LONG, failed=True), *shell("b", "make", "ok")], results("a")),
    ([*shell("a", "make", LONG, failed=True), *shell("b", "make test", "ok")], []),
    ([*shell("a", "make", LONG, failed=True), *shell("b", "make", OTHER, failed=True)], []),
    (
        [*shell("a", "x", LONG, failed=True), *shell("b", "x", OTHER, failed=True), *shell("c", "x", "ok")],
        results("a", "b"),
    ),
    ([*shell("a", "make", "ok"), *shell("b", "make", LONG, failed=True)], []),
    ([*shell("a", "make", "no", failed=True), *shell("b", "make", "ok")], []),
    # The same file, whatever else was asked of it; another file or tool is another matter.
    (
        [*read("a", "/f", LONG, tool="edit", old="x", failed=True), *read("b", "/f", "ok", tool="edit", old="y")],
        results("a"),
    ),
    ([*read("a", "/f", LONG, tool="edit", failed=True), *read("b", "/g", "ok", tool="edit")], []),
    ([*read("a", "/f", LONG, tool="edit", failed=True), *read("b", "/f", "ok", tool="read")], []),
]


@pytest.mark.parametrize("api", talks.APIS)
@pytest.mark.parametrize(("steps", "edits"), RESOLVED)
def test_resolved_errors(steps: list[Step], edits: list[tuple[str, str]], api: str) -> None:
    assert proposed("resolved_errors", [USER, *steps], api=api) == edits


def stale(count: int, text: str = HUGE) -> list[Step]:
    return [USER, *[step for number in range(count) for step in shell(f"c{number}", f"{number}", f"{number}{text}")]]


@pytest.mark.parametrize("api", talks.APIS)
@pytest.mark.parametrize(
    ("steps", "options", "edits"),
    [
        (stale(12), {}, results("c0", "c1")),
        (stale(10), {}, []),
        (stale(4), {"keep_results": 2}, results("c0", "c1")),
        (stale(4, "x" * 1999), {"keep_results": 2}, []),
        (stale(4, "x" * 2000), {"keep_results": 2}, results("c0", "c1")),
        # Never before the model has seen it, however few are to be kept.
        (stale(2), {"keep_results": 0}, results("c0")),
        ([*stale(2), ("say", "ok")], {"keep_results": 0}, results("c0", "c1")),
        # One of the latest reads like it, and may be a pointer by now.
        ([USER, *shell("a", "x", HUGE), *shell("b", "y", HUGE)], {"keep_results": 1}, []),
    ],
)
def test_stale_results(steps: list[Step], options: dict[str, int], edits: list[tuple[str, str]], api: str) -> None:
    assert proposed("stale_results", steps, api=api, **options) == edits


def test_a_stale_result_becomes_one_line_that_shows_both_ends() -> None:
    text = "first line\n  indented\n" + "middle\n" * 400 + "\nlast line"
    (line,) = texts("stale_results", [USER, *shell("a", "x", text), *shell("b", "y", "z")], keep_results=1)
    assert line.startswith(f"{PRUNED}old result of bash, {len(text)} characters: first line indented middle")
    assert line.endswith("middle last line]")
    assert "\n" not in line
    assert len(line) < 550


@pytest.mark.parametrize("api", talks.APIS)
def test_oversized_results(api: str) -> None:
    steps = [USER, *shell("a", "x", "x" * 1001), *shell("b", "y", "y" * 1000), *shell("c", "z", "z" * 5000)]
    assert proposed("oversized_results", steps, api=api, oversized=1000) == results("a", "c")
    assert proposed("oversized_results", steps, api=api, sent=5, oversized=1000) == results("c")


@pytest.mark.parametrize("limit", [0, 1, 40, 100, 1000, 4999, 5000, 6000])
def test_an_oversized_result_keeps_both_ends_and_tells_what_is_gone(limit: int) -> None:
    text = "".join(f"{number:04}\n" for number in range(1000))
    found = texts("oversized_results", [USER, *shell("a", "x", text)], oversized=limit)
    if limit >= len(text):
        assert found == []
        return
    (cut,) = found
    head, _, rest = cut.partition(f"\n{PRUNED}")
    count, _, tail = rest.partition(" characters left out here]\n")
    assert text.startswith(head)
    assert text.endswith(tail)
    assert len(head) + int(count) + len(tail) == len(text)
    assert len(cut) <= max(limit, 60)
    if limit > 100:
        assert len(head) == pytest.approx(2 * len(tail), abs=3)
        assert texts("oversized_results", [USER, *shell("a", "x", cut)], oversized=limit) == []  # not once more


SHOTS: list[Step] = [step for name in "vwxyz" for step in (("call", name, "shot", {}), ("shot", name, "text"))]


@pytest.mark.parametrize("api", talks.APIS)
@pytest.mark.parametrize(
    ("steps", "keep", "edits"),
    [
        ([USER, *SHOTS], 3, [("image", "v"), ("image", "w")]),
        ([USER, *SHOTS], 5, []),
        ([USER, *SHOTS], 0, [("image", name) for name in "vwxy"]),
        ([USER, *SHOTS, ("say", "x")], 0, [("image", name) for name in "vwxyz"]),
        ([USER, ("say", "x"), ("look",), ("say", "y"), END, *SHOTS], 5, [("image", "")]),
        # The first and the newest message of the user keep theirs.
        ([("look",), ("say", "y"), *SHOTS], 5, []),
        ([USER, ("say", "x"), ("look",)], 0, []),
    ],
)
def test_old_images(steps: list[Step], keep: int, edits: list[tuple[str, str]], api: str) -> None:
    assert proposed("old_images", steps, api=api, keep_images=keep) == edits


# What holds for all of them

EVERYTHING: list[Step] = [
    ("system", "s"),
    USER,
    *read("a", "/f", LONG),
    *read("b", "/f", LONG),
    *read("c", "/f", OTHER),
    *shell("d", "make", LONG, failed=True),
    *shell("e", "make", "ok"),
    *[step for number in range(12) for step in shell(f"s{number}", f"{number}", HUGE + str(number))],
    *SHOTS,
    END,
    *shell("big", "big", "z" * 60_000),
]


@pytest.mark.parametrize("name", BUILT_IN)
@pytest.mark.parametrize(
    "options", [{"protect_tools": ("*",)}, {"protect_tools": ("re?d", "bash", "shot"), "protect_paths": ("/f",)}]
)
def test_protected_tools_are_left_alone(name: str, options: dict[str, tuple[str, ...]]) -> None:
    assert proposed(name, EVERYTHING)
    assert proposed(name, EVERYTHING, **options) == []


@pytest.mark.parametrize("name", ["duplicate_results", "superseded_files"])
def test_protected_paths_are_left_alone(name: str) -> None:
    assert proposed(name, EVERYTHING, protect_paths=("/*.py",))
    assert proposed(name, EVERYTHING, protect_paths=("/?",)) == []


@pytest.mark.parametrize("api", talks.APIS)
@pytest.mark.parametrize("name", BUILT_IN)
def test_placeholders_are_shorter_stay_the_same_and_are_not_pruned_again(name: str, api: str) -> None:
    ((_, hook),) = load([name])
    transcript, context = ready(EVERYTHING, api, 0, Options())
    edits = safely(hook, transcript, context).edits
    assert edits
    assert all(len(edit.text) < max(len(transcript.pieces[edit.piece].text), 100) for edit in edits)
    longer, later = ready([*EVERYTHING, ("say", "x"), END, *shell("new", "new", "new")], api, 0, Options())
    again = {edit.piece: edit.text for edit in safely(hook, longer, later).edits}
    assert all(again.get(edit.piece) == edit.text for edit in edits)
    pruned = transcript._replace(pieces=tuple(_with(transcript, hook, context)))
    assert not safely(hook, pruned, context).edits


def _with(transcript: Transcript, hook: Hook, context: Context) -> list[Any]:
    pieces = list(transcript.pieces)
    for edit in safely(hook, transcript, context).edits:
        piece = pieces[edit.piece]
        kind = "text" if piece.kind == "image" else piece.kind
        # What is left of a call are its short arguments.
        text = '{"path": "/f"}' if piece.kind == "call" else edit.text
        pieces[edit.piece] = piece._replace(kind=kind, text=text)
    return pieces


@pytest.mark.parametrize("name", BUILT_IN)
def test_odd_arguments_and_empty_conversations_propose_nothing(name: str) -> None:
    assert proposed(name, []) == []
    odd: list[Step] = [("call", "a", "read", {"path": ""}), ("result", "a", ""), ("result", "none", "x")]
    assert proposed(name, odd) == []
