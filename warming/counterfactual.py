"""What a request would have been billed without the gate and without breakpoints of the proxy's: plain forwarding.

The difference to its real bill is what warming saved, or lost, on this request; the calls that nobody asked for (warms,
pings) are charged beside it. Where the provider's own cache makes the difference uncertain, the smaller saving counts.
Pure.
"""

from __future__ import annotations

from adapters.usage import Usage
from warming.plan import Plan


def plainly(plan: Plan, usage: Usage, before: int) -> Usage:
    """`before`: tokens that were believed readable when the request came, before it waited for anything.

    * Breakpoints of the proxy's alone: without them a provider that keeps nothing by itself would have kept nothing,
      and every token would have been a plain one.
    * Waited for a flight: what that made readable would have been written again (or, where writing is not counted, read
      by nobody).
    * Otherwise the bill is as it would have been.
    """
    terms, profile = plan.terms, plan.terms.profile
    ours = bool(plan.marks) and not any(point.mark for point in plan.prompt.points)
    if ours and profile.writes == "breakpoints":
        return _bare(usage, uncached=usage.prompt)
    read = min(usage.read, before) if plan.expected > before else usage.read
    lost = usage.read - read
    written = usage.prompt - usage.uncached - usage.read
    life = profile.life
    if profile.writes == "both" and (plan.explicit or lost):
        return _bare(usage, read=read, write_30m=usage.prompt - read)  # it writes to the end by itself
    if not lost:
        return usage
    if terms.paid and life is not None and written + lost:
        return usage._replace(**{"read": read, life.counted: getattr(usage, life.counted) + lost})
    return usage._replace(read=read, uncached=usage.uncached + lost)


def _bare(usage: Usage, *, uncached: int = 0, read: int = 0, write_30m: int = 0) -> Usage:
    return Usage(
        uncached=uncached,
        read=read,
        write_30m=write_30m,
        output=usage.output,
        reasoning=usage.reasoning,
        estimated=usage.estimated,
    )
