"""Nights in which something is bad: it stays one bad thing, and it shows."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import duckdb
import pytest
from dagster import AssetKey, DagsterEventType, DagsterInstance, DagsterInvalidSubsetError, DagsterRunStatus
from support.dagster import failed_checks, lake, materialised, page_instance, said
from support.lake_truth import SAME, differences
from support.other_tenant import API_KEY, SECRET, TOKEN, serving
from support.other_under import full
from support.parsed_project import MODELS_ONLY
from support.searching import found_in
from support.syncing import api_settings

from assets.clock import RunClocks
from assets.definitions import build_definitions
from assets.night import run_night
from assets.surroundings import Surroundings
from pipelines.contract import FAN_OUTS, LISTS, RESOURCES
from pipelines.errors import ApiUnavailable, ConfigurationError, CredentialsRefused
from pipelines.lake import Lake
from pipelines.settings import LakeSettings, SyncSettings
from pipelines.sync import Status
from warehouse.files import exclusive

pytestmark = pytest.mark.usefixtures("parsed_project")

FAST = {"CHARGELAKE_MAX_TRIES": "1", "CHARGELAKE_MAX_REQUESTS_PER_SECOND": "100000"}
OF_USERS = [table for fan_out in FAN_OUTS.values() if fan_out.parent == "users" for table in fan_out.tables]


def break_one_session(path, items):
    """Of every answer, the first session's flag is no flag."""
    return [items[0] | {"isManaged": "perhaps"}, *items[1:]] if path == "sessions" and items else items


@pytest.fixture(scope="module")
def tenant():
    return full(4, users=12, sessions=80)


