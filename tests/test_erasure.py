"""A person is erased: nothing of theirs is found in any file by a search of the test's own, nobody else loses a row, and
no later sync brings them back."""

import random
import shutil
import signal
import subprocess
import time

import duckdb
import pyarrow.parquet as pq
import pytest
from support.command import COMMAND, environment, run_command
from support.lake_truth import SAME, differences, held
from support.other_family import TABLES as LISTS
from support.other_family import end_of, take_away
from support.other_tenant import serving
from support.other_under import KEYS, full
from support.other_world import DAY
from support.searching import found_in
from support.syncing import begin_with, sync
from support.syncing import pulled as begin

from pipelines.contract import RESOURCES
from pipelines.erasure.tables import NOBODYS
from pipelines.lake import Lake
from pipelines.settings import LakeSettings
from warehouse.build import build
from warehouse.publish import publish
from warehouse.query import query

ALL = {**dict.fromkeys(LISTS, ("id",)), **KEYS}
ASKED = ",".join(ALL)


def rows_of(tenant, name):
    return list(tenant.rows[LISTS[name]].values()) if name in LISTS else tenant.truth(name)


def is_theirs(row, person):
    return person in (row.get("userId"), row.get("id"))


def assert_others_whole(tenant, home, person):
    for name, key in ALL.items():
        others = [row for row in rows_of(tenant, name) if not is_theirs(row, person)]
        assert differences(home / "lake", name, others, key) == SAME, name


SECRET = {
    "id", "userId", "sessionId", "vehicleId", "chargingLocationId", "chargerId", "firstName", "lastName", "email",
    "street", "postalCode", "houseNumber", "contractNumber", "meterCode", "title", "body",
}  # fmt: skip


def texts_of(value):
    """Ids and what is personal in an item of the tenant's JSON."""
    found = set()
    for name, part in value.items():
        if isinstance(part, dict):
            found |= texts_of(part)
        elif isinstance(part, str) and name in SECRET:
            found.add(part)
    return found


def secrets_of(tenant, person):
    """Such texts of one person that nobody else's rows hold."""
    mine, others = set(), set()
    for name in ALL:
        for row in rows_of(tenant, name):
            (mine if is_theirs(row, person) else others).update(texts_of(row))
    found = {text for text in mine - others if len(text) > 8}
    assert person in found
    assert len(found) > 10
    return found


def somebody(tenant):
    """A user with a contract, a car and sessions."""
    contracts = {row["userId"] for row in tenant.truth("utility_contracts") if row["contractNumber"]}
    return next(row["userId"] for row in tenant.rows["sessions"].values() if row["userId"] in contracts)


def erase(home, *arguments):
    return run_command("erase", *arguments, environment=environment(home))


def marks(home):
    lake = Lake(str(home / "lake"))
    return {name: lake.marks(name, [name, f"{name}/started", f"{name}/ended", f"{name}/64/007"]) for name in ALL}


@pytest.fixture(scope="module")
def tenant():
    return full(61, users=5, sessions=16, days=12)


@pytest.fixture(scope="module")
def person(tenant):
    return somebody(tenant)


@pytest.fixture(scope="module")
def pulled(tenant, person, tmp_path_factory):
    """Two nights of a lake in which the person stands in every table of records, too."""
    home = tmp_path_factory.mktemp("pulled")
    user = tenant.rows["users"][person]
    user["lastName"], user["mood"] = "Findable-Erstwhile", {"said": "Findable-Unknown"}
    broken = next(name for name, row in tenant.rows["sessions"].items() if row["userId"] == person)
    tenant.mangle = lambda _path, items: [i | {"isManaged": "yes"} if i.get("id") == broken else i for i in items]
    tenant.failing_users = {person}
    with serving(tenant) as env:
        sync(env, home, collections=tuple(ALL))
        user["lastName"] = "Findable-Now"
        tenant.mangle, tenant.failing_users = lambda _path, items: items, set()
        sync(env, home, collections=tuple(ALL))
    (home / "notes").mkdir()
    return home


