"""What the semantic cache says, as JSON."""

from __future__ import annotations

import math

import msgspec
import pytest

from cache.look import Look
from cache.near import Near
from cache.verdict import Opinion, Verdict
from cache.veto import Veto
from proxy.cache_told import LONGEST, WORD, WORDS, look_told

NEAR = Near(1, 0.987654, "q", 10.0, 20.0)


@pytest.mark.parametrize(
    ("look", "outcome", "why", "would_serve"),
    [
        (Look(), "not looked", "off", False),
        (Look("on", "images"), "not looked", "images", False),
        (Look("on", "", "00", 5, Verdict(None, "nothing near")), "nothing near", "nothing near", False),
        (Look("on", "", "00", 5, Verdict(None, "x", opinions=(Opinion(NEAR, 0.5),))), "refused", "x", False),
        (Look("on", "", "00", 5, Verdict(NEAR, "", 0.99, 0.9, (Opinion(NEAR, 0.99),))), "hit", "", True),
        (Look("shadow", "", "00", 5, Verdict(NEAR, "", 0.99, 0.9, (Opinion(NEAR, 0.99),))), "would hit", "", True),
    ],
)
def test_outcomes(look: Look, outcome: str, why: str, would_serve: bool) -> None:
    told = look_told(look, 0.0)
    assert (told["outcome"], told["why"], told["would_serve"]) == (outcome, why, would_serve)
    assert (told["mode"], told["scope"], told["in_scope"]) == (look.mode, look.scope, look.in_scope)


def test_the_one_that_is_served_is_marked() -> None:
    other = NEAR._replace(id=2)
    told = look_told(
        Look("on", "", "", 2, Verdict(NEAR, "", 0.5, 0.4, (Opinion(NEAR, 0.5), Opinion(other, None)))), 15.0
    )
    assert (told["entry"], told["score"], told["threshold"]) == (1, 0.5, 0.4)
    assert [(each["entry"], each["served"], each["score"]) for each in told["neighbours"]] == [
        (1, True, 0.5),
        (2, False, None),
    ]
    assert told["neighbours"][0]["similarity"] == 0.9877
    assert (told["neighbours"][0]["age"], told["neighbours"][0]["ttl"]) == (5.0, 5.0)


def test_what_clients_wrote_is_short_and_without_credentials() -> None:
    secret = "sk-proj-" + "a1B2" * 8
    near = NEAR._replace(text=f"My key is {secret}. " + "x" * 100_000)
    veto = Veto("payload", tuple([secret] + ["w" * 500] * 100), ())
    told = look_told(Look("on", "", "", 1, Verdict(None, "x", opinions=(Opinion(near, None, (veto,)),))), 0.0)
    (neighbour,) = told["neighbours"]
    assert neighbour["text"].startswith("My key is [redacted]. x")
    assert len(neighbour["text"]) == LONGEST
    (said,) = neighbour["vetoes"]
    assert (said["here"][0], len(said["here"]), len(said["here"][1]), said["there"]) == ("[redacted]", WORDS, WORD, [])


def test_numbers_that_json_does_not_have() -> None:
    verdict = Verdict(None, "x", math.nan, math.inf, (Opinion(NEAR._replace(similarity=math.nan), math.nan),))
    assert msgspec.json.encode(look_told(Look("on", "", "", 1, verdict), math.inf))
