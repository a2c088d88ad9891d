"""What depends on what: named things on others, and entries on named things, files and other entries.

An entry carries the labels of all that it depends on, however far away, so that one look at it says whether an
invalidation concerns it. Named things (`prompt:support`) may come to depend on something later, when entries that carry
their label are there already: an invalidation is therefore widened by all that depends on what it names. Both are walks
over one graph, in which circles do no harm.

Dependencies of a tenant are its own; those of nobody, from the configuration, hold for all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

from cache.entry import Entry
from cache.invalidation import Invalidation
from cache.labels import ENTRY, FILE, BadLabel, distinct, entry_label, tag_of

MOST = 10_000
"""Named things that depend on others, those of all tenants together."""

Graph = dict[str, dict[str, None]]
"""Names, and what each depends on."""

Look = Callable[[bytes], Awaitable[Entry | None]]
"""The entry of a key, where it is there and fresh; it counts as no access."""


def namespace_label(namespace: str) -> str:
    """What those carry that depend on an entry of this namespace, wherever they are themselves: they go with it."""
    return f"{ENTRY}@{namespace}"


class Missing(LookupError):
    """An entry that this one would depend on is not there, or is another tenant's."""


class Cycle(ValueError):
    """An entry would depend on itself."""


class Dependencies:
    """`depends`: what named things depend on, by name: other names, files (`file:/absolute/path`), entries. Raises
    `BadLabel` for what is no label."""

    def __init__(self, depends: Mapping[str, Iterable[str]] = {}, most: int = MOST) -> None:
        self._graphs: dict[str | None, Graph] = {}
        self._most = most
        for name, labels in depends.items():
            self.add(name, labels)

    def __len__(self) -> int:
        return sum(map(len, self._graphs.values()))

    def add(self, name: str, labels: Iterable[str], tenant: str | None = None) -> None:
        """From now on it depends on these as well. What depends on itself is reported by `cycles`, and no error.
        Raises `BadLabel` also where there are too many."""
        tag_of(name)
        wanted = distinct(map(_label, labels))
        known = self._graphs.get(tenant, {}).get(name)
        if known is None and len(self) >= self._most:
            raise BadLabel(f"there are {self._most} things that depend on others, and no more")
        self._graphs.setdefault(tenant, {})[name] = dict.fromkeys(distinct([*(known or ()), *wanted]))

    def remove(self, name: str, tenant: str | None = None) -> bool:
        """It depends on nothing any more; whether it did."""
        graph = self._graphs.get(tenant, {})
        known = graph.pop(name, None) is not None
        if not graph:
            self._graphs.pop(tenant, None)
        return known

    def upward(self, labels: Iterable[str], tenant: str) -> tuple[str, ...]:
        """These and all that they depend on, each once. Raises `BadLabel` where there are too many."""
        graphs = [self._graphs[whose] for whose in (None, tenant) if whose in self._graphs]
        return distinct(_reached(labels, lambda label: [each for graph in graphs for each in graph.get(label, ())]))

    async def labels_for(self, labels: Iterable[str], tenant: str, look: Look, own: bytes = b"") -> tuple[str, ...]:
        """What an entry of the key `own` has to carry that is given these labels: with them all that they depend on,
        and what the entries among them carry. Raises `Missing`, `Cycle`, and `BadLabel` for too many.

        An entry that goes while this waits invalidates its label: who keeps the new one with a mark from before (see
        `cache.invalidation.Heard`) does not keep it then.
        """
        waiting = list(self.upward(labels, tenant))
        found: dict[str, None] = {}
        for label in waiting:
            if label in found:
                continue
            found[label] = None
            if label.startswith(ENTRY):
                entry = await look(_key(label))
                if entry is None or entry.tenant != tenant:
                    raise Missing(f"{label}: there is no such entry to depend on")
                found.update(dict.fromkeys((*entry.labels, namespace_label(entry.namespace))))  # it carries its own
                waiting += [each for each in self.upward(entry.labels, tenant) if each not in found]
        if own and entry_label(own) in found:
            raise Cycle("an entry can't depend on itself, nor on one that depends on it")
        return distinct(found)

    def downward(self, what: Invalidation) -> list[Invalidation]:
        """What an invalidation means: the same with the labels of all that depends on what it names, entries that
        depend on its keys and namespaces included, and one more for each tenant whose own names depend on it."""
        named = (*what.labels, *map(entry_label, what.keys), *map(namespace_label, what.namespaces))
        if what.everything or not named:
            return [what]
        shared = self._graphs.get(None, {})
        labels = tuple(_reached(named, _reversed(shared)))
        if what.tenant is not None and what.tenant in self._graphs:
            labels = tuple(_reached(labels, _reversed(shared, self._graphs[what.tenant])))
        found = [what._replace(labels=labels)]
        if what.tenant is None:
            for tenant, graph in self._graphs.items():
                if tenant is not None:
                    more = _reached(labels, _reversed(shared, graph))
                    theirs = tuple(label for label in more if label not in labels)
                    found += [Invalidation(tenant, labels=theirs)] if theirs else []
        return found

    def cycles(self) -> list[tuple[str, ...]]:
        """Names that depend on each other, or on themselves, of the configuration: each circle once, in some order."""
        graph = self._graphs.get(None, {})
        reached = {name: set(_reached(graph[name], lambda label: graph.get(label, ()))) for name in graph}
        circles = {tuple(sorted(o for o in reached if o in reached[n] and n in reached[o])) for n in reached}
        return sorted(circle for circle in circles if circle)


def _reached(start: Iterable[str], ahead: Callable[[str], Iterable[str]]) -> dict[str, None]:
    """The start and everything behind it, the nearest first."""
    found = dict.fromkeys(start)
    waiting = list(found)
    for label in waiting:
        for other in ahead(label):
            if other not in found:
                found[other] = None
                waiting.append(other)
    return found


def _reversed(*graphs: Graph) -> Callable[[str], Iterable[str]]:
    dependents: Graph = {}
    for graph in graphs:
        for name, labels in graph.items():
            for label in labels:
                dependents.setdefault(label, {})[name] = None
    return lambda label: dependents.get(label, ())


def _label(label: str) -> str:
    if label.startswith(FILE):
        return label
    if label.startswith(ENTRY):
        _key(label)
        return label
    return tag_of(label)


def _key(label: str) -> bytes:
    try:
        return bytes.fromhex(label[len(ENTRY) :])
    except ValueError as error:
        raise BadLabel(f"`{ENTRY}` is followed by the key of an entry, in hexadecimal digits") from error
