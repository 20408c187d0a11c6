"""Malformed rows: what each form means to readers that have nothing of the demo's, and what the tenant says about them."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.demo import refusal, running_tenant
from support.demo_inside import Inside, inside, world_of
from test_demo_faults import ask

from demo.api.model import PREFIX
from demo.faults.forms import Meaning
from demo.faults.malformed_plan import malformed_plan
from demo.faults.plan import plan_of
from demo.faults.rows import ROWS_OF_TABLE
from demo.faults.spoiling import FORM_BY_NAME, FORMS
from demo.truth import TRUE_TABLES
from demo.world.draw import Draw
from pipelines.contract import RESOURCES
from pipelines.normalise import RawPage, normalise
from pipelines.normalise.brackets import decode_leniently

SMALL = {"users": 6, "newest_sessions": 30}
READ_AT = datetime(2026, 3, 1, tzinfo=timezone.utc)
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
V2_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)?")
FORM_NAMES = sorted(FORM_BY_NAME)


@pytest.fixture(scope="module")
def rows() -> dict[str, list[dict[str, Any]]]:
    """Some true rows of each table."""
    tenant = inside(**SMALL)
    return {table: tenant.truth(table)[:15] for table in TRUE_TABLES}


def instant(text: str) -> datetime:
    """In UTC, cut to the millisecond. Raises ValueError."""
    found = INSTANT.fullmatch(text)
    if found is None:
        raise ValueError(text)
    day, clock, fraction, zone = found.groups()
    offset = timezone.utc if zone in {None, "Z"} else datetime.strptime(zone.replace(":", ""), "%z").tzinfo
    moment = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=offset).astimezone(timezone.utc)
    return moment + timedelta(milliseconds=int((fraction or "0").ljust(3, "0")[:3]))


class Refused(Exception):
    """The reader of this test cannot take the row."""


def read(served: bytes, good: dict[str, Any], key: tuple[str, ...]) -> dict[str, Any]:
    """The row as a strict reader keeps it: instants as moments, ids in lower case, words in v2's spelling.

    It knows from the good row what each field is. Raises Refused.
    """

    def refuse(literal: str) -> None:
        raise Refused(literal)

    try:
        item = json.loads(served.decode(), parse_constant=refuse)
    except ValueError as error:
        raise Refused(str(error)) from None
    if not isinstance(item, dict) or any(not item.get(name) for name in key if name in good):
        raise Refused("no object, or no key")
    return {name: kept(value, good.get(name), is_known=name in good) for name, value in item.items()}


def kept(value: Any, good: Any, *, is_known: bool = True) -> Any:
    if value is None or good is None or not is_known:
        return value
    if isinstance(good, dict) and isinstance(value, dict):
        return {name: kept(inner, good.get(name), is_known=name in good) for name, inner in value.items()}
    if isinstance(good, list) and isinstance(value, list):
        return [kept(inner, one) for inner, one in zip(value, good, strict=True)]
    if isinstance(good, str) and isinstance(value, str):
        return kept_text(value, good)
    numbers = (int, float)
    if type(good) in numbers and type(value) in numbers:
        return kept_number(value, good)
    if type(good) is not type(value):
        raise Refused("another type")
    return value


def kept_number(value: float, good: float) -> float:
    if not math.isfinite(value) or (isinstance(good, int) and (value != int(value) or abs(value) >= 2**63)):
        raise Refused("no such number")
    return float(value)


def kept_text(value: str, good: str) -> object:
    try:
        value.encode()
        if V2_INSTANT.fullmatch(good):
            return instant(value)
    except ValueError:
        raise Refused("no text or no instant") from None
    if UUID.fullmatch(good):
        if not UUID.fullmatch(value):
            raise Refused("no id")
        return value.lower()
    return good if value.casefold() == good.casefold() else value


def with_nulls(item: dict[str, Any]) -> dict[str, Any]:
    """A field that is missing is null."""
    return {
        name: with_nulls(value) if isinstance(value, dict) else value
        for name, value in item.items()
        if value is not None
    }


def spoiled(form: str, table: str, good: dict[str, Any], seed: int) -> Any:
    return FORM_BY_NAME[form].make(ROWS_OF_TABLE[table], good, Draw(seed))


@pytest.mark.parametrize("form", FORM_NAMES)
def test_a_form_means_to_a_strict_reader_what_it_is_said_to(rows, form):
    meaning = FORM_BY_NAME[form].meaning
    tables = Counter()
    for table, items in rows.items():
        key = ROWS_OF_TABLE[table].key
        for seed, good in enumerate(items):
            found = spoiled(form, table, good, seed)
            if found is None:
                continue
            tables[table] += 1
            try:
                came: Any = with_nulls(read(found.body, good, key))
            except Refused:
                assert meaning in {Meaning.UNREADABLE, Meaning.EITHER}, (table, found.body)
                assert found.told == good
                continue
            if meaning is Meaning.EITHER:
                continue
            assert meaning is not Meaning.UNREADABLE or too_large_for_money(form), (table, found.body)
            if meaning is not Meaning.UNREADABLE:
                expected = with_nulls(read(msgspec.json.encode(found.told), good, key))
                assert came == expected, (table, found.body)
            if meaning is Meaning.SAME:
                assert found.told == good
                assert found.body != msgspec.json.encode(good)
            if meaning is Meaning.EXTRA:
                assert good.items() < found.told.items()
            if meaning is Meaning.OTHER:
                assert found.told != good
    assert sum(tables.values()) > 20
    assert len(tables) >= 3


def too_large_for_money(form: str) -> bool:
    """The reader of this test knows no decimal(38,9)."""
    return form == "too_large"


@cache
def normalised(table: str, served: bytes) -> Any:
    """Kept, as most forms mean the same good rows."""
    body = b'{"items":[%b]}' % served
    try:
        items = msgspec.json.decode(body)["items"]
    except (msgspec.DecodeError, UnicodeDecodeError):
        items = decode_leniently(body)["items"]
    return normalise(RESOURCES[table], [RawPage(body, items, READ_AT)])


@pytest.mark.parametrize("form", FORM_NAMES)
def test_chargelake_makes_of_a_form_what_it_means(rows, form):
    """Rows of the same hash and columns, or a row that is set aside."""
    meaning, seen = FORM_BY_NAME[form].meaning, 0
    for table in RESOURCES.keys() & rows.keys():
        for seed, good in enumerate(rows[table]):
            found = spoiled(form, table, good, seed)
            if found is None:
                continue
            seen += 1
            came = normalised(table, found.body)
            assert came.rows.num_rows + len(came.bad) == 1
            if meaning is Meaning.UNREADABLE:
                assert came.bad, (table, found.body[:300])
            elif meaning is not Meaning.EITHER:
                expected = normalised(table, msgspec.json.encode(found.told))
                assert came.rows.equals(expected.rows), (table, found.body[:300])
                assert came.rows.num_rows == 1, (table, found.body[:300], came.bad)
    assert seen > 20


def everything(tenant: Inside) -> dict[str, list[dict[str, Any]]]:
    return {table: tenant.truth(table) for table in TRUE_TABLES if table not in {"solar_energy", "dynamic_tariffs"}}


def wire(tenant: Inside, path: str, query: str = "") -> bytes:
    served = tenant.tenant.exchange("GET", PREFIX + path, query, tenant.headers, b"")
    assert served.reply.status == 200
    return served.reply.body


def listed(tenant: Inside) -> list[dict[str, Any]]:
    return json.loads(tenant.tenant.respond("GET", "/_demo/malformed", "", {}, b"").body)


def post(tenant: Inside, path: str, body: bytes) -> Any:
    reply = tenant.tenant.respond("POST", path, "", {}, body)
    assert reply.status == 200, reply
    return json.loads(reply.body)


def test_permanent_rows_are_broken_everywhere_until_they_are_mended():
    kinds = ["wrong_type", "path_trick", "bad_instant", "exotic_instants"]
    tenant = inside(**SMALL, malformed=malformed_plan(3, permanent=0.2, kinds=kinds, tables=["sessions"]))
    truth = everything(tenant)
    assert truth == everything(inside(**SMALL))
    for _ in range(3):
        first, again = wire(tenant, "/sessions", "pageSize=100"), wire(tenant, "/sessions", "pageSize=100")
        assert first == again != tenant.reply("/sessions", "pageSize=100").body
    met = {row["key"]["id"]: row for row in listed(tenant)}
    assert 5 < len(met) < 60
    assert {row["table"] for row in met.values()} == {"sessions"}
    assert all(row["permanent"] and not row["served_well_since"] and row["times"] == 6 for row in met.values())
    assert {row["kind"] for row in met.values()} == set(kinds)
    sessions = {item["id"]: item for item in truth["sessions"]}
    for id_, session in sessions.items():
        at = f"/users/{session['userId']}/sessions/{id_}"
        if id_ not in met and session not in truth["sessions"][:100]:
            continue
        is_right = json.loads(wire(tenant, at)) == tenant.get(at)
        assert is_right == (id_ not in met)
    one, *others = met
    assert post(tenant, "/_demo/mend", json.dumps({"table": "sessions", "key": {"id": one}}).encode()) == {
        "mended": [{"table": "sessions", "key": {"id": one}}]
    }
    wire(tenant, "/sessions", "pageSize=100")
    after = {row["key"]["id"]: row for row in listed(tenant)}
    assert after[one]["served_well_since"]
    assert not after[one]["permanent"]
    assert not any(after[id_]["served_well_since"] for id_ in others)
    assert len(post(tenant, "/_demo/mend", b"{}")["mended"]) == len(others)
    assert wire(tenant, "/sessions", "pageSize=100") == tenant.reply("/sessions", "pageSize=100").body
    assert post(tenant, "/_demo/mend", b"{}") == {"mended": []}


def test_the_truth_is_what_a_correct_reader_ends_with():
    kinds = ["unknown_fields", "missing_field", "unlisted_word", "odd_number", "exotic_text", "v1_words", "wrong_type"]
    tenant = inside(**SMALL, malformed=malformed_plan(5, permanent=0.5, kinds=kinds))
    plain, truth = everything(inside(**SMALL)), everything(tenant)
    changed: Counter[str] = Counter()
    for table in ("users", "vehicles", "charging_locations", "sessions"):
        path = f"/{table.replace('_', '-')}"
        body = wire(tenant, path, "pageSize=100")
        served = list(json.loads(body)["items"])
        states = {row["key"]["id"]: row for row in listed(tenant) if row["table"] == table}
        for came, told, good in zip(served, truth[table], plain[table], strict=False):
            form = states.get(good["id"])
            if form is None:
                assert came == told == good
                continue
            changed[form["meaning"]] += 1
            if form["meaning"] in {"extra", "other"}:
                assert with_nulls(came) == with_nulls(told) != with_nulls(good)
            else:
                assert told == good != came
    assert changed.keys() == {"extra", "other", "same", "unreadable"}
    for table in ("location_tariffs", "utility_contracts", "chargers"):
        assert truth[table] == plain[table]


def test_transient_rows_are_broken_now_and_then():
    tenant = inside(**SMALL, malformed=malformed_plan(4, rate=0.3, most_in_a_row=2))
    truth = everything(tenant)
    assert truth == everything(inside(**SMALL))
    path = f"/users/{truth['users'][0]['id']}"
    good = tenant.reply(path).body
    looks = [wire(tenant, path) == good for _ in range(200)]
    assert 20 < looks.count(False) < 120
    assert not any(not any(looks[start : start + 3]) for start in range(197))
    [row] = [row for row in listed(tenant) if row["table"] == "users"]
    assert row["times"] == looks.count(False)
    assert not row["permanent"]
    assert row["served_well_since"] == looks[-1]
    assert row["key"] == {"id": truth["users"][0]["id"]}


LISTS = ("/users", "/vehicles", "/charging-locations", "/sessions", "/payouts", "/supported-car-models")
OF_USER = (
    "",
    "/financials",
    "/messages",
    "/rewards",
    "/rewards/balance",
    "/payouts",
    "/vehicles",
    "/charging-locations",
)
OF_LOCATION = ("", "/tariffs", "/utility-contracts", "/reward-rate", "/chargers", "/dynamic-tariffs", "/solar-energy")
OF_VEHICLE = ("", "/state", "/charge-settings", "/sessions/last")
OF_SESSION = ("", "/tariffs", "/session-settings/active")
WINDOW = "startTime=2026-06-01T00:00:00Z&endTime=2026-06-08T00:00:00Z"


def paths(truth: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    """Every path at which the tenant has anything."""
    yield from LISTS
    at = {item["id"]: f"/users/{item['id']}" for item in truth["users"]}
    yield from (at[id_] + path for id_ in at for path in OF_USER)
    for table, name, below in (
        ("charging_locations", "charging-locations", OF_LOCATION),
        ("vehicles", "vehicles", OF_VEHICLE),
        ("sessions", "sessions", OF_SESSION),
    ):
        yield from (f"{at[item['userId']]}/{name}/{item['id']}{path}" for item in truth[table] for path in below)
    for item in truth["charger_states"]:
        location = f"{at[item['userId']]}/charging-locations/{item['chargingLocationId']}"
        yield f"{location}/chargers/{item['chargerId']}/state"


def test_every_table_is_reached_and_every_form_met():
    tenant = inside(**SMALL, malformed=malformed_plan(6, rate=1, most_in_a_row=10**6))
    truth = everything(inside(**SMALL))
    for _ in range(4):
        for path in paths(truth):
            query = WINDOW if path.endswith(("/dynamic-tariffs", "/solar-energy")) else ""
            tenant.tenant.exchange("GET", PREFIX + path, query, tenant.headers, b"")
    found = listed(tenant)
    assert {row["table"] for row in found} == set(TRUE_TABLES)
    assert {row["kind"] for row in found} == {form.name for form in FORMS}
    for row in found:
        assert row["key"].keys() == set(ROWS_OF_TABLE[row["table"]].key)
        assert "None" not in row["key"].values()


def test_the_same_seed_breaks_the_same_rows():
    def look(seed: int) -> list[bytes]:
        tenant = inside(**SMALL, malformed=malformed_plan(seed, rate=0.1, permanent=0.1))
        return [wire(tenant, "/sessions", f"pageSize={size}") for size in range(1, 30)]

    assert look(1) == look(1) != look(2)


@given(seed=st.integers(0, 2**40), rate=st.floats(0, 1), permanent=st.floats(0, 1))
def test_other_rows_of_a_page_stay_as_they_are(seed, rate, permanent):
    tenant = inside(**SMALL, malformed=malformed_plan(seed, rate, permanent, tables=["users"]))
    body = wire(tenant, "/users", "pageSize=100")
    right = tenant.get("/users", pageSize=100)["items"]
    broken = {row["key"]["id"] for row in listed(tenant)}
    for item in right:
        if item["id"] not in broken:
            assert msgspec.json.encode(item) in body
    assert wire(tenant, "/vehicles") == tenant.reply("/vehicles").body
    assert rate or permanent or not broken


def test_malformed_rows_and_faults_go_together():
    tenant = inside(**SMALL, malformed=malformed_plan(1, rate=0.3), faults=plan_of(1, 0.5))
    for number in range(300):
        if number % 7 == 0:
            tenant.log_in()
        tenant.tenant.exchange("GET", f"{PREFIX}/sessions", "pageSize=10", tenant.headers, b"")
    assert len(listed(tenant)) > 5
    assert tenant.tenant._faults.injected.total() > 50


def test_over_http_malformed_rows_come_and_go():
    with running_tenant(**SMALL) as tenant:
        headers, path = tenant.headers(), f"{PREFIX}/sessions?pageSize=100"
        good = ask(tenant, path, headers)
        tenant.malformed(2, permanent=0.1, kinds=["not_a_number", "upper_case_ids"])
        bad = ask(tenant, path, headers)
        assert bad.status == 200
        assert int(bad.headers["Content-Length"]) == len(bad.body)
        found = tenant.malformed_rows()
        assert {row["kind"] for row in found} == {"not_a_number", "upper_case_ids"}
        with pytest.raises(msgspec.DecodeError):
            msgspec.json.decode(bad.body)
        assert tenant.mend(table="sessions") == [{"table": "sessions", "key": row["key"]} for row in found]
        assert ask(tenant, path, headers).body == good.body
        tenant.malformed(2, rate=1, kinds=["upper_case_ids"])
        assert {item["id"].upper() for item in good.json["items"]} == {
            i["id"] for i in ask(tenant, path, headers).json["items"]
        }
        tenant.malformed()
        assert ask(tenant, path, headers).body == good.body


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/_demo/malformed", b"", "seed"),
        ("/_demo/malformed", b'{"rate": 0.5}', "seed"),
        ("/_demo/malformed", b'{"seed": 1, "rate": 2}', "rate"),
        ("/_demo/malformed", b'{"seed": 1, "permanent": -1}', "permanent"),
        ("/_demo/malformed", b'{"seed": 1, "kinds": ["rude"]}', "wrong_type"),
        ("/_demo/malformed", b'{"seed": 1, "tables": []}', "sessions"),
        ("/_demo/malformed", b'{"seed": 1, "most_in_a_row": 0}', "most_in_a_row"),
        ("/_demo/malformed", b'{"seed": 1, "share": 0}', "share"),
        ("/_demo/mend", b"", "table"),
        ("/_demo/mend", b'{"table": "planets"}', "sessions"),
        ("/_demo/mend", b'{"key": {"id": "x"}}', "table"),
        ("/_demo/mend", b'{"table": "sessions", "key": {"sessionId": "x"}}', "id"),
    ],
)
def test_what_is_no_plan_is_refused(path, body, named):
    reply = inside(**SMALL).tenant.respond("POST", path, "", {}, body)
    assert reply.status == 400
    assert named in json.loads(reply.body)["detail"]


def test_both_methods_of_one_control_are_told():
    tenant = inside(**SMALL).tenant
    reply = tenant.respond("DELETE", "/_demo/malformed", "", {}, b"")
    assert reply.status == 405
    assert set(reply.headers["Allow"].split(", ")) == {"GET", "POST"}


def test_malformed_rows_are_options_of_the_command():
    with running_tenant(**SMALL, malformed_rate=1, malformed_kinds="upper_case_ids", fault_seed=5) as tenant:
        items = ask(tenant, f"{PREFIX}/users", tenant.headers()).json["items"]
        assert all(item["id"].isupper() for item in items)
    [line] = refusal("--users", "2", "--malformed-permanent", "7").splitlines()
    assert "permanent" in line


def test_a_world_of_copies_has_malformed_rows_too():
    tenant = inside(world_of(3, 5), copies=3, malformed=malformed_plan(1, permanent=0.5, tables=["users"]))
    wire(tenant, "/users")
    assert 0 < len(listed(tenant)) < 9
