"""Files and folders of the warehouse on disk: for the owner only, durable, one writer at a time.

Does not belong here: what the files hold.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.errors import WarehouseError
from pipelines.settings import LakeSettings

DYING_SECONDS = 3.0
"""A process that was killed may hold what it had locked until its last write to the disk is done."""


def private_folder(path: Path) -> Path:
    """Make the folder (and those above it) for the owner only. Raises WarehouseError naming it."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
    except OSError as error:
        raise WarehouseError(f"expected to write in {path}: {error.strerror}; check CHARGELAKE_HOME") from error
    return path


def sync_to_disk(path: Path) -> None:
    """Return only when the file's content, or the folder's list of names, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def exclusive(settings: LakeSettings) -> Iterator[int]:
    """Hold the warehouse's lock: one build or publish at a time on this machine.

    Yields the lock's file descriptor; a child process that inherits it keeps the lock until it has ended, even when
    its parent is killed. Raises WarehouseError when somebody else holds the lock for longer than a dying process does.
    """
    private_folder(settings.warehouse_folder)
    path = settings.warehouse_folder / "lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _locked(handle):
            raise WarehouseError(
                f"another build or publish is at work in {settings.warehouse_folder}; wait until it has ended"
            )
        yield handle
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    """Take a lock as soon as it is free, or give up."""
    deadline = time.monotonic() + DYING_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
        else:
            return True


@contextmanager
def locked_at_once(path: Path, otherwise: str) -> Iterator[None]:
    """Hold a lock file. Raises WarehouseError with the text `otherwise` when somebody else holds it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WarehouseError(otherwise) from None
        yield
    finally:
        os.close(handle)


@contextmanager
def waiting_lock(path: Path) -> Iterator[None]:
    """Hold a lock file of short work; waits for whoever holds it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
