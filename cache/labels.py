"""What an entry is known by, beside its key: its tags and what it depends on. One list of labels says both.

A label is a tag, `doc:42` or `prompt:v7`, in the words of whoever keeps the entry; or it names a thing that this
program knows: `file:/absolute/path`, `entry:HEX` (another entry, by its key). An entry carries the labels of what it
depends on as well, so that one look at it says whether an invalidation concerns it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

FILE, ENTRY = "file:", "entry:"
"""What labels of things that this program knows begin with."""

MOST = 64
"""Labels of one entry."""

LONGEST = 256
"""Characters of a tag; of a file's label 4,096 more, as long as paths may be."""

_TAG = re.compile(rf'[^\x00-\x20\x7f",]{{1,{LONGEST}}}')


class BadLabel(ValueError):
    """No label: empty, too long, with white space, a comma or a quotation mark in it, or of a kind that is reserved."""


def tag_of(text: str) -> str:
    """The text, which has to be a tag. Raises `BadLabel`."""
    if text.startswith((FILE, ENTRY)):
        raise BadLabel(f"`{FILE}` and `{ENTRY}` say what an entry depends on, and are no tags")
    if not _TAG.fullmatch(text):
        raise BadLabel(f"a tag has 1 to {LONGEST} characters, and no white space, comma or quotation mark")
    return text


def tags_of(header: str) -> tuple[str, ...]:
    """The tags of a `Cache-Tags` line, each once. Raises `BadLabel`."""
    return distinct(tag_of(text) for text in map(str.strip, header.split(",")) if text)


def entry_label(key: bytes) -> str:
    """What stands for an entry on those that depend on it."""
    return ENTRY + key.hex()


def file_label(path: str) -> str:
    """What stands for a file; `path` is absolute and normal."""
    return FILE + path


def plain(labels: Iterable[str]) -> tuple[str, ...]:
    """Those of these that anybody may say: tags and names, without files and entries."""
    return tuple(label for label in labels if not label.startswith((FILE, ENTRY)))


def scope_label(scope: bytes) -> str:
    """What equivalent answers carry for all that may answer one another (`cache.key.scope_of`)."""
    return f"scope:{scope.hex()}"


def distinct(labels: Iterable[str]) -> tuple[str, ...]:
    """In order, each once. Raises `BadLabel` where there are too many."""
    found = tuple(dict.fromkeys(labels))
    if len(found) > MOST:
        raise BadLabel(f"an entry has {MOST} labels at most, those of what it depends on included")
    return found
