"""One sync of chargelake: `python -m benchmarks.clients.chargelake sessions,users`, settings from the environment.

Does not belong here: the tenant, the comparison.
"""

from __future__ import annotations

import sys

import pipelines.client.client  # noqa: F401 - loaded before the work is measured, as the peers' libraries are
from benchmarks.clients.taken import telling
from pipelines.quick_start import load_arrow_without_pandas
from pipelines.settings import ApiSettings, LakeSettings, SyncSettings, load
from pipelines.sync import Order, Status, run_sync


def main(collections: str) -> None:
    load_arrow_without_pandas()
    with telling() as told:
        report = run_sync(
            Order(tuple(collections.split(","))),
            api=load(ApiSettings),
            sync=load(SyncSettings),
            lake=load(LakeSettings),
            progress=lambda _name, _rows: None,
        )
        told["rows"] = sum(one.rows_new + one.rows_changed for one in report.collections)
    if report.status is not Status.COMPLETE:
        sys.exit(f"the sync is {report.status.value}: {[note for one in report.collections for note in one.notes]}")


if __name__ == "__main__":
    main(sys.argv[1])
