"""The header by which a client declares a fan-out: `X-Warmgate-Fanout: GROUP; n=N`. Pure."""

from __future__ import annotations

import re

from adapters.vocabulary import Fanout

HEADER = "X-Warmgate-Fanout"

LONGEST = 128
"""Characters of a group's name."""

MOST = 10_000
"""Members of one group."""

_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~:/-]+"
_QUOTED = r'"(?:[ !#-\[\]-~]|\\["\\])*"'
_ITEM = re.compile(rf"({_TOKEN}|{_QUOTED})((?:[ ]*;[ ]*[a-z*][a-z0-9_.*-]*(?:=(?:{_TOKEN}|{_QUOTED}))?)*)")
_PARAMETER = re.compile(rf";[ ]*([a-z*][a-z0-9_.*-]*)(?:=({_TOKEN}|{_QUOTED}))?")
_INTEGER = re.compile(r"[0-9]{1,15}")


def fanout_of(value: str) -> Fanout:
    """Raises `ValueError` where the header is malformed; the message holds nothing of it.

    An item of RFC 8941 §3.3 with the parameter `n`, an integer; other parameters say nothing here, and of two `n` the
    last holds (§3.1.2). More lenient than §3.3.4 in one thing: a name without quotes may begin with a digit, as most
    identifiers do.
    """
    item = _ITEM.fullmatch(value.strip(" \t"))
    if item is None:
        raise ValueError("it is not of the form GROUP; n=N")
    name = item[1]
    group = re.sub(r"\\(.)", r"\1", name[1:-1]) if name.startswith('"') else name
    if not group or len(group) > LONGEST:
        raise ValueError(f"the name of the group must have 1 to {LONGEST} characters")
    count = dict(_PARAMETER.findall(item[2])).get("n", "")
    if not _INTEGER.fullmatch(count) or not 1 <= int(count) <= MOST:
        raise ValueError(f"n must be an integer from 1 to {MOST}")
    return Fanout(group, int(count))
