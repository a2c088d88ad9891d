from cache.presets import SIZES, TIMES


def test_the_levels_grow_from_the_first_to_the_last():
    assert {name: tuple(sizes) for name, sizes in SIZES.items()} == {
        "small": (500, 5_000, 50_000),
        "medium": (1_000, 10_000, 100_000),
        "large": (5_000, 50_000, 500_000),
        "memory-constrained": (500, 20_000, 200_000),
    }


def test_what_changes_sooner_lives_shorter():
    assert {name: tuple(times) for name, times in TIMES.items()} == {
        "real-time": (60, 300),
        "tool-results": (300, 3_600),
        "configuration": (600, 86_400),
        "static": (1_800, 604_800),
    }
