from itertools import takewhile
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from adapters.profiles import profile_of
from adapters.texts import common_prefix
from proxy.explain_diff import EXCERPT, Difference, common_suffix, difference
from proxy.explain_prompt import shape_of
from tests.proxy.recordings import CLAUDE, ask, say
from tests.proxy.test_explain_prompt import JSON

ANTHROPIC = profile_of("maker", CLAUDE)
KEY = "sk-" + "abcdefgh12345678" * 2


def differ(before: list[Any], now: list[Any], then: dict[str, Any] | None = None, **members: Any) -> Difference | None:
    """`members` of the second request, `then` of the first."""
    return difference(
        shape_of(ask(before, **(members if then is None else then)), ANTHROPIC),
        shape_of(ask(now, **members), ANTHROPIC),
        ANTHROPIC,
    )


def found(*args: Any, **more: Any) -> Difference:
    change = differ(*args, **more)
    assert change is not None
    return change


TALK = [say("system", "Be kind."), say("user", "One"), say("assistant", "Two"), say("user", "Three")]


def test_going_on_and_going_back_are_no_difference() -> None:
    assert differ(TALK[:2], TALK) is None
    assert differ(TALK, TALK[:2]) is None
    assert differ(TALK, [dict(turn) for turn in TALK]) is None


def test_the_message_the_part_and_the_character() -> None:
    change = found(TALK, [*TALK[:2], say("assistant", "Two and more"), TALK[3]])
    assert (change.what, change.breaks, change.turn, change.part, change.role) == (
        "message",
        "messages",
        2,
        None,
        "assistant",
    )
    assert (change.offset, change.before, change.now, change.name) == (3, "Two", "Two and more", "changed")
    assert (change.prefix, change.suffix) == (0.25, 0.0)
    parts = [[{"type": "text", "text": "same"}, {"type": "text", "text": text}] for text in ("abcd", "abXd")]
    change = found(*[[{"role": "user", "content": content}] for content in parts])
    assert (change.part, change.offset, change.suffix) == (1, 2, 0.25)


def test_the_system_prompt_breaks_more_than_a_message() -> None:
    change = found(TALK, [say("system", "Be brief."), *TALK[1:]])
    assert (change.what, change.breaks, change.turn, change.offset) == ("system", "system", 0, 3)


def test_what_else_a_message_says_counts() -> None:
    call = {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "a", "arguments": "{}"}}]}
    other = {**call, "tool_calls": [{"function": {"name": "b", "arguments": "{}"}}]}
    change = found([say("user", "u"), call], [say("user", "u"), other])
    assert change.turn == 1
    assert '"name":"a"' in change.before
    assert '"name":"b"' in change.now


def test_marks_of_the_cache_are_no_difference() -> None:
    plain, marked = ({"type": "text", "text": "x", **more} for more in ({}, {"cache_control": {"type": "ephemeral"}}))
    a, b = (
        [{"role": "user", "content": [part, {"type": "text", "text": text}]}]
        for part, text in ((plain, "1"), (marked, "2"))
    )
    assert found(a, b).part == 1


def test_removed_inserted_and_compacted() -> None:
    assert found(TALK, [*TALK[:1], *TALK[2:]]).name == "removed"
    assert found(TALK, [*TALK[:1], say("user", "Wait"), *TALK[1:]]).name == "inserted"
    assert found(TALK, [*TALK[:1], say("user", "Summary of all"), TALK[3]]).name == "compacted"


def test_model_tools_and_settings() -> None:
    a, b, c = ({"type": "function", "function": {"name": name, "description": "x"}} for name in "abc")
    changed = {"type": "function", "function": {"name": "b", "description": "y"}}
    for old, new, name in (
        ([a, b], [b, a], "the same in another order"),
        ([a, b], [a], "b is gone"),
        ([a], [a, b], "b is new"),
        ([a, b], [a, c, b], "c is new"),
        ([a, b, c], [a, c], "b is gone"),
        ([a, b], [a, changed], "b changed"),
    ):
        change = found(TALK, TALK, {"tools": old}, tools=new)
        assert (change.what, change.name, change.breaks) == ("tools", name, "tools")
    assert found(TALK, TALK, {"model": "claude-opus-5"}).what == "model"
    assert found(TALK, TALK, {}, reasoning_effort="high")[:2] == ("effort", "tools")
    assert found(TALK, TALK, {"tool_choice": "any"}, tool_choice="auto")[:2] == ("tool_choice", "messages")
    assert differ(TALK, TALK, {"temperature": 1}, temperature=0) is None  # breaks nothing


def test_the_earliest_of_two_changes() -> None:
    """The choice of tools breaks the messages; a changed system prompt stands before those."""
    now = [say("system", "Be brief."), *TALK[1:]]
    assert found(TALK, now, {}, tool_choice="any").what == "system"
    assert found(TALK, now, {}, reasoning_effort="low").what == "effort"
    assert found(TALK, [*TALK[:3], say("user", "3")], {}, tool_choice="any").what == "tool_choice"


def test_of_two_settings_the_one_that_breaks_more() -> None:
    change = found(TALK, TALK, {}, speed="fast", reasoning_effort="low")
    assert (change.what, change.breaks) == ("effort", "tools")


def test_excerpts_are_short_and_printable() -> None:
    change = found([say("user", "a" * 500 + "\x1b[31m\nold" * 50)], [say("user", "a" * 500 + "\x1b[31m\nnew" * 50)])
    assert len(change.before) <= EXCERPT
    assert len(change.now) <= EXCERPT
    assert change.before.isprintable()
    assert "old" in change.before
    assert "new" in change.now


def test_no_credential_is_shown_wherever_it_is_cut() -> None:
    for lead in range(60):
        for old, new in (
            (KEY, KEY[:-1] + "X"),
            (f"{KEY} old", f"{KEY} new"),
            (f"api_key={KEY[3:]}", f"api_key={KEY[5:]}"),
        ):
            change = found([say("user", "x" * lead + " " + old)], [say("user", "x" * lead + " " + new)])
            for shown in (change.before, change.now):
                assert "abcdefgh1234" not in shown
                assert "12345678" not in shown
    call = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"function": {"name": "a", "arguments": {"api_key": KEY}}}],
    }
    other = {**call, "tool_calls": [{"function": {"name": "a", "arguments": {"api_key": KEY + "X"}}}]}
    assert "12345678" not in "".join(map(str, found([call], [other])))


@given(st.text("ab", max_size=40), st.text("ab", max_size=40))
def test_common_ends(a: str, b: str) -> None:
    def alike(one: str, other: str) -> int:
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))

    assert common_prefix(a, b) == alike(a, b)
    assert common_suffix(a, b) == alike(a[::-1], b[::-1])


@given(st.lists(JSON, max_size=4), st.lists(JSON, max_size=4), JSON, JSON)
def test_any_json_can_be_compared(before: list[Any], now: list[Any], old: Any, new: Any) -> None:
    change = differ(before, now, {"tools": old, "tool_choice": old}, tools=new, tool_choice=new)
    if change is not None:
        assert len(change.before) <= EXCERPT
        assert len(change.now) <= EXCERPT
    assert differ(before, before, tools=old) is None
