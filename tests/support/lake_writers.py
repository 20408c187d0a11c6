"""Processes that work on a lake until they are killed, forked off one with the libraries loaded (support/command.py).

Does not belong here: what they must have left behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from support.command import FORKS
from support.lake_rows import USERS, user_rows

from pipelines.lake import Lake
from pipelines.lake.maintenance import maintain

T0 = datetime(2026, 3, 1, tzinfo=timezone.utc)
PATIENCE_SECONDS = 60


@contextmanager
def at_work(work: Callable[..., None], *arguments: Any) -> Iterator[Connection]:
    """A process that has begun with its work, and is killed in the end. Gives the line to it."""
    ours, theirs = FORKS.Pipe()
    process = FORKS.Process(target=work, args=(theirs, *arguments))
    process.start()
    theirs.close()
    try:
        assert said(ours) == "ready"
        yield ours
    finally:
        process.kill()
        process.join()
        ours.close()


def said(line: Connection) -> Any:
    """What a process says next; it must not be waited for for ever."""
    assert line.poll(PATIENCE_SECONDS)
    return line.recv()


def write(line: Connection, root: Path, begin: int) -> None:
    """Commit three rows a step, and the step's second as the watermark."""
    table = Lake(str(root)).table(USERS)
    line.send("ready")
    for step in range(begin, begin + 400):
        at = T0 + timedelta(seconds=step)
        table.commit(user_rows([(step * 3 + n, "a", at, False) for n in range(3)]), {"users": at})


def make(line: Connection) -> None:
    """Make a table in each folder that it is told, and say how many rows it has."""
    line.send("ready")
    while True:
        line.send(len(Lake(str(line.recv())).table(USERS)))


def maintain_again_and_again(line: Connection, root: Path) -> None:
    line.send("ready")
    while True:
        for _ in maintain(str(root)):
            pass
