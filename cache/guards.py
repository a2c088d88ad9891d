"""All guards: what a question has that another has not, and for which the answer may not be the same.

A guard only ever refuses. None knows that two questions mean the same; each knows one way in which they can't.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from cache.guard_antonyms import guard_aggregates, guard_antonyms, guard_degree
from cache.guard_code import guard_addresses, guard_code, guard_codes, guard_signs, guard_task
from cache.guard_constraints import guard_additions, guard_constraints
from cache.guard_dates import guard_dates, guard_tense
from cache.guard_entities import guard_entities
from cache.guard_kind import guard_kind
from cache.guard_language import guard_language, guard_length, guard_size
from cache.guard_negation import guard_negation, guard_opposites
from cache.guard_numbers import guard_numbers
from cache.guard_order import guard_order
from cache.guard_payload import guard_payload, guard_quotes
from cache.guard_personal import guard_personal
from cache.guard_units import guard_units
from cache.phrase import Phrase
from cache.veto import Veto

Guard = Callable[[Phrase, Phrase], Veto | None]
"""Pure and total. Objects to (a, b) if and only if it objects to (b, a), with the two sides exchanged."""

_FIRST = "size"

GUARDS: Mapping[str, Guard] = MappingProxyType(
    {
        _FIRST: guard_size,
        "code": guard_code,
        "task": guard_task,
        "payload": guard_payload,
        "quotes": guard_quotes,
        "language": guard_language,
        "length": guard_length,
        "numbers": guard_numbers,
        "negation": guard_negation,
        "antonyms": guard_antonyms,
        "dates": guard_dates,
        "tense": guard_tense,
        "units": guard_units,
        "personal": guard_personal,
        "kind": guard_kind,
        "aggregates": guard_aggregates,
        "constraints": guard_constraints,
        "additions": guard_additions,
        "degree": guard_degree,
        "opposites": guard_opposites,
        "entities": guard_entities,
        "codes": guard_codes,
        "addresses": guard_addresses,
        "signs": guard_signs,
        "order": guard_order,
    }
)
"""By the name that their vetoes carry, the cheapest first."""


def vetoes(a: Phrase, b: Phrase) -> list[Veto]:
    """Of every guard that objects to the answer of one being served for the other; of `size` alone where it does, for
    what is too long to be compared is too long for the others as well."""
    if refused := guard_size(a, b):
        return [refused]
    return [found for name, guard in GUARDS.items() if name != _FIRST and (found := guard(a, b))]


def veto(a: Phrase, b: Phrase) -> Veto | None:
    """The first of them."""
    for guard in GUARDS.values():
        if found := guard(a, b):
            return found
    return None
