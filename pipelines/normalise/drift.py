"""How answers differ from the contract: the words for it, and how many of them one call names.

Does not belong here: finding the differences (columns.py, objects.py, batch.py), remembering them (pipelines/sync).
"""

from __future__ import annotations

from collections import Counter

from pipelines.normalise.model import Drift

MAX_CHARACTERS = 100
"""Of a path or a word."""
MAX_KINDS = 200
"""Different unknown fields and unlisted words that one call names; the rest is counted as `*`."""


def unknown_field(path: str) -> Drift:
    return Drift("unknown_field", path[:MAX_CHARACTERS], None)


def missing_field(path: str) -> Drift:
    return Drift("missing_field", path, None)


def unlisted_value(path: str, word: str) -> Drift:
    return Drift("unlisted_value", path, word[:MAX_CHARACTERS])


def bounded(drift: Counter[Drift]) -> Counter[Drift]:
    """An answer may use ids as names or words; then most of them are counted as `*`."""
    kept, counted = Counter[Drift](), Counter[tuple[str, str]]()
    for difference, count in sorted(drift.items(), key=lambda entry: (-entry[1], entry[0])):
        group = (difference.kind, difference.path if difference.kind == "unlisted_value" else "")
        counted[group] += 1
        if counted[group] > MAX_KINDS and difference.kind == "unlisted_value":
            kept[difference._replace(value="*")] += count
        elif counted[group] > MAX_KINDS and difference.kind == "unknown_field":
            kept[difference._replace(path="*")] += count
        else:
            kept[difference] += count
    return kept
