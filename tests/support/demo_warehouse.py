"""A demo tenant, pulled whole, built and published: for tests that ask a warehouse and compare with the tenant's truth.

Does not belong here: who makes it when (the fixture `demo_warehouse` in conftest.py).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.demo import running_tenant
from support.syncing import sync

from pipelines.contract import RESOURCES
from pipelines.settings import LakeSettings
from pipelines.sync import Status
from warehouse.build import build
from warehouse.publish import publish


@dataclass(frozen=True)
class DemoWarehouse:
    """The home, and what the tenant said of itself when it had been pulled. For reading only: test files share it."""

    home: Path

    @property
    def settings(self) -> LakeSettings:
        return LakeSettings(home=self.home)

    def truth(self, collection: str) -> list[dict[str, Any]]:
        """Every row of a lake table, in the API's JSON."""
        return json.loads(_truth_file(self.home, collection).read_bytes())


def make_demo_warehouse(home: Path) -> None:
    """The tenant's clock is what it was when its data ended, so nothing moves while its truth is asked for."""
    settings = LakeSettings(home=home)
    with running_tenant() as tenant:
        assert sync(tenant.env, home, ask_all_parents=10_000).status is Status.COMPLETE
        for collection in RESOURCES:
            file = _truth_file(home, collection)
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(tenant.truth_text(collection))
    build(settings)
    publish(settings)


def _truth_file(home: Path, collection: str) -> Path:
    return home / "truth" / f"{collection}.json"
