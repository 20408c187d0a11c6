"""A run that dies after each of its commits in turn: what was committed as read or asked is in the lake, or set aside."""

import shutil

import pytest
from support.other_tenant import serving
from support.other_under import break_financial, full
from support.syncing import sync, wrong_lists, wrong_tables

from pipelines.contract import LISTS
from pipelines.lake import Lake
from pipelines.lake.store import DeltaStore
from pipelines.sync.replay import waiting

ABOVE = ("users", "sessions")
TABLES = ("financials", "session_tariffs")


class Death(BaseException):
    """Nothing of the run goes on after it."""


@pytest.fixture
def after_each_death(tmp_path, monkeypatch):
    """Yields a home after a death behind each commit of some tables in turn, and a good run with the same end.

    above: what the lake holds before.
    """
    append, left = DeltaStore.append, [0]

    def dying(store, rows, transactions):
        append(store, rows, transactions)
        left[0] -= 1
        if left[0] == 0:
            raise Death

    def homes(tenant, env, tables, above=ABOVE):
        until, deaths = tenant.now.replace(microsecond=0), 0
        (tmp_path / "above").mkdir()
        if above:
            sync(env, tmp_path / "above", collections=above, until=until)
        for commit in range(1, 30):
            home = shutil.copytree(tmp_path / "above", tmp_path / str(commit))
            left[0] = commit
            with monkeypatch.context() as patch:
                patch.setattr(DeltaStore, "append", dying)
                try:
                    sync(env, home, collections=tables, until=until)
                except Death:
                    deaths += 1
            if left[0] > 0:
                break
            sync(env, home, collections=tables, until=until)
            yield home
        assert deaths > len(tables)

    return homes


def test_after_a_death_behind_any_commit_of_lists_no_row_is_lost(after_each_death):
    tenant = full(153, users=4, sessions=12, days=60)  # longer than what every night reads again
    broken = min(tenant.rows["sessions"])
    tenant.mangle = lambda _path, items: [
        item | {"isManaged": "perhaps"} if item.get("id") == broken else item for item in items
    ]
    with serving(tenant) as env:
        for home in after_each_death(tenant, env, tuple(LISTS), above=()):
            assert [record["key"] for record in waiting(Lake(str(home / "lake")))] == [broken], home
            [(table, (missing, extra, different))] = wrong_lists(tenant, home).items()
            assert (table, len(missing), extra, different) == ("sessions", 1, [], []), home


def test_after_a_death_behind_any_commit_the_next_run_has_every_row(after_each_death):
    tenant = full(151, users=4, sessions=8, days=4)
    with serving(tenant) as env:
        for home in after_each_death(tenant, env, TABLES):
            assert wrong_tables(tenant, home, TABLES) == {}, home


def test_after_a_death_behind_any_commit_what_cannot_be_read_waits(after_each_death):
    """Whoever was committed as asked is not asked again: what they sent and nobody can read must be on record by then."""
    tenant = full(152, users=4, sessions=8, days=4)
    broken = break_financial(tenant, 0)
    with serving(tenant) as env:
        for home in after_each_death(tenant, env, ("financials",)):
            [record] = waiting(Lake(str(home / "lake")))
            assert (record["collection"], broken in record["key"]) == ("financials", True), home
            missing, extra, different = wrong_tables(tenant, home, ["financials"])["financials"]
            assert (len(missing), extra, different) == (1, [], []), home
