"""Which entries others may depend on, so that removing or replacing the many on which nobody does costs nothing. Pure.

An entry carries the labels of all that it depends on, also of what that depends on: so those that depend on an entry
are found by one label, and none of them has to be followed further.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cache.entry import Entry
from cache.invalidation import Invalidation
from cache.labels import ENTRY, entry_label

NAMED = 100_000
"""Labels that are remembered one by one; of more, all may be such."""

AT_ONCE = 500
"""Labels of one invalidation, where one brings others after it."""


class Dependents:
    def __init__(self, *, strangers: bool) -> None:
        self.strangers = strangers
        """Whether there may be entries of which this process has not seen the labels."""
        self._named: set[str] | None = set()

    def note(self, entry: Entry) -> None:
        """This process has it in memory from now on, or has written it."""
        if entry.labels and self._named is not None:
            self._named.update(label for label in entry.labels if label.startswith(ENTRY))
            if len(self._named) > NAMED:
                self._named = None

    def any_of(self, key: bytes) -> bool:
        return self.strangers or self._named is None or (bool(self._named) and entry_label(key) in self._named)

    def included(self, what: Invalidation) -> Invalidation:
        """With all that depends on the keys which it names, also what is only being made."""
        labels = map(entry_label, what.keys)
        return what._replace(labels=tuple(dict.fromkeys((*what.labels, *labels)))) if what.keys else what

    def below(self, what: Invalidation) -> Invalidation | None:
        """What of it may concern entries of the levels below memory; None: nothing."""
        return what if self.strangers else self.in_memory(what)

    def of(self, keys: Iterable[bytes], what: Invalidation) -> Iterator[Invalidation]:
        """What has to be removed as well, where that brought the removal of these."""
        if what.everything:
            return
        done = set(what.labels)
        labels = [label for key in keys if self.any_of(key) and (label := entry_label(key)) not in done]
        for start in range(0, len(labels), AT_ONCE):
            yield Invalidation(what.tenant, labels=tuple(labels[start : start + AT_ONCE]))

    def in_memory(self, what: Invalidation) -> Invalidation | None:
        """What of it may concern entries that this process has in memory; None: nothing."""
        if self._named is None or not any(label.startswith(ENTRY) for label in what.labels):
            return what
        named = self._named
        left = tuple(label for label in what.labels if label in named or not label.startswith(ENTRY))
        return what._replace(labels=left) if left or what.keys or what.namespaces or what.everything else None
