"""What the semantic cache says of a request, as JSON. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cache.look import Look
from cache.verdict import Opinion, Verdict
from proxy.redact import redact_text

LONGEST = 200
"""Characters of a neighbour's question."""

WORDS, WORD = 20, 80
"""Of a veto, and characters of each."""


def look_told(look: Look, now: float) -> dict[str, Any]:
    """`outcome` is `hit` (it would be answered), `would hit` (in shadow), `refused`, `nothing near`, or `not looked`
    with the reason in `why`; `neighbours` are the best first. `now`: Unix time."""
    verdict = look.verdict
    told: dict[str, Any] = {
        "mode": look.mode,
        "outcome": _outcome(look),
        "why": verdict.why if verdict is not None else look.why,
        "scope": look.scope,
        "in_scope": look.in_scope,
        "would_serve": verdict is not None and verdict.served is not None,
    }
    if verdict is None:
        return told | {"neighbours": []}
    return told | {
        "entry": verdict.served.id if verdict.served is not None else None,
        "score": _rounded(verdict.score),
        "threshold": _rounded(verdict.threshold),
        "spent": verdict.spent,
        "neighbours": [_neighbour(opinion, verdict, now) for opinion in verdict.opinions],
    }


def _outcome(look: Look) -> str:
    if look.verdict is None:
        return "not looked"
    if look.verdict.served is not None:
        return "hit" if look.mode == "on" else "would hit"
    return "refused" if look.verdict.opinions else "nothing near"


def _neighbour(opinion: Opinion, verdict: Verdict, now: float) -> dict[str, Any]:
    near = opinion.near
    text = redact_text(near.text[: 5 * LONGEST])
    right = sum(correct for _, correct in near.observed)
    return {
        "entry": near.id,
        "similarity": _rounded(near.similarity),
        "score": _rounded(opinion.score),
        "served": verdict.served is not None and verdict.served.id == near.id,
        "text": text if len(text) <= LONGEST else text[: LONGEST - 1] + "…",
        "age": round(max(0.0, now - near.stored_at), 1),
        "ttl": round(max(0.0, near.expires_at - now), 1),
        "observed": {"right": right, "wrong": len(near.observed) - right},
        "vetoes": [
            {"guard": veto.guard, "here": _words(veto.here), "there": _words(veto.there)} for veto in opinion.vetoes
        ],
    }


def _words(words: Sequence[str]) -> list[str]:
    return [redact_text(word[: 5 * WORD])[:WORD] for word in words[:WORDS]]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 4)
