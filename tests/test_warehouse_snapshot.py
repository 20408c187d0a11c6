"""Pinned views of the lake: typed, complete, and of exactly one version."""

import shutil
from decimal import Decimal
from pathlib import Path

import deltalake
import duckdb
import pyarrow as pa
import pytest
from support.lake_data import Lake, Tenant, at
from support.lake_tariff_rows import append_by_month

from pipelines.contract import RESOURCES
from pipelines.errors import WarehouseError
from pipelines.lake.schemas import INSTANT, MONEY, OPERATIONS, table_schema
from pipelines.settings import LakeSettings
from warehouse.build import prepare
from warehouse.snapshot import create_relations, pin, sql_type

NIGHT = at("2026-03-01")


@pytest.fixture
def database():
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'; create schema lake; create schema changes")
    yield connection
    connection.close()


def relations(database, lake_root: str, known_files: frozenset[str] = frozenset()):
    pinned = pin(lake_root)
    for table in pinned.values():
        create_relations(database, table, frozenset(table.files) - known_files)
    return pinned


def values(database, sql: str) -> list:
    return [row[0] for row in database.execute(sql).fetchall()]


def test_a_lake_without_tables_gives_empty_typed_views(database, tmp_path):
    pinned = relations(database, str(tmp_path / "nothing"))
    assert pinned.keys() == RESOURCES.keys() | OPERATIONS.keys()
    for name, table in pinned.items():
        schema = table_schema(RESOURCES[name]) if name in RESOURCES else OPERATIONS[name]
        described = database.execute(f"describe lake.{name}").fetchall()
        assert [row[0] for row in described] == schema.names
        assert [row[1] for row in described] == [
            database.execute(f"select typeof(cast(null as {sql_type(field.type)}))").fetchone()[0] for field in schema
        ]
        assert values(database, f"select count(*) from lake.{name}") == [0]
        assert table.version is None


@pytest.mark.parametrize("as_url", [False, True], ids=["folder", "url"])
def test_what_was_committed_after_pinning_is_not_seen(database, tmp_path, as_url):
    lake, tenant = Lake(str(tmp_path / "lake")), Tenant()
    root = f"file://{lake.root}" if as_url else lake.root
    first, second, third = (tenant.sessions(3, NIGHT, at("2026-04-01")) for _ in range(3))
    lake.append("sessions", first, NIGHT)
    earlier = pin(root)["sessions"]
    lake.append("sessions", [*second, first[0]], at("2026-03-02"))
    pinned = pin(root)["sessions"]
    lake.append("sessions", third, at("2026-03-03"))
    create_relations(database, pinned, frozenset(pinned.files) - frozenset(earlier.files))
    assert (earlier.version, pinned.version) == (0, 1)
    assert values(database, "select count(*) from lake.sessions") == [7]
    assert set(values(database, "select id from changes.sessions")) == {row["id"] for row in [*second, first[0]]}
    stored = database.sql("select * from lake.sessions").to_arrow_table().sort_by("_row_hash").to_pylist()
    assert stored == sorted(lake.versions["sessions"][:7], key=lambda row: row["_row_hash"])


def test_a_folder_can_become_a_url_and_back(database, tmp_path):
    lake = Lake(str(tmp_path / "lake"))
    lake.append("users", Tenant().users, NIGHT)
    for root in (lake.root, f"file://{lake.root}", lake.root):
        relations(database, root)
        assert values(database, "select count(*) from lake.users") == [12]


@pytest.mark.parametrize("odd", ["with space", "it's", "st*r", "x=1"])
def test_odd_folder_names(database, tmp_path, odd):
    lake = Lake(str(tmp_path / odd / "lake"))
    lake.append("users", Tenant().users, NIGHT)
    relations(database, lake.root)
    assert values(database, "select count(*) from lake.users") == [12]
    assert "x" not in [row[0] for row in database.execute("describe lake.users").fetchall()]


def test_columns_that_files_lack_are_null_and_unknown_ones_are_left_out(database, tmp_path):
    schema = table_schema(RESOURCES["users"])
    row = dict.fromkeys(schema.names) | {"id": "u", "_synced_at": NIGHT, "_deleted": False}
    row |= {"_run_id": "r", "_row_hash": "h", "locale": "nb"}
    full = pa.Table.from_pylist([row], schema)
    folder = str(tmp_path / "users")
    deltalake.write_deltalake(folder, full.drop_columns(["locale"]).append_column("novel", pa.array([1])))
    deltalake.write_deltalake(folder, full, mode="append", schema_mode="merge")
    relations(database, str(tmp_path))
    assert sorted(values(database, "select coalesce(locale, '-') from lake.users")) == ["-", "nb"]
    assert [row[0] for row in database.execute("describe lake.users").fetchall()] == schema.names


def test_a_partition_column_is_read_from_the_path(database, tmp_path):
    rows = pa.Table.from_pylist([{"id": "m", "brand": "007", "_synced_at": NIGHT}, {"id": "n", "brand": "8"}])
    deltalake.write_deltalake(tmp_path / "supported_car_models", rows, partition_by=["brand"])
    relations(database, str(tmp_path))
    assert sorted(values(database, "select brand from lake.supported_car_models")) == ["007", "8"]


