"""The folder of a process for what does not fit into its memory, and the end of those whose process was killed.

Does not belong here: what is worked out in it (scratch.py).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

PREFIX = "chargelake-"
LEFT_SECONDS = 3600.0
"""A folder is younger than this until its process has surely locked it."""
_LOCK = "in-use"


@cache
def scratch_folder() -> Path:
    """The owner's alone, in TMPDIR; gone when the process ends, and if it is killed, when a later one comes."""
    # clearing up is not worth a night: where files cannot be locked, say, what is left is left
    with suppress(OSError):
        _remove_left()
    folder = Path(_made().name)
    with suppress(OSError):
        # held until the process ends, however it does
        fcntl.flock(os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), fcntl.LOCK_EX)
    return folder


@cache
def _made() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix=PREFIX)


def _remove_left() -> None:
    """Remove our own old folders that nobody holds; they have rows of the tenant's in them."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            state = folder.lstat()
            if state.st_uid != os.getuid() or time.time() - state.st_mtime < LEFT_SECONDS:
                continue
            handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(folder)
        except OSError:
            continue
        finally:
            os.close(handle)


def _remove(folder: Path) -> None:
    """The lock last: whoever dies on the way leaves a folder that the next one removes."""
    for path in folder.iterdir():
        if path.name != _LOCK:
            shutil.rmtree(path)
    shutil.rmtree(folder)
