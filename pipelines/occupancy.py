"""Who works on a home: any number at once, or somebody who must be alone.

The locks are the operating system's own, so that a killed process leaves none behind; they hold on one machine.
Does not belong here: what is done meanwhile. Two writers of one table are told apart by Delta itself (pipelines/lake).
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.errors import LakeError

SHARED = "lake.lock"
"""Held by whoever writes to the lake, by one alone where nobody else may."""
FIRST = "sync.lock"
"""Held by the first of those who sync at once."""

_ELSEWHERE = "Make CHARGELAKE_HOME a place this user may write to."


@contextmanager
def beside_others(home: Path) -> Iterator[bool]:
    """Sync into the lake of this home. Yields whether another sync was at it when this one began.

    Raises LakeError while somebody must be alone with it.
    """
    with sharing(home), _opened(home, FIRST) as first:
        yield not _lock(first, fcntl.LOCK_EX)


@contextmanager
def sharing(home: Path) -> Iterator[None]:
    """Work on the lake of this home without syncing. Raises LakeError while somebody must be alone with it."""
    with _opened(home, SHARED) as shared:
        if not _lock(shared, fcntl.LOCK_SH):
            raise LakeError(f"A person is being erased from {home}. Wait until that has ended, then run again.")
        yield


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Keep everybody else from writing to the lake of this home. Raises LakeError while somebody does."""
    with _opened(home, SHARED) as shared:
        if not _lock(shared, fcntl.LOCK_EX):
            raise LakeError(f"A sync is at work in {home}. Wait until it has ended, then run again.")
        yield


def _lock(handle: int, kind: int) -> bool:
    """Whether the lock could be had, without waiting."""
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _opened(home: Path, name: str) -> Iterator[int]:
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(home / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise LakeError(
            f"{home / name} cannot be made ({error.strerror}). "
            + ("The disk is full: free some space and run again." if full else _ELSEWHERE)
        ) from error
    try:
        yield handle
    finally:
        os.close(handle)
