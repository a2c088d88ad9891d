"""What events mean for the cache: each kind names the labels of what is not true any more. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from cache.labels import FILE, BadLabel, file_label, tag_of

BUILT_IN: Mapping[str, tuple[str, ...]] = {
    "file_changed": ("file:{path}",),
    "prompt_changed": ("prompt:{name}", "prompt:{name}@{version?}"),
    "tool_changed": ("tool:{name}",),
    "config_reloaded": ("config",),
}
"""Kinds that need no configuration, with the facts that they come with. One with a question mark may be missing: then
there is no such label."""

EVERYTHING = "*"
"""In a rule: all entries, of the tenant who tells of it."""

MOST_FACTS, LONGEST_FACT = 32, 4096

_FACT = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(\??)\}")


class UnknownEvent(LookupError):
    """A kind that nobody knows."""


class BadEvent(ValueError):
    """Facts that are missing or make no label; a rule that can make none."""


class Meant(NamedTuple):
    labels: tuple[str, ...] = ()
    everything: bool = False


class Events:
    """`rules`: labels by kind, with facts of the event in braces; for a kind that is built in they are added to what
    that means. Raises `BadEvent`."""

    def __init__(self, rules: Mapping[str, Iterable[str]] = {}) -> None:
        self._rules = {kind: list(labels) for kind, labels in BUILT_IN.items()}
        for kind, labels in rules.items():
            given = list(labels)
            if not kind or not given:
                raise BadEvent(f"event `{kind}`: a kind has a name, and one label at least")
            for label in given:
                _check(kind, label)
            self._rules.setdefault(kind, []).extend(given)

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(self._rules)

    def meant(self, kind: str, facts: Mapping[str, Any]) -> Meant:
        """Raises `UnknownEvent`, `BadEvent`."""
        rules = self._rules.get(kind)
        if rules is None:
            raise UnknownEvent(f"nobody knows events of the kind `{kind[:100]}`; there are {', '.join(self._rules)}")
        if len(facts) > MOST_FACTS:
            raise BadEvent(f"an event has {MOST_FACTS} facts at most")
        labels = [label for rule in rules if rule != EVERYTHING and (label := _filled(kind, rule, facts))]
        return Meant(tuple(dict.fromkeys(labels)), EVERYTHING in rules)


def _check(kind: str, rule: str) -> None:
    if rule == EVERYTHING:
        return
    plain = _FACT.sub("x", rule)
    try:
        if "{" in plain or "}" in plain:
            raise BadLabel("braces hold the name of a fact")
        if not rule.startswith(FILE):
            tag_of(plain)
    except BadLabel as error:
        raise BadEvent(f"event `{kind}`, label `{rule}`: {error}") from error


def _filled(kind: str, rule: str, facts: Mapping[str, Any]) -> str:
    """Empty where a fact is missing that may be."""
    label = rule
    for name, optional in _FACT.findall(rule):
        value = facts.get(name)
        if value is None and optional:
            return ""
        label = label.replace(f"{{{name}{optional}}}", _text(kind, name, value), 1)
    if label.startswith(FILE):
        return file_label(label[len(FILE) :])
    try:
        return tag_of(label)
    except BadLabel as error:
        raise BadEvent(f"event `{kind}`: {error}") from error


def _text(kind: str, name: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadEvent(f"event `{kind}`: `{name}` has to be a text or a whole number")
    try:
        text = str(value)
        text.encode()
    except ValueError as error:  # no text, or a number of thousands of digits
        raise BadEvent(f"event `{kind}`: `{name}` is no text") from error
    if not 0 < len(text) <= LONGEST_FACT:
        raise BadEvent(f"event `{kind}`: `{name}` has 1 to {LONGEST_FACT} characters")
    return text
