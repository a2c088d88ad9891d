"""Libraries that only some embedders need: imported when asked for, and what it says where they are missing or fail."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any, TypeVar

from adapters.embedder import EmbedderUnavailable

T = TypeVar("T")


def library(name: str, extra: str) -> Any:
    """The module; raises `EmbedderUnavailable` where the extra that brings it is not installed, or its binaries do not
    load here."""
    try:
        return import_module(name)
    except (ImportError, OSError) as error:
        raise EmbedderUnavailable(f"{name} can't be imported ({error}): pip install 'warmgate[{extra}]'") from error


def attempted(work: Callable[[], T], what: str) -> T:
    """The result of reading something that others wrote; whatever it raises becomes `EmbedderUnavailable`.

    Done in a thread of its own because a future holds any exception: tokenizers raises plain `Exception`, the others
    have classes that change with their versions. For what happens at start; it costs a tenth of a millisecond.
    """
    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(work)
        error = done.exception()
    if isinstance(error, EmbedderUnavailable):
        raise error
    if error is not None:
        raise EmbedderUnavailable(f"{what}: {type(error).__name__}: {error}") from error
    return done.result()
