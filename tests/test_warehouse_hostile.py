"""A tenant that sends anything the contract lets through: builds are green, warnings at most, and incremental is full."""

import pytest
from support.lake_data import Lake, at
from support.lake_hostile import HostileLake
from support.parsed_project import MODELS_ONLY
from test_warehouse_nights import differing

from pipelines.contract import RESOURCES
from pipelines.settings import LakeSettings
from warehouse.build import build
from warehouse.publish import publish

FIRST, SECOND = "2026-10-31T00:30", "2026-11-01T00:30"


@pytest.mark.usefixtures("warm_dbt")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.thorough)])
def test_builds_are_green_whatever_a_tenant_sends(tmp_path, seed, monkeypatch):
    """The second seed has a third of the tables only."""
    lake = Lake(str(tmp_path / "lake"))
    without = set(sorted(RESOURCES)[::3] + sorted(RESOURCES)[1::3]) if seed == 2 else set()
    hostile = HostileLake(lake, seed, without)
    kept, fresh = (LakeSettings(home=tmp_path / name, lake=lake.root) for name in ("kept", "fresh"))
    monkeypatch.setenv(*MODELS_ONLY)
    hostile.night(at(FIRST))
    assert build(kept).is_full
    monkeypatch.undo()
    hostile.night(at(SECOND))
    report = build(kept)
    assert not report.is_full
    assert report.warnings, "odd rows must be told of"
    publish(kept)
    monkeypatch.setenv(*MODELS_ONLY)
    assert build(fresh).is_full
    assert differing(kept, fresh) == {}
