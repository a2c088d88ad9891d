"""The verifier's file, its score and its threshold."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.features import FEATURES
from cache.verifier import NEVER, UnusableVerifier, Verifier, packaged, parsed, read

WEIGHTS = "".join(f"{name} = {sign or 1}.5\n" for name, sign in FEATURES.items())
FILE = f"""version = 1
embedder = "worded"
intercept = -2.0

[weights]
{WEIGHTS}
[[tradeoff]]
bound = 0.01
threshold = 0.8

[[tradeoff]]
bound = 0.005
threshold = 0.9
"""


def test_a_file_is_read() -> None:
    verifier = parsed(FILE, "x")
    assert verifier.embedder == "worded"
    assert verifier.intercept == -2.0
    assert verifier.weights == tuple((sign or 1) * 1.5 for sign in FEATURES.values())
    assert verifier.tradeoff == ((0.005, 0.9), (0.01, 0.8))


@pytest.mark.parametrize(("bound", "threshold"), [(0.001, NEVER), (0.005, 0.9), (0.007, 0.9), (0.01, 0.8), (0.5, 0.8)])
def test_the_threshold_is_the_lowest_that_keeps_the_bound(bound: float, threshold: float) -> None:
    assert parsed(FILE, "x").threshold(bound) == threshold


def test_the_score_is_logistic() -> None:
    verifier = Verifier("e", -1.0, (2.0, 0.0), ())
    assert verifier.score((0.5, 9.0)) == 0.5
    assert verifier.score((1.0, 0.0)) == pytest.approx(1 / (1 + math.exp(-1)))
    assert verifier.score((1e9, 0.0)) == pytest.approx(1.0)
    assert verifier.score((-1e9, 0.0)) == pytest.approx(0.0)
    assert math.isnan(verifier.score((math.nan, 0.0)))


@given(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
def test_what_speaks_for_it_never_lowers_the_score(one: float, more: float) -> None:
    verifier = Verifier("e", 0.3, (1.7,), ())
    assert verifier.score((one + abs(more),)) >= verifier.score((one,))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("not toml [", "no TOML"),
        (FILE.replace("version = 1", "version = 2"), "another version"),
        (FILE.replace("alike", "unlike"), "another version"),
        (FILE.replace('embedder = "worded"\n', ""), "damaged"),
        (FILE.replace("intercept = -2.0", 'intercept = "x"'), "damaged"),
        (FILE.replace("intercept = -2.0", "intercept = nan"), "damaged"),
        (FILE.replace("threshold = 0.8", "threshold = true"), "damaged"),
        (FILE.replace("bound = 0.01\n", ""), "damaged"),
    ],
)
def test_what_is_no_verifier_is_refused(text: str, told: str) -> None:
    with pytest.raises(UnusableVerifier, match=told):
        parsed(text, "x")


def test_a_file_for_another_embedder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.toml"
    path.write_text(FILE)
    assert read(path, "worded").embedder == "worded"
    with pytest.raises(UnusableVerifier, match="fitted to worded, not to other"):
        read(path, "other")
    with pytest.raises(UnusableVerifier, match="can't be read"):
        read(tmp_path / "none.toml", "worded")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UnusableVerifier, match="can't be read"):
        read(path, "worded")


def test_the_packaged_one_is_for_one_embedder_and_keeps_the_default_bound() -> None:
    assert packaged("worded") is None
    whole = parsed((Path(__file__).parents[2] / "cache" / "data" / "verifier.toml").read_text(), "x")
    assert packaged(whole.embedder) == whole
    assert whole.threshold(0.005) < 1
    for weight, sign in zip(whole.weights, FEATURES.values(), strict=True):
        assert weight * sign >= 0
