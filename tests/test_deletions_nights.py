"""Nights with deletions and returns against another server: nothing alive is deleted, what is gone is, what is back is."""

from datetime import timedelta

import pytest
from support.other_family import end_of, give_back, take_away
from support.other_tenant import serving
from support.other_under import full
from support.syncing import report_of, sync, versions, wrong_lists, wrong_tables

from pipelines.sync import Status

DAY = timedelta(days=1)


def assert_true(tenant, home):
    assert wrong_lists(tenant, home) == {}
    assert wrong_tables(tenant, home) == {}


@pytest.mark.parametrize("collection", ["users", "vehicles", "charging-locations"])
def test_what_is_deleted_is_gone_with_all_below_and_comes_back_with_it(tmp_path, collection):
    tenant = full(101, users=12, sessions=120, days=30)
    name = end_of(tenant, collection)
    with serving(tenant) as env:
        sync(env, tmp_path)
        taken = take_away(tenant, collection, name)
        tenant.now += DAY
        run = sync(env, tmp_path)
        assert run.status is Status.COMPLETE
        assert report_of(run, collection.replace("-", "_")).rows_deleted == 1
        assert_true(tenant, tmp_path)
        before = versions(tmp_path)
        sync(env, tmp_path)
        assert versions(tmp_path) == before
        give_back(taken)
        tenant.now += DAY
        run = sync(env, tmp_path)
        assert report_of(run, collection.replace("-", "_")).rows_restored == 1
        assert_true(tenant, tmp_path)
        before = versions(tmp_path)
        sync(env, tmp_path)
    assert versions(tmp_path) == before