@pytest.fixture(scope="module")
def secrets(tenant, person, pulled):
    return secrets_of(tenant, person) | {"Findable-Erstwhile"}


def test_nothing_of_a_person_is_left_and_everything_of_the_others(tmp_path, tenant, person, pulled, secrets):
    home = tmp_path / "home"
    shutil.copytree(pulled, home)
    assert {name.split("/")[1] for name in found_in(home, secrets)} >= {*ALL, "_quarantine", "_pending_parents"} - {
        name for name in ALL if not any(is_theirs(row, person) for row in rows_of(tenant, name))
    }
    before = marks(home)
    done = erase(home, "--user", person.upper())
    assert done.returncode == 0, done.stderr
    assert "hold no value of theirs" in done.stdout
    assert "backups" in done.stdout
    assert person not in done.stdout + done.stderr
    assert found_in(home, secrets) == set()
    assert_others_whole(tenant, home, person)
    assert marks(home) == before, "nobody is asked again from the beginning"
    with serving(tenant) as env:
        run = sync(env, home, collections=tuple(ALL), deep=True)
        assert not any(report.rows_new for report in run.collections if report.collection in LISTS)
        assert found_in(home, secrets) == set(), "the night brings nobody back"
        audited = Lake(str(home / "lake")).reconciliation().current().values()
        assert audited
        assert all(month["api_rows"] == month["held_rows"] for month in audited), "nobody is missed by the audit"
        assert_others_whole(tenant, home, person)
        assert erase(home, "--user", person, "--lift").stdout.startswith("Lifted")
        sync(env, home, collections=tuple(ALL), deep=True)
    for name, key in ALL.items():
        known = [{field: value for field, value in row.items() if field != "mood"} for row in rows_of(tenant, name)]
        assert differences(home / "lake", name, known, key) == SAME, name


def test_killed_at_any_moment_and_called_again_it_is_ended(tmp_path, tenant, person, pulled, secrets):
    home, rng, kills = tmp_path / "home", random.Random(5), 0
    shutil.copytree(pulled, home)
    for _ in range(4):
        process = subprocess.Popen(
            [*COMMAND, "erase", "--user", person], env=environment(home), stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 60
        while not (home / "erasure.json").exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 1.5))
        process.send_signal(signal.SIGKILL)
        kills += process.wait() != 0
    assert kills >= 2
    assert (home / "erasure.json").stat().st_mode & 0o077 == 0
    assert "run `chargelake erase`" in run_command("status", environment=environment(home)).stdout
    done = erase(home)
    assert done.returncode == 0, done.stderr
    assert found_in(home, secrets) == set()
    assert not (home / "erasure.json").exists()
    assert_others_whole(tenant, home, person)


def test_a_file_that_still_holds_the_person_is_named(tmp_path, person, pulled, secrets):
    home = tmp_path / "home"
    shutil.copytree(pulled, home)
    copy = home / "notes" / "export.parquet"
    pq.write_table(Lake(str(home / "lake")).rows(RESOURCES["users"], [person]), copy)
    (home / "notes" / "letter.txt").write_text("To Findable-Now")
    done = erase(home, "--user", person)
    assert done.returncode == 1
    assert "2 files still hold values of the person" in done.stderr
    assert str(copy) in done.stderr
    assert "Findable" not in done.stderr
    shutil.rmtree(home / "notes")
    assert erase(home).returncode == 0
    assert found_in(home, secrets) == set()


@pytest.fixture(scope="module")
def before_a_deletion(tmp_path_factory):
    return begin(full(62, users=5, sessions=16, days=12), tmp_path_factory.mktemp("before"), collections=tuple(ALL))


