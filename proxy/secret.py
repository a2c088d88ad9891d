"""The secret of this installation, with which credentials are hashed into tenants."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path

log = logging.getLogger("warmgate")

NAME = "tenant.key"
LENGTH = 32
LENGTHS = range(16, 65)
"""Bytes that a secret may have; keyed BLAKE2b takes no more than 64."""


def replace_secret(directory: Path | None, secret: bytes) -> None:
    """Keeps another one, which is that of all replicas; so this one has it also while the others can't be asked."""
    if directory is None:
        return
    try:
        descriptor, draft = tempfile.mkstemp(prefix=f"{NAME}.", dir=directory)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secret)
        os.replace(draft, directory / NAME)
    except OSError as error:
        log.warning("the replicas' secret can't be kept in %s (%s)", directory, error)


def install_secret(directory: Path | None) -> bytes:
    """32 bytes, created once in `directory` with mode 0600; without one (or where it can't be written) made anew.

    A new secret makes stored answers unreachable, never shared: tenants are hashed with it.
    """
    if directory is None:
        return os.urandom(LENGTH)
    path = directory / NAME
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        secret = os.urandom(LENGTH)
        # A name of its own: one made from the process number is shared by threads, and by containers of one volume.
        descriptor, draft = tempfile.mkstemp(prefix=f"{NAME}.", dir=directory)  # with mode 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secret)
            os.link(draft, path)  # whole or not at all, and the first of several workers wins
        except FileExistsError:
            secret = path.read_bytes()
        finally:
            os.unlink(draft)
    except OSError as error:
        log.warning("the tenants' secret can't be kept in %s (%s): stored answers last until the end", directory, error)
        return os.urandom(LENGTH)
    if len(secret) not in LENGTHS:
        log.warning(
            "the tenants' secret in %s is damaged (%d bytes): stored answers last until the end", path, len(secret)
        )
        return os.urandom(LENGTH)
    return secret
