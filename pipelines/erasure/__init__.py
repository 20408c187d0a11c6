"""Takes a person out of the lake, and proves that nothing of them is left in a folder.

Does not belong here: what is built from the lake (warehouse/erase.py puts it all together).
"""

from __future__ import annotations

from pathlib import Path

ORDER = "erasure.json"
"""In the home while an erasure goes on: what is to be looked for, for the owner only."""


def waits_to_be_ended(home: Path) -> bool:
    """Whether an erasure was begun and has not come to its end."""
    return (home / ORDER).exists()
