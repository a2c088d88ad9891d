from __future__ import annotations

from cache.invalidation import REMEMBERED, Alone, Invalidation
from cache.validity import AT_HAND, Validity
from tests.cache.contract import Clock, entry_of, key_of

ONE = Invalidation(keys=(key_of(1),))
TWO = Invalidation(keys=(key_of(2),))


class Others:
    trusted = True


class Process:
    def __init__(self, log: Alone) -> None:
        self.dropped: list[Invalidation] = []
        self.replicas = Others()
        self.validity = Validity(log, self.replicas, self._drop)  # type: ignore[arg-type]

    def _drop(self, what: Invalidation) -> set[bytes]:
        self.dropped.append(what)
        return set(what.keys)


def test_one_worker_hears_of_the_other_before_it_looks() -> None:
    log = Alone()
    one, two = Process(log), Process(log)
    mark = two.validity.mark()
    assert one.validity.announce(ONE) == ({key_of(1)}, True)
    assert (one.dropped, two.dropped) == ([ONE], [])
    assert two.validity.current() is True
    assert two.dropped == [ONE]
    assert two.validity.late(entry_of(1, Clock()), mark)
    assert not two.validity.late(entry_of(2, Clock()), mark)
    assert not two.validity.late(entry_of(1, Clock()), two.validity.mark())


def test_who_announces_hears_of_others_first_and_tells_his_own_apart() -> None:
    log = Alone()
    one, two = Process(log), Process(log)
    one.validity.announce(ONE)
    assert two.validity.announce(TWO) == ({key_of(2)}, True)
    assert two.dropped == [ONE, TWO]


def test_a_write_is_valid_until_anybody_invalidates_it() -> None:
    log, entry = Alone(), entry_of(1, Clock())
    one, two = Process(log), Process(log)
    valid = two.validity.valid(entry)
    one.validity.announce(TWO)
    assert valid(), "that is another one"
    one.validity.announce(ONE)
    assert not valid(), "before it has been heard of"
    two.validity.current()
    assert not valid(), "nor after"
    valid = two.validity.valid(entry)
    two.validity.note(TWO)
    assert valid()
    two.validity.note(ONE)
    assert not valid(), "nor what only this process was told"
    valid = two.validity.valid(entry)
    two.replicas.trusted = False
    assert not valid()
    assert two.validity.current() is False


def test_of_too_many_meanwhile_nobody_knows_whether_it_was_meant() -> None:
    one = Process(Alone())
    entry = entry_of(1, Clock())
    valid = one.validity.valid(entry)
    for _ in range(AT_HAND):
        one.validity.note(TWO)
    assert valid()
    one.validity.note(TWO)
    assert not valid()
    assert one.validity.valid(entry)()
    one.validity.note(ONE)
    for _ in range(AT_HAND - 1):
        one.validity.note(TWO)
    assert one.validity.valid(entry)()


def test_who_was_asleep_for_long_has_nothing_left() -> None:
    log = Alone()
    one, two = Process(log), Process(log)
    mark = two.validity.mark()
    for _ in range(REMEMBERED + 1):
        one.validity.announce(ONE)
    assert two.validity.current()
    assert two.dropped == [Invalidation(everything=True)]
    assert two.validity.late(entry_of(7, Clock()), mark)


class Full(Alone):
    def append(self, what: Invalidation) -> None:
        raise OSError("no space left")


def test_a_log_that_cannot_be_written_is_told_and_this_process_obeys_all_the_same() -> None:
    one = Process(Full())
    mark = one.validity.mark()
    assert one.validity.announce(ONE) == ({key_of(1)}, False)
    assert one.validity.late(entry_of(1, Clock()), mark)
