"""What a request asks last, apart from everything that it asks it in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

PLACEHOLDER = "\x00warmgate: the text of the last user message"
"""Stands where the question was taken out. No JSON text that a client may send holds it by chance."""


class Question(NamedTuple):
    """Two requests whose `around` is equal differ in nothing but `text`. Only among those is one allowed to look for
    an equivalent one; where `exact` says why, not even there: then only an identical request has the same answer."""

    text: str = ""
    """The text of the last user message, as it came."""
    around: Mapping[str, Any] = {}
    """The body with `PLACEHOLDER` in its place."""
    exact: str = ""
    """A short ASCII text: `images`, `tools pending`, `several choices`, `no question`, ..."""
