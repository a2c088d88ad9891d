"""For the table tests of the guards: a guard asked both ways."""

from cache.guards import GUARDS
from cache.phrase import Phrase
from cache.veto import Veto


def objection(name: str, a: str, b: str) -> Veto | None:
    """What the guard of that name says of two texts; it says the same of them exchanged."""
    guard = GUARDS[name]
    found, back = guard(Phrase(a), Phrase(b)), guard(Phrase(b), Phrase(a))
    assert (found is None) == (back is None)
    if found is not None and back is not None:
        assert found.guard == back.guard == name
        assert found.here or found.there
    return found
