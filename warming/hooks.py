"""What a pruning hook is, how one is found by its name, and how it is called so that it can do no harm.

A hook looks at a conversation and proposes edits. It must be a plain function and pure: equal conversations, equal
edits. It runs in a thread. Whether and when an edit is made is not its affair (`warming.pruning`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from importlib import import_module
from itertools import islice
from typing import Any, NamedTuple

from adapters.transcript import Edit, Transcript

__all__ = ["BUILT_IN", "Context", "Edit", "Hook", "HookError", "Options", "Outcome", "Transcript", "load", "safely"]

BUILT_IN = {
    name: f"warming.prunings:{name}"
    for name in (
        "duplicate_results",
        "superseded_files",
        "resolved_errors",
        "stale_results",
        "oversized_results",
        "old_images",
    )
}
"""Names that stand for hooks of ours."""


class Options(NamedTuple):
    """What the configuration says, as in `proxy.config.Pruning`."""

    protect_tools: tuple[str, ...] = ()
    protect_paths: tuple[str, ...] = ()
    keep_results: int = 10
    stale_over: int = 2000
    oversized: int = 50_000
    keep_images: int = 3
    turns: int = 10
    timeout: float = 0.25


class Context(NamedTuple):
    """What a hook is told besides the conversation. Tokens are estimates."""

    first_new: int = 0
    """Index of the first piece that the provider has never got; `len(pieces)` where there is none."""
    cached_tokens: int = 0
    """Of the prompt's beginning, believed to be in the provider's prompt cache."""
    seconds_left: float = 0.0
    """Until that is believed to lapse."""
    read: float | None = None
    """Price of a cached token as a multiple of an uncached one; None where there is no price."""
    write: float | None = None
    """The same for a token that is written to the cache."""
    turns: int = 10
    """How many more requests the conversation is expected to make, this one included."""
    siblings: int = 1
    """Requests that share this prompt."""
    binds_thinking: bool = False
    """Whether the model refuses its thoughts after an edit of what stood before them."""
    options: Options = Options()


Hook = Callable[[Transcript, Context], Iterable[Edit]]
"""Proposes edits. Pieces that say `locked` must be left alone."""


class HookError(Exception):
    """A name in the configuration that leads to no hook."""


class Nonsense(Exception):
    """What a hook returned is no list of edits that could be made."""


class Outcome(NamedTuple):
    edits: tuple[Edit, ...] = ()
    fault: str = ""
    """`raised` or `nonsense`; empty where all went well."""
    told: str = ""
    """What went wrong, without anything of the conversation: it goes into a log."""


def load(names: Iterable[str]) -> list[tuple[str, Hook]]:
    """The hooks with these names, in this order; raises `HookError`.

    A name is one of `BUILT_IN`, or `package.module:name`.
    """
    return [(name, _loaded(name, BUILT_IN.get(name, name))) for name in names]


def _loaded(name: str, path: str) -> Hook:
    module, _, member = path.partition(":")
    if not module or not member:
        raise HookError(f"{name!r} is no hook: there are {', '.join(BUILT_IN)}, and `package.module:name` of your own")
    try:
        found: Any = import_module(module)
        for each in member.split("."):
            found = getattr(found, each)
    except (Exception, SystemExit) as error:  # a module may do anything while imported
        raise HookError(f"{name!r} can't be imported: {type(error).__name__}: {error}") from error
    if not callable(found):
        raise HookError(f"{name!r} can't be called: it is of type {type(found).__name__}")
    if inspect.iscoroutinefunction(found) or inspect.isasyncgenfunction(found):
        raise HookError(f"{name!r} must be a plain function, not an async one")
    hook: Hook = found
    return hook


def safely(hook: Hook, transcript: Transcript, context: Context) -> Outcome:
    """What the hook proposes, whatever it does instead."""
    try:
        return Outcome(_checked(hook(transcript, context), transcript))
    except Nonsense as error:
        return Outcome(fault="nonsense", told=str(error))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the hook guard: somebody else's code, for which no request may fail
        return Outcome(fault="raised", told=type(error).__name__)


def _checked(result: Any, transcript: Transcript) -> tuple[Edit, ...]:
    """The edits, if each of them could be made; raises `Nonsense`, or whatever an iterator of the hook's raises."""
    if inspect.iscoroutine(result):
        result.close()
    if result is None or isinstance(result, str | bytes) or not isinstance(result, Iterable):
        raise Nonsense(f"returned {type(result).__name__}, which is no list of edits")
    count = len(transcript.pieces)
    edits = tuple(islice(result, count + 1))
    if len(edits) > count:
        raise Nonsense("returned more edits than there are pieces")
    for edit in edits:
        if not isinstance(edit, Edit):
            raise Nonsense(f"returned {type(edit).__name__} instead of an Edit")
        _check(edit, transcript)
    return edits


def _check(edit: Edit, transcript: Transcript) -> None:
    count = len(transcript.pieces)
    if not _index(edit.piece, count):
        raise Nonsense("an edit of a piece that does not exist")
    piece = transcript.pieces[edit.piece]
    if piece.locked:
        raise Nonsense(f"an edit of a locked piece ({piece.locked})")
    if not isinstance(edit.text, str) or not edit.text.strip():
        raise Nonsense("an edit without a text")
    if edit.keeps is not None and not (_index(edit.keeps, count) and edit.keeps < edit.piece):
        raise Nonsense("`keeps` is no earlier piece")
    if edit.because is not None and not (_index(edit.because, count) and edit.because > edit.piece):
        raise Nonsense("`because` is no later piece")


def _index(value: Any, count: int) -> bool:
    return type(value) is int and 0 <= value < count
