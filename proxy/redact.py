"""Credentials in recorded text, replaced so that what was said stays readable and equal texts stay equal."""

from __future__ import annotations

import re
from typing import Any

REDACTED = "[redacted]"

_START = r"(?<![A-Za-z0-9])"
_forms = re.compile(
    "|".join(
        (
            _START + r"sk-[A-Za-z0-9_-]{8,}",  # OpenAI, Anthropic, OpenRouter, Stripe by another sign
            _START + r"(?:AKIA|ASIA)[0-9A-Z]{16}",  # Amazon
            _START + r"(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-|hf_|AIza)[A-Za-z0-9_-]{16,}",
            _START + r"(?:gsk_|csk-|xai-|pplx-|nvapi-|r8_|tgp_|fw_)[A-Za-z0-9_-]{16,}",  # other providers of models
            # JSON web token. Possessive, and never from within a word: a client's text must not cost quadratic time.
            r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,}+\.[A-Za-z0-9_-]{10,}+\.[A-Za-z0-9_-]*",
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
        )
    )
)
_bearer = re.compile(r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/-]{8,}=*")
_assigned = re.compile(
    r"""(?i)((?:api[_-]?key|secret[_-]?key|access[_-]?token|auth[_-]?token|client[_-]?secret)"""
    r"""(?:\\?["'])?\s*[=:]\s*(?:\\?["'])?)[^\s"'\\&,;{}()\[\]<>]{6,}+(?!\()"""
)
"""The name stays, the value goes, unless it is a call in a program. JSON inside of a string has its quotes escaped."""

_secret_names = re.compile(
    r"(?i)(?:x-)?(?:api[_-]?key|authorization|secret[_-]?key|access[_-]?token|client[_-]?secret)"
)
_hints = re.compile(
    r"(?i)sk-|akia|asia|gh[pousr]_|github_pat_|glpat-|xox|hf_|aiza|gsk_|csk-|xai-|pplx-|nvapi-|r8_|tgp_|fw_|eyj"
    r"|private key|bearer|key|token|secret"
)
"""What none of the forms can do without. Most texts have none of it and are searched once."""


def redact_text(text: str) -> str:
    if _hints.search(text) is None:
        return text
    return _assigned.sub(_value, _bearer.sub(_value, _forms.sub(REDACTED, text)))


def redact(value: Any) -> Any:
    """The same JSON value, its strings (names of members too) without credentials; depth is that of the decoder."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, list):
        return [redact(item) for item in value]
    if isinstance(value, dict):
        return {redact_text(name): _member(name, item) for name, item in value.items()}
    return value


def _member(name: str, value: Any) -> Any:
    if isinstance(value, str) and value and _secret_names.fullmatch(name):
        return REDACTED
    return redact(value)


def _value(match: re.Match[str]) -> str:
    return match[1] + REDACTED
