import pytest

from adapters.prompt import Prompt
from adapters.usage import Usage
from proxy.replay_outcome import Outcome
from proxy.replay_prompts import with_marks
from proxy.replay_provider import Provider
from tests.replaying import CLAUDE, PRICES, chain

LONG = chain(("rules", 2000), ("hello", 100))
MORE = (*LONG, *chain(("rules", 2000), ("hello", 100), ("answer", 50), ("more", 50))[2:])


class Asking:
    """A provider, and requests of which only what matters is said."""

    def __init__(self) -> None:
        self.outcome = Outcome()
        self.provider = Provider(PRICES, self.outcome)
        self.model = self.provider.model(CLAUDE)

    def ask(self, points: tuple, at: float, *marks: int, session: int = 0, output: int = 10) -> Usage:  # type: ignore[type-arg]
        prompt = with_marks(Prompt(points, self.model.profile.minimum), [(index, "5m") for index in marks])
        reply = self.provider.send(self.model, prompt, prompt.tokens, output, at)
        self.provider.explain(self.model, prompt, reply, session, at)
        return reply.usage

    def causes(self) -> dict[str, int]:
        return {cause: tokens for cause, tokens in self.outcome.misses.items() if tokens}


def test_a_write_can_be_read_from_its_first_content_on() -> None:
    asking = Asking()
    assert asking.ask(LONG, 0.0, 1) == Usage(0, write_5m=2100, output=10)
    first = 0.3 + 2100 / 10_000
    assert asking.ask(LONG, first - 0.01, 1).read == 0
    assert asking.ask(LONG, first, 1).read == 2100


def test_tokens_behind_the_last_point_are_never_read() -> None:
    provider = Provider(PRICES, Outcome())
    model = provider.model(CLAUDE)
    prompt = with_marks(Prompt(LONG, 1024), [(1, "5m")])
    assert provider.send(model, prompt, 2150, 10, 0.0).usage == Usage(50, write_5m=2100, output=10)
    assert provider.send(model, Prompt((), 1024), 500, 10, 0.0).usage == Usage(500, output=10)


def test_causes_of_what_was_not_read() -> None:
    asking = Asking()
    asking.ask(LONG, 0.0, 1)
    assert asking.causes() == {"cold": 2100}
    asking.ask(LONG, 0.1, 1, session=1)
    assert asking.causes() == {"cold": 2100, "in_flight": 2100}
    asking.ask(MORE, 10.0, 3)
    assert asking.causes() == {"cold": 2100, "in_flight": 2100, "new": 100}
    asking.ask(MORE, 400.0, 3)
    assert asking.causes()["lapsed"] == 2200
    rewritten = chain(("rules", 2000), ("bye", 100), ("answer", 50))
    asking.ask(rewritten, 410.0, 2)
    assert asking.causes()["unmarked"] == 2000
    assert asking.causes()["changed"] == 150


def test_what_is_below_the_minimum() -> None:
    asking, short = Asking(), chain(("rules", 500), ("hello", 100))
    for at in (0.0, 10.0):
        assert asking.ask(short, at, 1).uncached == 600
    assert asking.causes() == {"cold": 600, "below_minimum": 600}


def test_a_new_use_does_not_make_what_was_readable_unreadable() -> None:
    asking = Asking()
    asking.ask(LONG, 0.0, 1)
    asking.ask(LONG, 10.0, session=1)
    asking.ask(LONG, 10.1, session=2)
    assert asking.causes() == {"cold": 2100, "unmarked": 4200}


def test_every_use_counts_for_the_life_that_might_have_been() -> None:
    asking = Asking()
    for at in (0.0, 200.0, 400.0):
        asking.ask(LONG, at)
    assert asking.causes() == {"cold": 2100, "unmarked": 4200}


def test_writes_that_nobody_reads() -> None:
    asking = Asking()
    asking.ask(LONG, 0.0, 0, 1)
    asking.ask(MORE, 10.0, 1, 3)  # reads both entries, and writes 100 more
    asking.provider.close()
    assert asking.outcome.unread == 100
    assert asking.outcome.unread_dollars == pytest.approx(100 * 0.25 / 1e6)


def test_a_read_of_a_part_leaves_the_rest_unread() -> None:
    asking = Asking()
    asking.ask(LONG, 0.0, 0, 1)
    asking.ask(chain(("rules", 2000), ("bye", 70)), 10.0, 0)
    asking.provider.close()
    assert asking.outcome.unread == 100


def test_what_is_written_again_was_lost() -> None:
    asking = Asking()
    asking.ask(LONG, 0.0, 1)
    asking.ask(LONG, 400.0, 1)
    asking.ask(LONG, 401.0, 1)
    asking.provider.close()
    assert asking.outcome.unread == 2100
