"""The smallest plain value that a JSON Schema accepts: arguments and structured answers of the simulated provider.

Covers what tool definitions and `response_format` use: types, `enum`, `const`, `default`, required properties, bounds,
lengths, common formats, `anyOf`/`oneOf`/`allOf` and local `$ref`. A `pattern` or `not` is not honoured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

DEPTH = 16
"""A recursive schema ends here, with null."""

FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def example(schema: Any, text: str, root: Any = None, depth: int = 0) -> Any:
    """A value of this schema; `text` is what free strings say."""
    if not isinstance(schema, Mapping) or depth > DEPTH:
        return None
    root = schema if root is None else root
    if "$ref" in schema:
        return example(_resolve(schema["$ref"], root), text, root, depth + 1)
    for literal in ("const", "default"):
        if literal in schema:
            return schema[literal]
    if isinstance(values := schema.get("enum"), list) and values:
        return values[0]
    if isinstance(parts := schema.get("allOf"), list) and parts:
        return example(
            _merged([{k: v for k, v in schema.items() if k != "allOf"}, *parts], root), text, root, depth + 1
        )
    for choice in ("anyOf", "oneOf"):
        if isinstance(options := schema.get(choice), list) and options:
            return example(options[0], text, root, depth + 1)
    return _typed(schema, text, root, depth)


def _typed(schema: Mapping[str, Any], text: str, root: Any, depth: int) -> Any:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((name for name in kind if name != "null"), "null")
    match kind:
        case "string":
            return _string(schema, text)
        case "integer" | "number":
            return _number(schema, whole=kind == "integer")
        case "boolean":
            return True
        case "array":
            return [example(schema.get("items"), text, root, depth + 1)] * _bound(schema, "minItems")
        case "null":
            return None
        case _:
            return _object(schema, text, root, depth)


def _object(schema: Mapping[str, Any], text: str, root: Any, depth: int) -> dict[str, Any]:
    properties, required = schema.get("properties"), schema.get("required")
    known = properties if isinstance(properties, Mapping) else {}
    names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
    return {name: example(known.get(name, {"type": "string"}), text, root, depth + 1) for name in names}


def _string(schema: Mapping[str, Any], text: str) -> str:
    value = FORMATS.get(str(schema.get("format")), text)
    longest = schema.get("maxLength")
    if isinstance(longest, int):
        value = value[: max(0, longest)]
    return value.ljust(_bound(schema, "minLength"), ".")


def _number(schema: Mapping[str, Any], *, whole: bool) -> int | float:
    """1 where it is allowed, else 0, else the multiple of `multipleOf` nearest to a bound, else the middle."""
    low, above = _numeric(schema, "minimum"), _numeric(schema, "exclusiveMinimum")
    high, below = _numeric(schema, "maximum"), _numeric(schema, "exclusiveMaximum")
    multiple = _numeric(schema, "multipleOf")
    step = multiple or 1

    def allowed(value: float) -> bool:
        return (
            (low is None or value >= low)
            and (above is None or value > above)
            and (high is None or value <= high)
            and (below is None or value < below)
            and (not multiple or math.isclose(value / step, round(value / step)))
        )

    ends = [end for end in (low, above, high, below) if end is not None]
    near = [(math.floor(end / step) + shift) * step for end in ends for shift in (0, 1, -1)]
    middle = [] if whole else [sum(ends) / len(ends)] if ends else []
    value = next((each for each in (1, 0, step, *near, *middle) if allowed(each)), 1)
    return int(value) if whole or value == int(value) else float(value)


def _numeric(schema: Mapping[str, Any], name: str) -> int | float | None:
    value = schema.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) else None


def _bound(schema: Mapping[str, Any], name: str) -> int:
    value = schema.get(name)
    return min(value, 1000) if type(value) is int and value > 0 else 0


def _resolve(reference: Any, root: Any) -> Any:
    """The part of the document that a local reference (`#/$defs/name`) names; None where there is none."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    part = root
    for step in reference[1:].strip("/").split("/") if reference.strip("#/") else ():
        if not isinstance(part, Mapping):
            return None
        part = part.get(step.replace("~1", "/").replace("~0", "~"))
    return part


def _merged(parts: list[Any], root: Any) -> dict[str, Any]:
    """One schema for all of `allOf`: properties and required names together, of other members the last."""
    merged: dict[str, Any] = {}
    for given in parts:
        part = _resolve(given["$ref"], root) if isinstance(given, Mapping) and "$ref" in given else given
        if not isinstance(part, Mapping):
            continue
        properties = {**merged.get("properties", {}), **(part.get("properties") or {})}
        required = [*merged.get("required", ()), *(part.get("required") or ())]
        merged = {**merged, **part, "properties": properties, "required": list(dict.fromkeys(required))}
    return merged
