"""What plain forwarding would have been billed."""

from __future__ import annotations

import pytest

from adapters.usage import Usage
from tests.warming.prompts import CLAUDE, NEW, OLD, prompt, terms
from warming.counterfactual import plainly
from warming.plan import Plan


def plan(model, *, marks=(), own=None, warm=-1, explicit=False):
    given = prompt("system:s:4000", "block:d:8000", "message:q:30", model=model, marks=own)
    return Plan(given, terms(model), 0.0, "cold", marks=marks, warm=warm, explicit=explicit)


OURS = ((1, "5m"),)
OWN = {1: "5m"}


@pytest.mark.parametrize(
    ("what", "usage", "before", "plain"),
    [
        # Without our breakpoints Anthropic keeps nothing.
        (plan(CLAUDE, marks=OURS), Usage(write_5m=12_000, uncached=30, output=9), 0, Usage(uncached=12_030, output=9)),
        (plan(CLAUDE, marks=OURS, warm=1), Usage(read=12_000, uncached=30), 0, Usage(uncached=12_030)),
        # With the client's own, a follower that had not waited would have written once more.
        (plan(CLAUDE, own=OWN, warm=1), Usage(read=12_000, uncached=30), 0, Usage(write_5m=12_000, uncached=30)),
        (plan(CLAUDE, own=OWN, warm=1), Usage(read=12_000, uncached=30), 4000,
         Usage(read=4_000, write_5m=8_000, uncached=30)),
        # What was warm already would have been read anyway, and a leader's bill is the same.
        (plan(CLAUDE, own=OWN, warm=1), Usage(read=12_000, uncached=30), 12_000, Usage(read=12_000, uncached=30)),
        (plan(CLAUDE, own=OWN), Usage(write_5m=12_000, uncached=30), 0, Usage(write_5m=12_000, uncached=30)),
        # Where writing is free, it would have been read by nobody.
        (plan(OLD, warm=1), Usage(read=11_904, uncached=126), 0, Usage(uncached=12_030)),
        (plan(OLD), Usage(uncached=12_030), 0, Usage(uncached=12_030)),
        # GPT-5.6 and later write to the end by themselves, for every sibling.
        (plan(NEW, marks=((1, "30m"),), warm=1, explicit=True), Usage(read=12_000, uncached=30), 0,
         Usage(write_30m=12_030)),
    ],
)  # fmt: skip
def test_by_hand(what, usage, before, plain):
    assert plainly(what, usage, before) == plain
    assert plain.prompt == usage.prompt
