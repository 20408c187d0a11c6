"""A run killed after each commit of a deletion and of a return: no row lives under one that is gone, and the next run ends it."""

import os
import shutil
import signal

import pytest
from support.command import environment, run_command
from support.lake_family import orphans
from support.other_family import TABLES, end_of, give_back, take_away
from support.other_tenant import serving
from support.other_under import full
from support.other_world import DAY
from support.syncing import asked, sync, wrong_lists, wrong_tables

from pipelines.lake import Lake

TABLES_UNDER = ("financials", "session_tariffs", "charge_settings")
SYNCED = (*TABLES, *TABLES_UNDER)
EVERY = int(os.environ.get("KILL_EVERY", "6"))
"""Commits from one kill to the next; 1, as `make soak` has it, takes many minutes."""


def killed_after(env, home, commit, collections):
    """Whether a sync came to be killed after its `commit`th commit."""
    told = environment(home, env)
    process = run_command("sync", "--collections", ",".join(collections), environment=told, killed_after=commit)
    return process.returncode == -signal.SIGKILL


def copies(tmp_path, home, every=EVERY):
    """Fresh copies of a home."""
    for number in range(1, 100, every):
        yield number, shutil.copytree(home, tmp_path / f"copy-{number}")


def assert_true(tenant, home):
    assert wrong_lists(tenant, home) == {}
    assert wrong_tables(tenant, home, TABLES_UNDER) == {}
    assert orphans(home / "lake") == {}


def open_records(home):
    records = Lake(str(home / "lake")).deletion_candidates().current().values()
    return [record for record in records if record["status"] in {"candidate", "proved"}]


def test_killed_after_each_commit_of_a_deletion(tmp_path):
    """Whether it stays away or is back by the next run."""
    tenant = full(141, users=4, sessions=16, days=6)
    kills = 0
    with serving(tenant) as env:
        sync(env, tmp_path / "home", collections=SYNCED)
        taken = take_away(tenant, "users", end_of(tenant, "users"))
        tenant.now += DAY
        for commit, home in copies(tmp_path, tmp_path / "home"):
            if not killed_after(env, home, commit, ("users",)):
                break
            kills += 1
            assert orphans(home / "lake") == {}, f"below before above, also after commit {commit}"
            other = shutil.copytree(home, tmp_path / "other")
            tenant.now += DAY
            sync(env, home, collections=("users",))
            assert_true(tenant, home)
            give_back(taken)
            sync(env, other, collections=SYNCED)
            assert_true(tenant, other)
            assert open_records(home) == open_records(other) == []
            take_away(tenant, "users", taken[0][1])
            tenant.now -= DAY
            shutil.rmtree(home)
            shutil.rmtree(other)
    assert EVERY * (kills - 1) >= 6, "the seventh commit was one of them"


def test_killed_after_each_commit_of_a_return(tmp_path):
    tenant = full(142, users=4, sessions=16, days=6)
    user, kills = end_of(tenant, "users"), 0
    with serving(tenant) as env:
        sync(env, tmp_path / "home", collections=SYNCED)
        taken = take_away(tenant, "users", user)
        tenant.now += DAY
        sync(env, tmp_path / "home", collections=SYNCED)
        give_back(taken)
        tenant.now += DAY
        for commit, home in copies(tmp_path, tmp_path / "home"):
            if not killed_after(env, home, commit, ("users",)):
                break
            kills += 1
            tenant.requests.clear()
            sync(env, home, collections=("users",))
            assert_true(tenant, home)
            sync(env, home, collections=SYNCED, ask_all_parents=0)
            assert_true(tenant, home)
            assert asked(tenant, f"{user}/financials"), "it is asked like a new one"
            shutil.rmtree(home)
    assert EVERY * kills > 5


def test_a_kill_between_the_deletion_and_the_end_of_its_record_is_ended_by_any_run(tmp_path):
    """Also by one that may not judge, because it ends where the killed one ended."""
    tenant = full(143, users=5, sessions=30, days=10)
    with serving(tenant) as env:
        sync(env, tmp_path / "home", collections=SYNCED)
        take_away(tenant, "users", end_of(tenant, "users"))
        tenant.now += DAY
        for commit, home in copies(tmp_path, tmp_path / "home", every=1):
            if not killed_after(env, home, commit, ("users",)):
                break
            if not any(record["status"] == "proved" for record in open_records(home)):
                continue
            sync(env, home, collections=SYNCED, until=tenant.now.replace(microsecond=0))
            assert open_records(home) == []
            assert_true(tenant, home)
            break
        else:
            pytest.fail("no kill came between proof and end")
