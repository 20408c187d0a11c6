"""What a demo tenant keeps between two starts: where its world lies in time, and how far its clock was moved.

Does not belong here: the clock itself (clock.py).
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from pipelines.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class State:
    """weeks: the world's move. begun_ms: real time of the first start. advanced_ms: the sum of all advances."""

    weeks: int
    begun_ms: int
    advanced_ms: int


def read_state(path: Path) -> State | None:
    """The kept state, None where there is none yet. Raises ConfigurationError for a file that is something else."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=State)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, OSError) as error:
        raise ConfigurationError(
            f"The demo tenant's state {path} cannot be read ({type(error).__name__}): expected the JSON that "
            "`demo serve --state` wrote; name another file, or delete this one to begin anew"
        ) from None


def write_state(path: Path, state: State) -> None:
    """Put the state in place in one step. Raises ConfigurationError where the folder cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.encode(asdict(state)))
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigurationError(
            f"The demo tenant's state {path} cannot be written ({error.strerror}): name a file in a folder of yours"
        ) from None
