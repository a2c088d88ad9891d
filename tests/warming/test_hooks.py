"""Hooks by name, and what a hook can't do."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import count
from types import ModuleType
from typing import Any

import pytest

from adapters.transcript import Edit, Transcript, transcript_of
from warming import prunings
from warming.hooks import BUILT_IN, Context, HookError, load, safely

CHAT = {
    "messages": [
        {"role": "user", "content": "first"},
        {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "t", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "a result"},
        {"role": "tool", "tool_call_id": "c", "content": "a result"},
    ]
}
RESULT = 2


def transcript() -> Transcript:
    made = transcript_of(CHAT, "openai-chat")
    assert made is not None
    return made


def test_built_in_hooks_have_their_names() -> None:
    assert [hook for _, hook in load(BUILT_IN)] == [getattr(prunings, name) for name in BUILT_IN]
    assert [name for name, _ in load(["old_images", "stale_results"])] == ["old_images", "stale_results"]


def test_a_hook_of_ones_own_by_its_dotted_path(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("my_hooks")

    class Hooks:
        @staticmethod
        def drop(transcript: Transcript, context: Context) -> list[Edit]:
            return [Edit(RESULT, "[gone]")]

    vars(module)["Hooks"] = Hooks
    monkeypatch.setitem(sys.modules, "my_hooks", module)
    ((name, hook),) = load(["my_hooks:Hooks.drop"])
    assert name == "my_hooks:Hooks.drop"
    assert safely(hook, transcript(), Context()).edits == (Edit(RESULT, "[gone]"),)


async def an_async_one(transcript: Transcript, context: Context) -> list[Edit]:
    return []


async def an_async_generator(transcript: Transcript, context: Context) -> Any:
    yield Edit(0, "x")


NO_FUNCTION = 3


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("stale", "'stale' is no hook: there are duplicate_results, "),
        ("", "'' is no hook"),
        ("os", "'os' is no hook"),
        (":x", "':x' is no hook"),
        ("os:", "'os:' is no hook"),
        ("no_such_package.module:f", "can't be imported: ModuleNotFoundError: No module named 'no_such_package'"),
        ("os.path:no_such_name", "can't be imported: AttributeError"),
        ("..relative:x", "can't be imported: TypeError"),
        (f"{__name__}:NO_FUNCTION", "can't be called: it is of type int"),
        (f"{__name__}:an_async_one", "must be a plain function"),
        (f"{__name__}:an_async_generator", "must be a plain function"),
    ],
)
def test_names_that_lead_to_no_hook(name: str, told: str) -> None:
    with pytest.raises(HookError) as error:
        load([name])
    assert told in str(error.value)


@pytest.mark.parametrize("code", ["raise ValueError('no')", "1 +", "import sys; sys.exit(3)"])
def test_a_module_that_fails_when_it_is_imported(code: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_broken_hook.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(HookError, match="can't be imported"):
        load(["a_broken_hook:f"])


def endless(_: Transcript, __: Context) -> Iterator[Edit]:
    return (Edit(RESULT, f"{number}") for number in count())


def raising(error: BaseException) -> Callable[[Transcript, Context], Any]:
    def hook(_: Transcript, __: Context) -> Any:
        raise error

    return hook


def raising_late(_: Transcript, __: Context) -> Iterator[Edit]:
    yield Edit(RESULT, "x")
    raise KeyError("late")


NONSENSE: list[tuple[Any, str]] = [
    (None, "NoneType"),
    (3, "int"),
    ("text", "str"),
    (b"bytes", "bytes"),
    ([3], "int instead of an Edit"),
    ([(RESULT, "a plain tuple")], "tuple instead of an Edit"),
    ([None], "NoneType instead of an Edit"),
    ([Edit(4, "x")], "does not exist"),
    ([Edit(-1, "x")], "does not exist"),
    ([Edit(True, "x")], "does not exist"),
    ([Edit("2", "x")], "does not exist"),  # type: ignore[arg-type]
    ([Edit(1.0, "x")], "does not exist"),  # type: ignore[arg-type]
    ([Edit(0, "x")], "locked piece (first user message)"),
    ([Edit(RESULT, None)], "without a text"),  # type: ignore[arg-type]
    ([Edit(RESULT, b"x")], "without a text"),  # type: ignore[arg-type]
    ([Edit(RESULT, " \n")], "without a text"),
    ([Edit(RESULT, "x", keeps=3)], "no earlier piece"),
    ([Edit(RESULT, "x", keeps="1")], "no earlier piece"),  # type: ignore[arg-type]
    ([Edit(RESULT, "x", because=1)], "no later piece"),
    ([Edit(RESULT, "x", because=9)], "no later piece"),
]


@pytest.mark.parametrize(("returned", "told"), NONSENSE)
def test_nonsense_is_told_and_nothing_of_it_is_done(returned: Any, told: str) -> None:
    outcome = safely(lambda *_: returned, transcript(), Context())
    assert (outcome.edits, outcome.fault) == ((), "nonsense")
    assert told in outcome.told


def test_one_bad_edit_spoils_all_of_the_hook() -> None:
    outcome = safely(lambda *_: [Edit(RESULT, "fine"), Edit(99, "not")], transcript(), Context())
    assert (outcome.edits, outcome.fault) == ((), "nonsense")


def test_a_coroutine_is_nonsense_and_leaves_no_warning() -> None:
    assert safely(an_async_one, transcript(), Context()).fault == "nonsense"  # type: ignore[arg-type]


def test_a_hook_that_never_ends_to_yield_is_cut_off() -> None:
    outcome = safely(endless, transcript(), Context())
    assert (outcome.fault, outcome.told) == ("nonsense", "returned more edits than there are pieces")


@pytest.mark.parametrize(
    "error", [ValueError("secret"), SystemExit(1), RecursionError(), StopIteration(), MemoryError()]
)
def test_a_hook_that_raises_is_told_without_its_words(error: BaseException) -> None:
    outcome = safely(raising(error), transcript(), Context())
    assert (outcome.edits, outcome.fault, outcome.told) == ((), "raised", type(error).__name__)


def test_a_hook_that_raises_late_has_proposed_nothing() -> None:
    assert safely(raising_late, transcript(), Context()).edits == ()


def test_edits_of_any_iterable() -> None:
    edit = Edit(RESULT, "[gone]", keeps=1, because=3)
    for returned in ([edit], (edit,), iter([edit]), {edit: 1}, (each for each in [edit])):
        assert safely(lambda *_, returned=returned: returned, transcript(), Context()).edits == (edit,)  # type: ignore[misc]
