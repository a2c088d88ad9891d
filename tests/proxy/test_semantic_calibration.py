import tomllib

import numpy as np
import pytest

from cache.fitting import Fit
from proxy.semantic_calibrate import Calibration
from proxy.semantic_calibration import Made, everything, toml
from proxy.semantic_figures import Outcome, figures, point

MADE = Made('odd "name"\x7f\n/384', "2026-11-21", 0.01, "class")


def points(*errors: int) -> list[dict[str, object]]:
    """At thresholds 0.9, 0.8, ...: 50 hits each with so many errors, of 1000."""
    return [
        point(0.9 - place / 10, [Outcome(True, at >= wrong) for at in range(50)] + [Outcome(False, False)] * 950)
        for place, wrong in enumerate(errors)
    ]


FOUND = Calibration(
    ("similarity", "odd name"),
    Fit(np.array([10.12345678, -0.0]), -8.0),
    0.8,
    77,
    {"class": points(0, 2, 12), "source": points(0, 5, 20), "whole": points(0, 1, 9)},
    {},
    {"a.b": figures([Outcome(False, False)])},
)


def test_the_file_says_what_was_found() -> None:
    said = tomllib.loads(toml(FOUND, MADE))
    tradeoff, told = said.pop("tradeoff"), said.pop("figures")
    assert said == {
        "version": 1,
        "embedder": MADE.embedder,
        "date": "2026-11-21",
        "max_error": 0.01,
        "threshold": 0.8,
        "folds": "class",
        "intercept": -8.0,
        "n": 1000,
        "examples": 77,
        "weights": {"similarity": 10.123457, "odd name": 0.0},
    }
    assert list(said["weights"]) == ["similarity", "odd name"]
    # Errors 0, 2 and 12 of 1000 bound the rate to 0.38%, 0.73% and 2.1%. Bounds above 0.02 were not asked for.
    assert tradeoff == [
        {"bound": 0.005, "threshold": 0.9},
        {"bound": 0.0075, "threshold": 0.8},
        {"bound": 0.01, "threshold": 0.8},
        {"bound": 0.015, "threshold": 0.8},
        {"bound": 0.02, "threshold": 0.8},
    ]
    assert told["class"]["errors"] == 2
    assert told["source"] == {
        "n": 1000,
        "hits": 50,
        "errors": 5,
        "hit_rate": 0.05,
        "error_rate": 0.005,
        "error_rate_upper95": pytest.approx(0.011650, abs=1e-6),
        "precision": 0.9,
    }
    assert told["held_out"]["a.b"]["n"] == 1
    assert "precision" not in told["held_out"]["a.b"]


def test_without_a_threshold_there_is_no_file() -> None:
    with pytest.raises(ValueError, match="without a threshold"):
        toml(FOUND._replace(threshold=None), MADE)
    told = everything(FOUND._replace(threshold=None), MADE)
    assert told["threshold"] is None


def test_machines_are_told_everything() -> None:
    told = everything(FOUND, MADE)
    assert told["tradeoffs"] == FOUND.tradeoffs
    assert told["weights"] == {"similarity": 10.12345678, "odd name": 0.0}
    assert told["tradeoff"] == tomllib.loads(toml(FOUND, MADE))["tradeoff"]
