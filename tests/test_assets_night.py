"""Nights against the demo tenant: a killed one, a whole one, the next one. What Dagster keeps of them is compared
with the lake's own records, the tenant's truth and the published file."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import stat
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
from dagster import DagsterRunStatus
from support.dagster import failed_checks, materialised, page_instance, slots_taken
from support.demo import running_tenant
from support.lake_truth import SAME, differences, expected
from support.parsed_project import MODELS_ONLY

from assets.night import run_night
from demo.tokens import Credentials
from pipelines.contract import RESOURCES
from pipelines.errors import ChargelakeError
from pipelines.lake import Lake
from pipelines.sync import Status

pytestmark = pytest.mark.usefixtures("parsed_project")

NIGHT = """
import os
from assets.night import run_night
os.umask(0o077)
def progress(collection, rows):
    os.write(1, f"{{collection}}\\n".encode())  # what is printed while the night runs goes nowhere
    {then}
run_night(progress)
"""

KEYS = {name: resource.key_columns for name, resource in RESOURCES.items()}
LARGE = {"dynamic_tariffs", "solar_energy"}
"""Ten thousands of rows each: their numbers say as much."""
READINGS = {"vehicle_states", "charger_states"}
"""New ones come while the warehouse is built; other tests have a clock that stands."""
COMPARED = [name for name in RESOURCES if name not in LARGE | READINGS]
"""Tables whose truth is asked for."""
FAST = {"CHARGELAKE_MAX_REQUESTS_PER_SECOND": "100000", "CHARGELAKE_MAX_CONCURRENCY": "16"}


def start_night(then="pass"):
    """A night in a process of its own; a line for each reading."""
    return subprocess.Popen([sys.executable, "-c", NIGHT.format(then=then)], stdout=subprocess.PIPE, text=True)


def interrupt(night):
    """As a person would: again when nothing happens. Python drops one that meets a callback of its own memory."""
    for _ in range(6):
        night.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            night.wait(timeout=10)
            return
    pytest.fail("the night went on")


def requests_of(tenant):
    """How often the API was asked so far; tokens and the tests' own questions do not count."""
    return sum(number for name, number in tenant.stats().items() if "_demo" not in name and name.startswith("GET"))


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    """Killed in the middle of its sync; whole, without dbt's tests; a day later, with them."""
    home = tmp_path_factory.mktemp("home")
    with running_tenant(users=5, newest_sessions=10) as tenant, pytest.MonkeyPatch.context() as patch:
        for name, value in (tenant.env | FAST | {"CHARGELAKE_HOME": str(home)}).items():
            patch.setenv(name, value)
        before = os.umask(0o077)
        with start_night("import time; time.sleep(60)") as killed:
            try:
                assert killed.stdout.readline() == "users\n"
                with pytest.raises(ChargelakeError, match="another `chargelake nightly` is at work"):
                    run_night()
                with page_instance(home) as instance:
                    taken_by_killed = slots_taken(instance, "api")
            finally:
                killed.kill()
        asked_before = requests_of(tenant)
        with pytest.MonkeyPatch.context() as first_only:
            first_only.setenv(*MODELS_ONLY)
            first = run_night()
        asked_by_first = requests_of(tenant) - asked_before
        truth_first = {name: tenant.truth(name) for name in COMPARED}
        tenant.advance(days=1)
        with io.StringIO() as terminal, redirect_stdout(terminal), redirect_stderr(terminal):
            second = run_night()
            said = terminal.getvalue()
        truth_second = {name: tenant.truth(name) for name in COMPARED}
        os.umask(before)
    return SimpleNamespace(
        home=home,
        first=first,
        second=second,
        truth_first=truth_first,
        truth_second=truth_second,
        asked_by_first=asked_by_first,
        said=said,
        taken_by_killed=taken_by_killed,
        runs=Lake(str(home / "lake")).runs().rows(),
    )


@pytest.fixture(scope="module")
def instance(nights):
    with page_instance(nights.home) as instance:
        yield instance


