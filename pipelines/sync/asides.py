"""Writes down what could not be read and what the contract does not know, before the rows around it are committed.

Does not belong here: deciding what becomes of such rows (setting_aside.py), committing rows (slices.py, fanout).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pipelines import local_clock
from pipelines.lake import Record, RecordTable
from pipelines.normalise import Drift
from pipelines.sync.report import CollectionReport
from pipelines.sync.setting_aside import PENDING, SetAside, drift_news, quarantine_news, resolutions


class Asides:
    """What one run sets aside of one collection."""

    def __init__(self, quarantine: RecordTable, drift: RecordTable, report: CollectionReport, run_id: str) -> None:
        self._quarantine = quarantine
        self._drift = drift
        self._report = report
        self._run_id = run_id
        self._drift_seen: Counter[Drift] = Counter()

    def records(self) -> list[Record]:
        """Everything that was ever set aside of this collection, in its current state."""
        mine = self._report.collection
        return [record for record in self._quarantine.current().values() if record["collection"] == mine]

    def pending(self) -> list[Record]:
        """What an earlier run set aside and no run has seen again since."""
        return [
            record for record in self.records() if record["status"] == PENDING and record["_run_id"] != self._run_id
        ]

    def set_aside(self, met: list[SetAside]) -> None:
        """Record rows that could not be read."""
        if not met:
            return
        name, run_id = self._report.collection, self._run_id
        written = self._quarantine.write(lambda held: quarantine_news(name, run_id, met, held))
        self._report.rows_set_aside += written
        if written:
            self._report.set_aside(f"{written} rows could not be read and were set aside in _quarantine")

    def resolve(self, identities: Iterable[str]) -> None:
        """What these rows' windows or parents hold now was committed: those not met again are no longer pending."""
        asked = list(identities)
        if not asked:
            return
        now = local_clock.utc_now()
        self._quarantine.write(lambda held: resolutions(asked, self._run_id, now, held))

    def report_drift(self, found: Counter[Drift]) -> None:
        """Record differences from the contract that this run has not met before."""
        fresh = Counter({drift: count for drift, count in found.items() if drift not in self._drift_seen})
        self._drift_seen.update(found)
        if fresh:
            name, run_id, now = self._report.collection, self._run_id, local_clock.utc_now()
            self._drift.write(lambda held: drift_news(name, run_id, now, fresh, held))
