"""A demo tenant, pulled whole, built and published: for tests that ask a warehouse and compare with the tenant's truth."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.demo import RunningTenant, running_tenant
from support.syncing import sync

from pipelines.settings import LakeSettings
from pipelines.sync import Status
from warehouse.build import build
from warehouse.publish import publish


@contextmanager
def demo_warehouse(home: Path) -> Iterator[tuple[RunningTenant, LakeSettings]]:
    """The tenant's clock is what it was when its data ended, so nothing moves while it is compared."""
    settings = LakeSettings(home=home)
    with running_tenant() as tenant:
        assert sync(tenant.env, home, ask_all_parents=10_000).status is Status.COMPLETE
        build(settings)
        publish(settings)
        yield tenant, settings