def test_a_night_says_that_all_went_well(nights):
    for night in (nights.first, nights.second):
        assert (night.status, night.exit_code, night.problems) == (Status.COMPLETE, 0, ())
        assert [report.collection for report in night.sync.collections] == list(RESOURCES)
    assert (nights.first.build.is_full, nights.second.build.is_full) == (True, False)
    assert nights.second.build.tests_passed > 25


def test_the_lake_holds_the_tenant(nights):
    for name in COMPARED:
        assert differences(nights.home / "lake", name, nights.truth_second[name], KEYS[name]) == SAME


def test_the_numbers_are_those_of_the_tenants_truth(nights):
    keys = {name: set(expected(rows, KEYS[name])) for name, rows in nights.truth_first.items()}
    new = {report.collection: report.rows_new for report in nights.first.sync.collections}
    assert {name: new[name] for name in COMPARED} == {name: len(found) for name, found in keys.items()}
    later = {name: set(expected(rows, KEYS[name])) for name, rows in nights.truth_second.items()}
    new = {report.collection: report.rows_new for report in nights.second.sync.collections}
    assert {name: new[name] for name in COMPARED} == {name: len(later[name] - keys[name]) for name in COMPARED}
    assert min(new["dynamic_tariffs"], new["solar_energy"]) > 0


def test_every_asset_carries_what_the_lakes_own_record_says(nights, instance):
    for night in (nights.first, nights.second):
        metadata = materialised(instance, night.run_id)
        records = {row["collection"]: dict(row) for row in nights.runs if row["run_id"] == night.run_id}
        assert set(records) == set(RESOURCES)
        for name, record in records.items():
            kept = metadata[f"lake/{name}"]
            for moment in ("started_at", "finished_at", "window_until", "watermark"):
                assert kept.pop(moment) == pytest.approx(record.pop(moment).timestamp(), abs=1e-3)
            del record["run_id"], record["collection"]
            assert kept == {key: value for key, value in record.items() if value is not None}
    financials = materialised(instance, nights.second.run_id)["lake/financials"]
    assert financials["parents"] == len(nights.truth_second["users"])
    assert financials["parents_asked"] + financials["parents_skipped"] == financials["parents"]
    assert "in the correction range" in financials["asked_because"]
    assert financials["skipped_because"] == f"nothing changed {financials['parents_skipped']}"


def test_a_night_has_one_end_and_asks_the_clock_once(nights):
    for night in (nights.first, nights.second):
        ends = {row["window_until"] for row in nights.runs if row["run_id"] == night.run_id}
        assert ends == {night.sync.until}
        assert {report.window_until for report in night.sync.collections} == ends
    told = sum(row["requests"] for row in nights.runs if row["run_id"] == nights.first.run_id)
    # the command tries the settings with one request before the run asks the clock
    assert nights.asked_by_first == told + 2


def test_models_say_which_versions_of_the_lake_they_stand_for(nights, instance):
    metadata = materialised(instance, nights.second.run_id)
    pinned = {
        tuple(sorted(metadata[f"marts/{model}"]["lake_versions"].items())) for model in ("dim_users", "fct_sessions")
    }
    assert pinned == {tuple(sorted(nights.second.build.versions.items()))}
    assert set(metadata) > {"staging/stg_users", "ops/sync_runs", "personal/users", "reference/time_zones"}


def test_the_published_file_is_the_one_in_the_metadata(nights, instance):
    kept = materialised(instance, nights.second.run_id)["published_file"]
    link = nights.home / "warehouse" / "current.duckdb"
    assert kept["path"] == str(link)
    assert (kept["generation"], kept["bytes_written"]) == (link.resolve().name, link.stat().st_size)
    with duckdb.connect(str(link), read_only=True) as connection:
        for table, count in nights.second.published.rows.items():
            assert connection.execute(f"select count(*) from {table}").fetchone() == (count,)
            assert f"| {table} | {count:,} |" in kept["rows"]
    assert nights.second.published.rows["marts.fct_sessions"] == len(nights.truth_second["sessions"])


