"""Folders that several test files read and that cost much to make: made once for all workers of a run.

Whoever asks first makes it, whoever asks meanwhile waits. They lie beside the workers' own temporary folders, and are
for reading only. Does not belong here: what is in them (parsed_project.py, demo_warehouse.py).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from warehouse.files import waiting_lock


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder of this name, after `make` has filled it. Where that failed, the next who asks tries in a new one."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent  # each worker has a folder of its own in the run's
    with waiting_lock(base / f"{name}.lock"):
        done = base / f"{name}.done"
        if not done.exists():
            number = len(list(base.glob(f"{name}-*")))
            folder = base / f"{name}-{number}"
            folder.mkdir()
            make(folder)
            done.write_text(folder.name)
        return base / done.read_text()
