"""What `warmgate cache` prints: the JSON of a running proxy as text for people. Pure; total over any JSON.

What a proxy says holds what clients wrote, so that nothing of it reaches a terminal that could steer it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from adapters.body import mapping

INDENT = "    "


def explained(told: Mapping[str, Any]) -> str:
    """The answer of `/cache/explain`."""
    exact, semantic = mapping(told.get("exact")), mapping(told.get("semantic"))
    lines = [f"{plain(told.get('route'))} request, model {plain(told.get('model')) or '(none)'}"]
    lines += [*_exact(exact), *_semantic(semantic)]
    return "".join([f"{line}\n" for line in lines])


def done(told: Mapping[str, Any]) -> str:
    """The answer of the others."""
    said = told.get("correct")
    if said is None:
        return f"deleted: {_counts(told)}\n{_far(told)}"
    about = f"entry {plain(told['entry'])}" if "entry" in told else f"key {plain(told.get('key'))}"
    word = "right" if said else "wrong"
    if "deleted" in told:
        became = f"deleted: {_counts(told)}" if not said else "it stays"
    elif said:
        became = "noted"
    else:
        became = "quarantined: it is not served again" if told.get("quarantined") else "noted, but it was not found"
    return f"{about} is {word}: {became}\n{_far(told)}"


def cleared(told: Mapping[str, Any]) -> str:
    """What went, or would go."""
    if "would_delete" not in told:
        return f"deleted: {_counts(told)}\n{_far(told)}"
    listed = told.get("examples")
    names = [plain(name) for name in listed] if isinstance(listed, list) else []
    lines = [f"would delete {plain(told.get('would_delete'))}; nothing has been done (--yes does it)"]
    lines += [f"{INDENT}{name}" for name in names]
    return "".join([f"{line}\n" for line in lines])


def happened(told: Mapping[str, Any]) -> str:
    """What an event brought with it."""
    return f"noted; deleted: {_counts(told)}\n{_far(told)}"


def stored(told: Mapping[str, Any]) -> str:
    """What became of a value."""
    if told.get("stored") is True:
        return f"kept for {_span(told.get('ttl'))}\n{_far(told)}"
    return f"not kept: {plain(told.get('why'))}\n{_far(told)}"


def _far(told: Mapping[str, Any]) -> str:
    """How far an invalidation has come, where it has not come everywhere."""
    if told.get("complete", True) is True:
        return ""
    listed = told.get("missing")
    names = ", ".join(map(plain, listed)) if isinstance(listed, list) and listed else "some replica"
    why = f" ({plain(told['why'])})" if "stored" not in told and told.get("why") else ""
    return f"not confirmed yet by {names}{why}: what it holds may be served until its lease is over\n"


def plain(value: Any) -> str:
    """One line of printable characters."""
    text = "" if value is None else value if isinstance(value, str) else str(value)
    return "".join([each if each.isprintable() else _escaped(each) for each in text])


def _escaped(character: str) -> str:
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character, f"\\u{ord(character):04x}")


def _counts(told: Mapping[str, Any]) -> str:
    return f"{plain(told.get('semantic', 0))} semantic, {plain(told.get('exact', 0))} exact"


def _exact(told: Mapping[str, Any]) -> Iterator[str]:
    outcome, why = plain(told.get("outcome")), plain(told.get("why"))
    level = f" in {plain(told['level'])}" if told.get("level") else ""
    age = f", {_span(told.get('age'))} old, {_span(told.get('ttl'))} to live" if level else ""
    key = f" (key {plain(told['key'])[:16]})" if told.get("key") else ""
    yield f"exact: {outcome}{level}{age}{': ' + why if why else ''}{key}"
    if told.get("stores") is False:
        yield f"{INDENT}an answer would not be kept"
    missing = told.get("missing")
    if isinstance(missing, list) and missing:
        yield f"{INDENT}items that are not kept: {', '.join(map(plain, missing))}"
    if "closest" in told:
        yield from _closest(mapping(told["closest"]))


def _closest(told: Mapping[str, Any]) -> Iterator[str]:
    if not told:
        yield f"{INDENT}nothing else was asked lately with this key"
        return
    state = "its answer is in the cache" if told.get("cached") else "its answer is not in the cache"
    kept = f" (not kept: {plain(told['not_kept'])})" if told.get("not_kept") else ""
    ago = _span(told.get("seconds_ago"))
    if told.get("identical"):
        yield f"{INDENT}the identical request was asked {ago} ago, and {state}{kept}"
        return
    yield f"{INDENT}the closest request was asked {ago} ago, and {state}{kept}; it differs in"
    listed = told.get("differences")
    for each in map(mapping, listed if isinstance(listed, list) else ()):
        yield from _difference(each)
    if told.get("more"):
        yield f"{INDENT * 2}... and more"


def _difference(told: Mapping[str, Any]) -> Iterator[str]:
    path, kind = plain(told.get("path")), told.get("kind")
    there, here = plain(told.get("there")), plain(told.get("here"))
    if kind == "added":
        yield f"{INDENT * 2}{path}: only here: {here}"
    elif kind == "removed":
        yield f"{INDENT * 2}{path}: only there: {there}"
    elif kind == "order":
        yield f"{INDENT * 2}{path}: the same in another order"
    else:
        yield f"{INDENT * 2}{path}"
        yield f"{INDENT * 3}there: {there}"
        yield f"{INDENT * 3}here:  {here}"


def _semantic(told: Mapping[str, Any]) -> Iterator[str]:
    mode, outcome, why = plain(told.get("mode")), plain(told.get("outcome")), plain(told.get("why"))
    if mode == "off":
        yield "semantic: off"
        return
    score = f", score {_number(told['score'])} of {_number(told.get('threshold'))}" if "score" in told else ""
    scope = f"; {plain(told.get('in_scope'))} in scope {plain(told['scope'])[:16]}" if told.get("scope") else ""
    yield f"semantic ({mode}): {outcome}{': ' + why if why else ''}{score}{scope}"
    listed = told.get("neighbours")
    for each in map(mapping, listed if isinstance(listed, list) else ()):
        yield from _neighbour(each)


def _neighbour(told: Mapping[str, Any]) -> Iterator[str]:
    seen = mapping(told.get("observed"))
    observed = f", {plain(seen.get('right'))} right and {plain(seen.get('wrong'))} wrong" if any(seen.values()) else ""
    numbers = f"similarity {_number(told.get('similarity'))}, score {_number(told.get('score'))}"
    yield f"{INDENT}entry {plain(told.get('entry'))}: {numbers}{observed}: {plain(told.get('text'))}"
    listed = told.get("vetoes")
    for veto in map(mapping, listed if isinstance(listed, list) else ()):
        here, there = _words(veto.get("here")), _words(veto.get("there"))
        yield f"{INDENT * 2}vetoed by {plain(veto.get('guard'))}: {here} here, {there} there"


def _words(value: Any) -> str:
    return " ".join([repr(plain(word)) for word in value]) if isinstance(value, list) and value else "nothing"


def _number(value: Any) -> str:
    return "none" if isinstance(value, bool) or not isinstance(value, int | float) else f"{value:.3f}"


def _span(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "some time"
    if value < 120:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.0f} h"