@pytest.fixture(scope="module")
def served(tenant):
    with serving(tenant) as settings:
        yield settings


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def nights(tenant, served, home):
    """One in which sessions fail; one a day later in which a session cannot be read and a user fails."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (served | FAST | {"CHARGELAKE_HOME": str(home)}).items():
            patch.setenv(name, value)
        patch.setenv(*MODELS_ONLY)
        tenant.failing = {"sessions"}
        failed = run_night()
        tenant.failing = set()
        tenant.now += timedelta(days=1)
        tenant.mangle, tenant.failing_users = break_one_session, {min(tenant.rows["users"])}
        partial = run_night()
        tenant.mangle, tenant.failing_users = lambda _path, items: items, set()
        after_partial = differences(home / "lake", "sessions", tenant.rows["sessions"].values())
    return SimpleNamespace(failed=failed, partial=partial, after_partial=after_partial)


@pytest.fixture(scope="module")
def instance(nights, home):
    with page_instance(home) as instance:
        yield instance


def failed_pulls(instance, run_id):
    """Failed checks of lake tables and of the run; what models say of the data that is missing is not looked at."""
    found = failed_checks(instance, run_id)
    return {name: severity for name, severity in found.items() if name.startswith(("lake/", "published_file:"))}


def test_one_failing_collection_leaves_the_others_and_the_models_done(nights, tenant, home, instance):
    night = nights.failed
    assert (night.status, night.exit_code) == (Status.FAILED, 1)
    assert {report.collection: report.status for report in night.sync.collections} == {
        name: Status.FAILED if name == "sessions" else Status.COMPLETE for name in RESOURCES
    }
    assert night.published.rows["marts.dim_users"] == len(tenant.rows["users"])
    assert night.published.rows["marts.fct_sessions"] == 0
    assert materialised(instance, night.run_id)["lake/sessions"]["status"] == "failed"


def test_no_secret_is_kept_anywhere(nights, home):
    """Every failing request was answered with what it had been sent: secret, key and token."""
    assert nights.failed.status is Status.FAILED
    assert found_in(home, {"HTTP 500"}), "what failed is told"
    assert found_in(home, {SECRET, API_KEY, TOKEN}) == set()


def test_the_failure_shows_at_its_table_and_turns_the_run_red(nights, instance):
    run_id = nights.failed.run_id
    assert failed_pulls(instance, run_id) == {
        "lake/sessions:complete": "ERROR",
        "published_file:every_collection_complete": "ERROR",
    }
    assert instance.get_run_by_id(run_id).status is DagsterRunStatus.FAILURE
    assert nights.failed.problems == ()  # the collection's own notes say it
    assert any("HTTP 500" in note for note in nights.failed.sync.collections[3].notes)


def test_what_failed_is_made_up_for_and_what_is_set_aside_is_a_warning(nights, tenant, home, instance):
    night = nights.partial
    assert (night.status, night.exit_code) == (Status.PARTIAL, 3)
    found = failed_pulls(instance, night.run_id)
    lists = {name: severity for name, severity in found.items() if name.split(":")[0].split("/")[-1] in LISTS}
    assert lists == {"lake/sessions:complete": "WARN"}
    assert instance.get_run_by_id(night.run_id).status is DagsterRunStatus.SUCCESS
    missing, extra, different = nights.after_partial
    set_aside = night.sync.collections[3].rows_set_aside
    assert (extra, different) == ([], [])
    assert 0 < len(missing) <= set_aside
    assert differences(home / "lake", "users", tenant.rows["users"].values()) == SAME
    published = night.published.rows
    assert published["marts.fct_sessions"] == len(tenant.rows["sessions"]) - len(missing)
    assert published["ops.quarantine"] == set_aside


def test_a_user_that_fails_is_a_warning_at_every_table_below_users(nights, tenant, home, instance):
    night = nights.partial
    found = failed_pulls(instance, night.run_id)
    assert set(found.values()) == {"WARN"}
    # payouts come with a list of the tenant's own here
    assert set(found) >= {f"lake/{table}:complete" for table in OF_USERS if table != "payouts"}
    metadata = materialised(instance, night.run_id)
    records = {
        row["collection"]: row for row in Lake(str(home / "lake")).runs().rows() if row["run_id"] == night.run_id
    }
    for table in ("charger_states", "financials", "session_tariffs"):
        kept, record = metadata[f"lake/{table}"], records[table]
        for name in ("parents", "parents_asked", "parents_skipped", "parents_failed", "asked_because"):
            assert kept[name] == record[name]
    assert metadata["lake/charger_states"]["parents_failed"] == metadata["lake/rewards"]["parents_failed"] == 1
    assert metadata["lake/charger_states"]["parents"] == len(tenant.rows["users"])
    assert "asked again" in metadata["lake/chargers"]["notes"]
    assert instance.get_run_by_id(night.run_id).status is DagsterRunStatus.SUCCESS


# One step at a time, without the command


@pytest.fixture
def run_steps(served, home, tenant):
    """Run assets of the nightly job, or a job; settings can be replaced one by one."""

    def run(*keys, job="nightly", run_config=None, lake_settings=None, api=None, **api_changes):
        settings = api_settings(served | {f"SMART_CHARGING_{name.upper()}": text for name, text in api_changes.items()})
        surroundings = Surroundings(
            api=api or (lambda: settings),
            sync=lambda: SyncSettings(max_tries=1, max_requests_per_second=100_000),
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


def test_silence_before_what_fills_several_tables_is_reported_at_each(nights, run_steps):
    tables = FAN_OUTS["user_locations"].tables
    result = run_steps(*map(lake, tables), base_url="http://127.0.0.1:9/api/v2")
    assert result.success
    assert len(retries(result)) == 2
    found = {check.asset_key: (check.passed, check.severity.value) for check in result.get_asset_check_evaluations()}
    assert found == {lake(table): (False, "ERROR") for table in tables}


def test_silence_in_the_middle_of_a_night_is_waited_out_before_the_next_step(nights, served, run_steps):
    """The steps share the clock, and still find out when nobody answers any more."""
    good = api_settings(served)
    silent = api_settings(served | {"SMART_CHARGING_BASE_URL": "http://127.0.0.1:9/api/v2"})
    answers = iter([good, good])
    result = run_steps(lake("users"), lake("vehicles"), lake("charging_locations"), api=lambda: next(answers, silent))
    waited = [event.step_key for event in retries(result)]
    assert waited == ["lake__charging_locations"] * 2
    passed = {check.asset_key.path[-1]: check.passed for check in result.get_asset_check_evaluations()}
    assert passed == {"users": True, "vehicles": False, "charging_locations": False}


def test_the_clock_of_a_run_is_asked_once_and_again_only_in_doubt():
    times = iter(datetime(2026, 6, 1, hour, tzinfo=timezone.utc) for hour in range(4))
    clocks, asked = RunClocks(), []

    def ask():
        asked.append(next(times))
        return asked[-1]

    assert [clocks.now("first", ask) for _ in range(3)] == asked[:1] * 3
    assert clocks.now("second", ask) == asked[1]
    clocks.doubt("first")

    def silent():
        raise ApiUnavailable("nobody answers")

    with pytest.raises(ApiUnavailable):
        clocks.now("first", silent)
    assert [clocks.now("first", ask) for _ in range(2)] == asked[:1] * 2
    assert len(asked) == 3


def test_a_part_of_what_the_same_answers_fill_cannot_be_pulled(nights, run_steps):
    with pytest.raises(DagsterInvalidSubsetError):
        run_steps(lake("chargers"))


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


def test_a_range_is_read_again_of_all_that_the_same_answers_fill(nights, run_steps):
    config = {"collection": "charger_states", "begin": "2026-05-01", "end": "2026-05-03"}
    result = run_steps(job="resync", run_config={"ops": {"resync_range": {"config": config}}})

    assert result.success
    observed = {
        event.event_specific_data.asset_observation.asset_key: event.event_specific_data.asset_observation.metadata
        for event in result.all_events
        if event.event_type is DagsterEventType.ASSET_OBSERVATION
    }
    assert set(observed) == {lake(table) for table in FAN_OUTS["user_locations"].tables}
    assert {metadata["status"].value for metadata in observed.values()} == {"complete"}
    assert observed[lake("chargers")]["rows_read"].value > 0


@pytest.mark.parametrize(
    ("begin", "end", "words"),
    [("yesterday", "2026-03-02", "begin: expected a time"), ("2026-03-02", "2026-03-01", "must lie before")],
)
def test_a_bad_range_is_refused(nights, run_steps, begin, end, words):
    config = {"collection": "users", "begin": begin, "end": end}
    result = run_steps(job="resync", run_config={"ops": {"resync_range": {"config": config}}})
    assert words in said(result)[0]


def test_the_command_refuses_before_it_begins(nights, served, home, monkeypatch):
    for name, value in (served | FAST | {"CHARGELAKE_HOME": str(home)}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SMART_CHARGING_API_KEY", "another")
    with pytest.raises(CredentialsRefused):
        run_night()
    monkeypatch.delenv("SMART_CHARGING_API_KEY")
    with pytest.raises(ConfigurationError, match="SMART_CHARGING_API_KEY"):
        run_night()