@pytest.mark.parametrize("mode", ["anonymise", "erase"])
def test_what_a_deletion_means_can_be_chosen(tmp_path, before_a_deletion, mode):
    tenant = begin_with(before_a_deletion, tmp_path)
    person = end_of(tenant, "users")
    secrets, energy = secrets_of(tenant, person), all_energy(tmp_path)
    with serving(tenant) as env:
        asked = ("sync", "--collections", ASKED)
        told = environment(tmp_path, env, CHARGELAKE_ON_USER_DELETED=mode)
        take_away(tenant, "users", person)
        tenant.now += DAY
        done = run_command(*asked, environment=told)
        assert done.returncode == 0, done.stderr
        assert ("made nobody's" if mode == "anonymise" else "removed") in done.stdout
        assert found_in(tmp_path, secrets) == set()
        assert_others_whole(tenant, tmp_path, person)
        again = run_command("sync", "--collections", "users", environment=told)
        assert again.returncode == 0, again.stderr
        assert "people" not in again.stdout, "once is enough"
    files = [str(path) for path in (tmp_path / "lake" / "users").glob("*.parquet")]
    nobodys = duckdb.sql(
        f"select count(*) from read_parquet({files!r}) where _row_hash = '{NOBODYS}' and _deleted"
    ).fetchone()
    assert (nobodys[0] > 0, all_energy(tmp_path) == energy) == ((True, True) if mode == "anonymise" else (False, False))


def all_energy(home):
    """Of all sessions, deleted ones included."""
    files = [str(path) for path in (home / "lake" / "sessions").glob("*.parquet")]
    return duckdb.sql(
        f"""select sum(charged_energy::decimal(18, 6)) from (
            select charged_energy from read_parquet({files!r}) qualify row_number() over (partition by id order by _synced_at desc) = 1)"""
    ).fetchone()


def test_what_passed_to_somebody_else_stays_with_them(tmp_path):
    tenant = full(63, users=4, sessions=10, days=10)
    first, second = list(tenant.rows["users"])[:2]
    car = next(row for row in tenant.rows["vehicles"].values() if row["userId"] == first)
    given_away, taken_back = tmp_path / "one", tmp_path / "other"
    with serving(tenant) as env:
        sync(env, given_away, collections=tuple(LISTS))
        car["userId"] = second
        sync(env, given_away, collections=tuple(LISTS))
    shutil.copytree(given_away, taken_back)
    assert erase(given_away, "--user", first).returncode == 0
    assert (car["id"],) in held(given_away / "lake", "vehicles")
    assert erase(taken_back, "--user", second).returncode == 0
    assert (car["id"],) not in held(taken_back / "lake", "vehicles"), "it is not the first one's again"
    assert found_in(given_away, {first}) == set() == found_in(taken_back, {second})


@pytest.mark.parametrize("arguments", [[], ["--user", "../../etc/passwd"], ["--lift"]])
def test_what_is_no_id_is_refused(tmp_path, arguments):
    result = erase(tmp_path, *arguments)
    assert result.returncode == 2
    assert "--user: expected the id of a user" in result.stderr
    assert not (tmp_path / "lake").exists()


def test_what_was_built_and_recorded_forgets_too(tmp_path, tenant, person, pulled, secrets, warm_dbt, models_only):
    """Build database, generations and dbt's artefacts; of Dagster's records that anything names the person."""
    home = tmp_path / "home"
    shutil.copytree(pulled, home)
    settings = LakeSettings(home=home, publish_personal=True)
    build(settings)
    old = publish(settings).file
    history = home / "dagster" / "history"
    history.mkdir(parents=True)
    (history / "run.db").write_text(f"GET /users/{person}/messages failed")
    assert {name.split("/")[0] for name in found_in(home, secrets)} == {"dagster", "lake", "warehouse"}
    done = erase(home, "--user", person)
    assert done.returncode == 0, done.stderr
    assert "Dagster's run history" in done.stdout
    assert "1 published generations" in done.stdout
    assert found_in(home, secrets) == set()
    assert not old.exists()
    _, [(sessions,)] = query("select count(*) from marts.fct_sessions", file=settings.published_file)
    assert sessions == sum(not is_theirs(row, person) for row in tenant.rows["sessions"].values())
