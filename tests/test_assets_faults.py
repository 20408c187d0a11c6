"""Nights in which something is bad: it stays one bad thing, and it shows."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import duckdb
import pytest
from dagster import AssetKey, DagsterEventType, DagsterInstance, DagsterRunStatus
from support.dagster import failed_checks, lake, materialised, page_instance, said
from support.lake_truth import SAME, differences
from support.other_tenant import OtherTenant, fill, serving

from assets.definitions import build_definitions
from assets.night import run_night
from assets.surroundings import Surroundings
from pipelines.errors import ConfigurationError, CredentialsRefused
from pipelines.settings import ApiSettings, LakeSettings, SyncSettings
from pipelines.sync import Status
from warehouse.files import exclusive

NOW = datetime(2026, 6, 1, 3, tzinfo=timezone.utc)


def break_one_session(path, items):
    """Of every answer, the first session's flag is no flag."""
    return [items[0] | {"isManaged": "perhaps"}, *items[1:]] if path == "sessions" and items else items


@pytest.fixture(scope="module")
def tenant():
    tenant = OtherTenant(now=NOW)
    fill(tenant, random.Random(4), users=20, sessions=150, since=NOW - timedelta(days=60), until=NOW)
    return tenant


@pytest.fixture(scope="module")
def served(tenant):
    with serving(tenant) as settings:
        yield settings


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def nights(tenant, served, home):
    """One in which sessions fail, then one in which a session cannot be read."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (served | {"CHARGELAKE_HOME": str(home), "CHARGELAKE_MAX_TRIES": "1"}).items():
            patch.setenv(name, value)
        tenant.failing = {"sessions"}
        failed = run_night()
        tenant.failing = set()
        tenant.mangle = break_one_session
        partial = run_night()
        tenant.mangle = lambda _path, items: items
    return SimpleNamespace(failed=failed, partial=partial)


@pytest.fixture(scope="module")
def instance(nights, home):
    with page_instance(home) as instance:
        yield instance


def test_one_failing_collection_leaves_the_others_and_the_models_done(nights, tenant, home, instance):
    night = nights.failed
    assert (night.status, night.exit_code) == (Status.FAILED, 1)
    assert {report.collection: report.status for report in night.sync.collections} == {
        "users": Status.COMPLETE,
        "vehicles": Status.COMPLETE,
        "charging_locations": Status.COMPLETE,
        "sessions": Status.FAILED,
        "supported_car_models": Status.COMPLETE,
    }
    assert night.published.rows["marts.dim_users"] == len(tenant.rows["users"])
    assert night.published.rows["marts.fct_sessions"] == 0
    assert materialised(instance, night.run_id)["lake/sessions"]["status"] == "failed"


def test_the_failure_shows_at_its_table_and_turns_the_run_red(nights, instance):
    run_id = nights.failed.run_id
    assert failed_checks(instance, run_id) == {
        "lake/sessions:complete": "ERROR",
        "published_file:every_collection_complete": "ERROR",
    }
    assert instance.get_run_by_id(run_id).status is DagsterRunStatus.FAILURE
    assert nights.failed.problems == ()  # the collection's own notes say it
    assert any("HTTP 500" in note for note in nights.failed.sync.collections[3].notes)


def test_what_failed_is_made_up_for_and_what_is_set_aside_is_a_warning(nights, tenant, home, instance):
    night = nights.partial
    assert (night.status, night.exit_code) == (Status.PARTIAL, 3)
    assert failed_checks(instance, night.run_id) == {"lake/sessions:complete": "WARN"}
    assert instance.get_run_by_id(night.run_id).status is DagsterRunStatus.SUCCESS
    missing, extra, different = differences(home / "lake", "sessions", tenant.rows["sessions"].values())
    set_aside = night.sync.collections[3].rows_set_aside
    assert (extra, different) == ([], [])
    assert 0 < len(missing) <= set_aside
    assert differences(home / "lake", "users", tenant.rows["users"].values()) == SAME
    with duckdb.connect(str(home / "warehouse" / "current.duckdb"), read_only=True) as connection:
        counted = connection.execute(
            "select (select count(*) from marts.fct_sessions), (select count(*) from ops.quarantine)"
        ).fetchone()
    assert counted == (len(tenant.rows["sessions"]) - len(missing), set_aside)


# One step at a time, without the command


@pytest.fixture
def run_steps(served, home, tenant):
    """Run assets of the nightly job, or a job; settings can be replaced one by one."""

    def run(*keys, job="nightly", run_config=None, lake_settings=None, api=None, **api_changes):
        settings = ApiSettings(
            **{name.removeprefix("SMART_CHARGING_").lower(): value for name, value in served.items()} | api_changes
        )
        surroundings = Surroundings(
            api=api or (lambda: settings),
            sync=lambda: SyncSettings(max_tries=1),
            lake=lambda: lake_settings or LakeSettings(home=home),
            first_pause_seconds=0,
        )
        definition = build_definitions(surroundings).resolve_job_def(job)
        with DagsterInstance.ephemeral() as instance:
            return definition.execute_in_process(
                instance=instance, asset_selection=list(keys), run_config=run_config, raise_on_error=False
            )

    return run


def retries(result):
    return [event for event in result.all_events if event.event_type is DagsterEventType.STEP_UP_FOR_RETRY]


def test_refused_credentials_fail_at_once_in_clear_words(nights, run_steps):
    result = run_steps(lake("users"), client_secret="wrong")
    assert not result.success
    assert retries(result) == []
    [words] = said(result)
    assert "SMART_CHARGING_CLIENT_SECRET" in words
    assert "wrong" not in str(result.all_events)


def test_a_missing_setting_is_named_by_the_run(nights, run_steps, monkeypatch):
    for name in ("BASE_URL", "API_KEY"):
        monkeypatch.delenv(f"SMART_CHARGING_{name}", raising=False)
    [words] = said(run_steps(lake("users"), api=Surroundings().api))
    assert "SMART_CHARGING_BASE_URL: is not set" in words
    assert "SMART_CHARGING_API_KEY: is not set" in words


def test_silence_is_waited_out_and_then_reported(nights, run_steps):
    result = run_steps(lake("users"), base_url="http://127.0.0.1:9/api/v2")
    assert result.success
    assert len(retries(result)) == 2
    [check] = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed, check.severity.value) == ("complete", False, "ERROR")
    assert "127.0.0.1:9" in check.description


def test_a_build_that_cannot_be_done_says_why(nights, run_steps, home):
    settings = LakeSettings(home=home)
    with exclusive(settings):
        result = run_steps(AssetKey(["marts", "dim_users"]))
    assert not result.success
    assert ["another build or publish is at work" in words for words in said(result)] == [True]


def test_a_failing_dbt_test_keeps_the_published_file(nights, run_steps, home):
    """A changed build file makes a test of severity error fail; readers keep what they have."""
    before = (home / "warehouse" / "current.duckdb").resolve()
    settings = LakeSettings(home=home)
    with duckdb.connect(str(settings.build_file)) as connection:
        connection.execute(
            "insert into marts.fct_sessions select * from marts.fct_sessions order by started_at limit 1"
        )
    result = run_steps(AssetKey(["marts", "fct_sessions"]), AssetKey("published_file"))
    assert not result.success
    [words] = said(result)
    assert "unique_fct_sessions_session_id failed" in words
    checks = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
    assert checks["unique_fct_sessions_session_id"] is False
    assert checks["not_null_fct_sessions_session_id"] is True
    assert (home / "warehouse" / "current.duckdb").resolve() == before


def test_a_range_is_read_again(nights, tenant, run_steps, home):
    changed = next(row for row in tenant.rows["sessions"].values() if row["status"] == "Complete")
    changed["chargedEnergy"] = 71.25
    day = datetime.fromisoformat(changed["startTime"])
    config = {"collection": "sessions", "begin": f"{day:%Y-%m-%d}", "end": f"{day + timedelta(days=1):%Y-%m-%d}"}
    result = run_steps(job="resync", run_config={"ops": {"resync_range": {"config": config}}})

    assert result.success
    [observed] = [
        event.event_specific_data.asset_observation
        for event in result.all_events
        if event.event_type is DagsterEventType.ASSET_OBSERVATION
    ]
    assert observed.asset_key == lake("sessions")
    assert observed.metadata["rows_changed"].value == 1
    assert differences(home / "lake", "sessions", tenant.rows["sessions"].values())[2] == []


@pytest.mark.parametrize(
    ("begin", "end", "words"),
    [("yesterday", "2026-03-02", "begin: expected a time"), ("2026-03-02", "2026-03-01", "must lie before")],
)
def test_a_bad_range_is_refused(nights, run_steps, begin, end, words):
    config = {"collection": "users", "begin": begin, "end": end}
    result = run_steps(job="resync", run_config={"ops": {"resync_range": {"config": config}}})
    assert words in said(result)[0]


def test_the_command_refuses_before_it_begins(nights, served, home, monkeypatch):
    for name, value in (served | {"CHARGELAKE_HOME": str(home), "CHARGELAKE_MAX_TRIES": "1"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SMART_CHARGING_API_KEY", "another")
    with pytest.raises(CredentialsRefused):
        run_night()
    monkeypatch.delenv("SMART_CHARGING_API_KEY")
    with pytest.raises(ConfigurationError, match="SMART_CHARGING_API_KEY"):
        run_night()
