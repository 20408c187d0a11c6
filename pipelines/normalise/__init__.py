"""JSON items -> Arrow tables, whole columns at a time, with bad rows set aside.

The definition of `_row_hash` stands in canonical.py, what a field accepts in reading.py; the rest is speed.
Does not belong here: names of the API (pipelines/contract), storing (pipelines/lake).
"""

from __future__ import annotations

from pipelines.normalise.batch import normalise
from pipelines.normalise.canonical import canonical_hash
from pipelines.normalise.model import BadRow, Drift, Normalised, RawPage

__all__ = ["BadRow", "Drift", "Normalised", "RawPage", "canonical_hash", "normalise"]
