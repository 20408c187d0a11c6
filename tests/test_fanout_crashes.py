"""A run that dies after each commit of a fan-out in turn: whoever was committed as asked has their rows in the lake."""

from support.other_tenant import serving
from support.other_under import full
from support.syncing import sync, wrong_tables

from pipelines.lake.store import DeltaStore

TABLES = ("financials", "session_tariffs")
SYNCED = ("users", "sessions", *TABLES)


class Death(BaseException):
    """Nothing of the run goes on after it."""


def test_after_a_death_behind_any_commit_the_next_run_has_every_row(tmp_path, monkeypatch):
    tenant, append, left = full(151, users=4, sessions=8, days=4), DeltaStore.append, [0]

    def dying(store, rows, transactions):
        append(store, rows, transactions)
        left[0] -= 1
        if left[0] == 0:
            raise Death

    deaths = 0
    with serving(tenant) as env:
        until = tenant.now.replace(microsecond=0)
        for commit in range(1, 30):
            home = tmp_path / str(commit)
            left[0] = commit
            monkeypatch.setattr(DeltaStore, "append", dying)
            try:
                sync(env, home, collections=SYNCED, until=until)
            except Death:
                deaths += 1
            finally:
                monkeypatch.setattr(DeltaStore, "append", append)
            if left[0] > 0:
                break
            sync(env, home, collections=SYNCED, until=until)
            assert wrong_tables(tenant, home, TABLES) == {}, commit
    assert deaths > 3
