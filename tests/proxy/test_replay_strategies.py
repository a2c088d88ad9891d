import pytest

from proxy.replay_strategies import PLAIN, TOLD, Strategy, strategy_of, unknown


@pytest.mark.parametrize(
    ("name", "strategy"),
    [
        ("none", ("none", False, False)),
        ("exact", ("none", True, False)),
        ("naive", ("naive", False, False)),
        ("exact+leader", ("leader", True, False)),
        ("auto+prune", ("auto", False, True)),
        ("exact+call+prune", ("call", True, True)),
    ],
)
def test_names(name: str, strategy: tuple[str, bool, bool]) -> None:
    assert strategy_of(name) == Strategy(name, *strategy)


@pytest.mark.parametrize("name", ["", "magic", "prune", "none+prune", "exact+", "exact+exact", "leader+call", "+auto"])
def test_what_is_none(name: str) -> None:
    assert strategy_of(name) is None
    assert unknown(["none", name]).startswith(f"no such strategy: {name}; there are none, exact, naive,")


def test_what_is_known() -> None:
    assert unknown(list(PLAIN)) == ""
    assert unknown([]).startswith("no strategy given; ")
    assert {name for name in TOLD if "X" not in name} == {*PLAIN, "exact"}


@pytest.mark.parametrize(
    ("name", "declared", "starts", "how"),
    [
        ("naive", False, False, "naive"),
        ("call", False, False, "leader"),
        ("call", False, True, "call"),
        ("call", True, False, "call"),
        ("auto", False, True, "leader"),
        ("auto", True, False, "auto"),
    ],
)
def test_without_declared_fan_outs_nothing_is_left_to_choose(name: str, declared: bool, starts: bool, how: str) -> None:
    strategy = strategy_of(f"exact+{name}")
    assert strategy is not None
    assert strategy.alone(declared=declared, starts=starts) == Strategy("", how, True, False)
