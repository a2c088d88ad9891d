"""Lends a test the small libraries beside this file, where the large ones are not installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

PLACE = Path(__file__).parent / "libraries"
NAMES = ("sentence_transformers", "torch")


def lend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the test is over; whatever is installed is out of sight."""
    withhold(monkeypatch)
    monkeypatch.syspath_prepend(str(PLACE))
    for name in NAMES:
        monkeypatch.delitem(sys.modules, name)


def withhold(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if they were not installed."""
    for name in NAMES:
        monkeypatch.setitem(sys.modules, name, None)
