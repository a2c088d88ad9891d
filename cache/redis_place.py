"""Up to where this process has heard, in a file beside its store, so that it catches up after it was away."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

log = logging.getLogger("warmgate.cache")

_ID = re.compile(r"\d{1,20}-\d{1,20}")


class Place:
    """One file per process: what one process has heard another may not have. Blocks, so it is for a thread."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._told = False

    def read(self) -> str | None:
        """The id of a message; None where there is none, or none that can be read."""
        try:
            text = self._path.read_bytes()[:64].decode("ascii", "replace").strip()
        except OSError:
            return None
        return text if _ID.fullmatch(text) else None

    def write(self, id: str) -> None:
        """Where that fails the older one stays, and more than is needed is heard again."""
        other = self._path.with_name(self._path.name + ".new")
        try:
            other.touch(mode=0o600)
            other.write_text(id)
            os.replace(other, self._path)
        except OSError as error:
            if not self._told:
                self._told = True
                log.warning("%s: can't note what was heard (%s): a restart will drop more than it has to", other, error)
