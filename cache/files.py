"""The files that entries depend on: which they may be, and whether they have changed since.

An entry that depends on a file carries two labels for it: that of the file, `file:/path`, by which it is invalidated,
and a witness, `file:@SIGNATURE@/path`, which says what the file was when the making of the entry began. It is served
only while every witness is true, which is asked at each hit, by one `stat`: so it is not served any more from the
moment of the change, whether a watcher was running or not, in whatever worker, and after a restart as well. Who depends
on it carries its witnesses. On another machine, where that file is another one or none, it is not served at all.

What else is remembered here is for the watcher (`cache.watch`): which files are of interest, and what they were.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from stat import S_ISREG

from adapters.vocabulary import Clock
from cache.file_signature import ReadAt, Signature, same, signature_of, young
from cache.labels import FILE, BadLabel, distinct, file_label

MOST = 10_000
"""Files that are watched; the first ones are not any more when there are more. They are looked at when they count."""

MOST_OF_ONE = 16
"""Files that one entry depends on."""

LONGEST = 4096
"""Characters of a path."""

WITNESS = FILE + "@"
"""What a witness begins with; the label of a file has a `/` there."""

_UNFIT = re.compile(r"[\x00-\x1f\x7f]")
_WITNESS = re.compile(r"(?s)file:@(-?\d{1,20})\.(-?\d{1,20})\.(-?\d{1,20})\.((?:[0-9a-f]{2})*)@(/.*)")


class BadFile(BadLabel):
    """A file that nothing may depend on."""


class Changed(Exception):
    """Files that are not any more what they were when they were read: with `labels`."""

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__(f"changed meanwhile: {', '.join(labels)}")
        self.labels = tuple(labels)


class Files:
    """`roots`: only what lies below these directories may be depended upon, links resolved; None: any file, for
    programs that trust whoever asks. `told` is called with the path of one that is of interest from now on."""

    def __init__(self, clock: Clock, roots: Sequence[str | Path] | None = None, *, most: int = MOST) -> None:
        self.told: Callable[[str], None] = lambda path: None
        self._clock, self._most = clock, most
        self._roots = None if roots is None else [os.path.realpath(root) for root in roots]
        self._known: dict[str, Signature] = {}
        self._grown: dict[str, None] = {}
        """Witnesses of files that were young, and whose content was looked at when they were not any more."""

    # What may be depended upon

    def labels(self, path: str, base: str | Path | None = None) -> tuple[str, ...]:
        """The labels of a file: that of its name, and of the file behind it where the name is a link or leads through
        one. A file that is not there has one as well. `base`: what a path that is not absolute is relative to. Raises
        `BadFile`."""
        try:
            path.encode()
        except UnicodeEncodeError as error:
            raise BadFile("a path has to be a text") from error
        if not path or len(path) > LONGEST or _UNFIT.search(path):
            raise BadFile(f"a path has 1 to {LONGEST} characters, none of them a control character")
        if ".." in path.split("/"):
            raise BadFile("a path has no `..` in it")
        if base is not None:
            path = os.path.join(base, path)
        if not path.startswith("/"):
            raise BadFile("a path begins with `/`")
        path = "/" + os.path.normpath(path).lstrip("/")
        real = os.path.realpath(path)
        if self._roots is not None and not any(real.startswith(root.rstrip("/") + "/") for root in self._roots):
            where = "below the directories that are configured for it" if self._roots else "where some are configured"
            raise BadFile(f"files can be depended upon only {where}")
        _regular(real)
        return tuple(dict.fromkeys((file_label(path), file_label(real))))

    def named(self, labels: Iterable[str], base: str | Path | None = None) -> tuple[str, ...]:
        """Labels, files among them as somebody writes them. Raises `BadFile`, and `BadLabel` for too many."""
        found: list[str] = []
        for label in labels:
            found += self.labels(label[len(FILE) :], base) if label.startswith(FILE) else (label,)
        return distinct(found)

    def witnessed(self, labels: Iterable[str], read: Mapping[str, ReadAt] = {}) -> tuple[str, ...]:
        """The labels of an entry whose making begins, with a witness for each file that has none. `read`: what was told
        of some, by label, when they were read. Raises `Changed` where one has changed since, or a witness that is there
        already is not true any more; `BadFile` for too many files, `BadLabel` for too many labels."""
        given = distinct(labels)
        files = [label[len(FILE) :] for label in given if label.startswith(FILE) and not label.startswith(WITNESS)]
        if len(files) > MOST_OF_ONE:
            raise BadFile(f"an entry depends on {MOST_OF_ONE} files at most, links and what they lead to both counted")
        differ = [path for label in given if (path := self._untrue(label))]
        now = {path: signature_of(path, self._clock()) for path in files}
        differ += [path for path in files if (at := read.get(file_label(path))) and not at.is_of(now[path])]
        if differ:
            raise Changed([file_label(path) for path in dict.fromkeys(differ)])
        seen = {told[0] for label in given if (told := _witness(label))}
        for path in files:
            self._watch(path, now[path])
        return distinct([*given, *(_label(path, now[path]) for path in files if path not in seen)])

    # What has changed

    def fresh(self, labels: Iterable[str]) -> bool:
        """Whether all files among these are what they were. For each hit; without files it costs next to nothing."""
        files: set[str] = set()
        proved: set[str] = set()
        for label in labels:
            if not label.startswith(FILE):
                continue
            if not label.startswith(WITNESS):
                files.add(label[len(FILE) :])
            elif self._untrue(label):
                return False
            elif (told := _witness(label)) is not None:
                proved.add(told[0])
        return files <= proved

    @property
    def paths(self) -> Collection[str]:
        """Those of interest."""
        return self._known.keys()

    def moved(self, paths: Iterable[str]) -> dict[str, Signature]:
        """By path those of interest that have changed, with what they were, for `forget`."""
        found = {}
        for path in paths:
            known = self._known.get(path)
            if known is None:
                continue
            if not same(known, path):
                found[path] = known
            elif known.digest and not young(known, self._clock()):
                self._known[path] = known._replace(digest=b"")
        return found

    def forget(self, moved: Mapping[str, Signature]) -> None:
        """What depended on these is invalidated; they are of no interest any more."""
        for path, signature in moved.items():
            if self._known.get(path) == signature:
                del self._known[path]

    def _untrue(self, label: str) -> str:
        """The path of a witness that is not true; else empty."""
        told = _witness(label)
        if told is None:
            return label[len(FILE) :] if label.startswith(WITNESS) else ""
        path, signature = told
        grown = label in self._grown
        if not same(signature._replace(digest=b"") if grown else signature, path):
            return path
        if signature.digest and not grown and not young(signature, self._clock()):
            self._grown[label] = None
            while len(self._grown) > self._most:
                del self._grown[next(iter(self._grown))]
        if path not in self._known:
            self._watch(path, signature)
        return ""

    def _watch(self, path: str, signature: Signature) -> None:
        if path in self._known:
            return
        self._known[path] = signature
        while len(self._known) > self._most:
            del self._known[next(iter(self._known))]
        self.told(path)


def _label(path: str, signature: Signature) -> str:
    mtime_ns, size, inode, digest = signature
    return f"{WITNESS}{mtime_ns}.{size}.{inode}.{digest.hex()}@{path}"


@lru_cache(maxsize=4096)
def _witness(label: str) -> tuple[str, Signature] | None:
    match = _WITNESS.fullmatch(label)
    if match is None:
        return None
    return match[5], Signature(int(match[1]), int(match[2]), int(match[3]), bytes.fromhex(match[4]))


def _regular(path: str) -> None:
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return
    if not S_ISREG(mode):
        raise BadFile("only files can be depended upon, no directories and no devices")