@pytest.mark.parametrize("as_url", [False, True], ids=["folder", "url"])
def test_lists_of_objects_are_read_by_the_names_of_their_members(database, tmp_path, as_url):
    """Files may know fewer members than the contract, in another order, and more."""
    lake, night = Lake(str(tmp_path)), {"_synced_at": NIGHT}
    layer = {"currency": "EUR", "price": Decimal("0.4"), "type": "Peak"}
    lake.append("location_tariffs", [{"charging_location_id": "l", "tariffs": [layer]}], NIGHT)
    older = pa.Table.from_pylist(
        [{"charging_location_id": "m", "tariffs": [{"type": "OffPeak", "novel": 1, "price": Decimal("0.5")}]} | night],
        pa.schema(
            [
                ("charging_location_id", pa.string()),
                ("tariffs", pa.list_(pa.struct([("type", pa.string()), ("novel", pa.int64()), ("price", MONEY)]))),
                ("_synced_at", INSTANT),
            ]
        ),
    )
    relations(database, f"file://{lake.root}" if as_url else lake.root)
    assert values(database, "select tariffs from lake.location_tariffs") == [[layer]]
    shutil.rmtree(f"{lake.root}/location_tariffs")
    deltalake.write_deltalake(f"{lake.root}/location_tariffs", older)
    relations(database, f"file://{lake.root}" if as_url else lake.root)
    known = {"currency": None, "price": Decimal("0.5"), "type": "OffPeak"}
    assert values(database, "select tariffs from lake.location_tariffs") == [[known]]
    assert values(database, "select tariff_intervals from lake.location_tariffs") == [None]


@pytest.mark.parametrize("as_url", [False, True], ids=["folder", "url"])
def test_tables_by_month_show_their_month_and_what_was_added(database, tmp_path, as_url):
    lake = Lake(str(tmp_path))
    root = f"file://{lake.root}" if as_url else lake.root
    rows = [
        {"session_id": "s", "start_time": at(day), "tariff_type": "Peak", "price": Decimal(1)}
        for day in ("2026-01-31T23:00", "2026-02-01T00:00")
    ]
    append_by_month(lake, "session_tariffs", rows, NIGHT)
    earlier = pin(root)["session_tariffs"]
    append_by_month(lake, "session_tariffs", rows[:1], at("2026-03-02"))
    pinned = pin(root)["session_tariffs"]
    assert pinned.is_partitioned
    assert len(pinned.files) == 3
    create_relations(database, pinned, frozenset(pinned.files) - frozenset(earlier.files))
    assert sorted(values(database, "select start_month from lake.session_tariffs")) == ["2026-01", "2026-01", "2026-02"]
    keys = database.execute("select session_id, start_time, tariff_type from changes.session_tariffs").fetchall()
    assert [(key[0], key[1].timestamp(), key[2]) for key in keys] == [("s", at("2026-01-31T23:00").timestamp(), "Peak")]


def test_sql_types_of_later_tables():
    intervals = pa.list_(pa.struct([("start", pa.time64("us")), ("price", pa.decimal128(38, 9))]))
    assert sql_type(intervals) == 'STRUCT("start" TIME, "price" DECIMAL(38, 9))[]'
    with pytest.raises(TypeError, match="int8"):
        sql_type(pa.int8())


def test_a_damaged_table_is_named(tmp_path):
    lake = Lake(str(tmp_path))
    lake.append("users", Tenant().users, NIGHT)
    Path(tmp_path / "users" / "_delta_log" / f"{0:020}.json").write_text("{not json")
    with pytest.raises(WarehouseError, match=r"lake table .*users cannot be read"):
        pin(str(tmp_path))


def test_a_home_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "home").write_text("a file where a folder should be")
    with pytest.raises(WarehouseError, match="check CHARGELAKE_HOME"):
        prepare(LakeSettings(home=tmp_path / "home"))


def test_what_any_model_has_not_read_is_offered_to_all(tmp_path):
    """After a build that failed between two models, the one behind must still be told what it has missed."""
    lake, tenant = Lake(str(tmp_path / "lake")), Tenant()
    settings = LakeSettings(home=tmp_path)
    nights = [tenant.sessions(3, NIGHT, at("2026-04-01")) for _ in range(3)]

    def offered(*built: str) -> set[str]:
        """Prepare a build, say which keys it offers, and note that it built these models."""
        preparation = prepare(settings)
        with duckdb.connect(str(settings.build_file)) as connection:
            keys = {row[0] for row in connection.execute("select id from changes.sessions").fetchall()}
            for model in built:
                connection.execute("delete from state.models_built where model = ?", [model])
                connection.execute("insert into state.models_built values (?, ?)", [model, preparation.build_id])
        return keys

    ids = [{row["id"] for row in night} for night in nights]
    lake.append("sessions", nights[0], NIGHT)
    assert offered() == ids[0]
    assert offered("marts.dim_users", "marts.fct_sessions") == ids[0]
    lake.append("sessions", nights[1], at("2026-03-02"))
    assert offered("marts.dim_users") == ids[1]
    lake.append("sessions", nights[2], at("2026-03-03"))
    assert offered("marts.dim_users", "marts.fct_sessions") == ids[1] | ids[2]
    assert offered() == set()