def test_tables_of_records_show_the_version_that_was_read(nights, instance):
    metadata = materialised(instance, nights.second.run_id)
    for name in ("_runs", "_contract_drift"):
        assert metadata[f"lake/{name}"]["version"] == nights.second.build.versions[name]


def test_the_page_lists_the_night_under_its_job(nights, instance):
    workspace = (Path(__file__).parent.parent / "workspace.yaml").read_text()
    [location] = re.findall(r"location_name: (\w+)", workspace)
    run = instance.get_run_by_id(nights.first.run_id)
    assert (run.job_name, run.tags[".dagster/repository"]) == ("nightly", f"__repository__@{location}")


def test_every_check_passed(nights, instance):
    assert failed_checks(instance, nights.first.run_id) == failed_checks(instance, nights.second.run_id) == {}


def test_a_killed_night_gives_its_place_back(nights, instance):
    assert nights.taken_by_killed == 1
    assert [slots_taken(instance, pool) for pool in ("api", "duckdb_writer")] == [0, 0]
    runs = sorted(instance.get_runs(), key=lambda run: instance.get_run_record_by_id(run.run_id).create_timestamp)
    assert [run.status for run in runs] == [
        DagsterRunStatus.FAILURE,
        DagsterRunStatus.SUCCESS,
        DagsterRunStatus.SUCCESS,
    ]
    assert [run.run_id for run in runs[1:]] == [nights.first.run_id, nights.second.run_id]


def test_no_secret_is_kept_anywhere(nights):
    own = Credentials()
    secrets = [own.client_secret.encode(), own.api_key.encode()]
    files = [path for path in nights.home.rglob("*") if path.is_file()]
    assert len([path for path in files if "dagster" in path.parts]) > 5
    assert [path for path in files if any(secret in path.read_bytes() for secret in secrets)] == []


def test_all_that_a_night_makes_is_its_owners_alone(nights):
    """Lake, build database, generations, dbt's and Dagster's records."""
    made = [path for path in nights.home.rglob("*") if not path.is_symlink()]
    assert {path.relative_to(nights.home).parts[0] for path in made} >= {"dagster", "lake", "warehouse"}
    assert [path for path in made if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_telemetry_is_off(instance):
    assert instance.telemetry_enabled is False
    assert instance.run_monitoring_settings["free_slots_after_run_end_seconds"] == 300


def test_an_interrupted_night_says_so_and_leaves_nothing_behind(nights, instance):
    with pytest.MonkeyPatch.context() as patch, running_tenant(users=5, newest_sessions=10) as tenant:
        for name, value in (tenant.env | FAST | {"CHARGELAKE_HOME": str(nights.home)}).items():
            patch.setenv(name, value)
        with start_night() as night:
            assert night.stdout.readline()
            interrupt(night)
    assert night.returncode == -signal.SIGINT
    [newest] = instance.get_runs(limit=1)
    assert newest.status is DagsterRunStatus.FAILURE
    assert [slots_taken(instance, pool) for pool in ("api", "duckdb_writer")] == [0, 0]


def test_nothing_is_said_on_the_terminal(nights):
    assert nights.said == ""


def test_the_configuration_is_the_owners_to_change(tmp_path):
    from assets.instance import prepare_home
    from pipelines.settings import LakeSettings

    settings = LakeSettings(home=tmp_path)
    file = prepare_home(settings) / "dagster.yaml"
    file.write_text("telemetry: {enabled: false}\n")
    assert Path(prepare_home(settings) / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"


def test_events_are_written_where_somebody_chose(tmp_path):
    from assets.instance import open_instance, prepare_home
    from pipelines.settings import LakeSettings

    settings = LakeSettings(home=tmp_path / "home")
    (prepare_home(settings) / "dagster.yaml").write_text(f"storage: {{sqlite: {{base_dir: {tmp_path}/chosen}}}}\n")
    with open_instance(settings) as instance:
        assert list(instance.all_asset_keys()) == []
    assert (tmp_path / "chosen" / "history" / "runs" / "index.db").exists()
    assert not (settings.dagster_folder / "history").exists()
