"""A finished build file without a run of dbt, one of some models only, and one that dbt cannot finish."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from pipelines.settings import LakeSettings
from warehouse.build import prepare
from warehouse.dbt import run_dbt

PERSON = "gunhildur.personal@mail.invalid"


def finish_build(settings: LakeSettings, generation: int, rows: int = 5000) -> None:
    """Stands in for dbt: a whole build whose tables all say which one they are of."""
    settings.build_file.parent.mkdir(parents=True, exist_ok=True)
    settings.build_file.unlink(missing_ok=True)
    with duckdb.connect(str(settings.build_file)) as connection:
        connection.execute("create schema marts; create schema ops; create schema personal; create schema state")
        connection.execute("create table state.current_build as select true as is_complete")
        for table in ("marts.a", "marts.b", "ops.c"):
            connection.execute(f"create table {table} as select {generation} as build, i from range({rows}) t(i)")
        connection.execute(f"create table personal.users as select '{PERSON}' as email")
        connection.execute("comment on table marts.a is 'What the person''s a is'")
        connection.execute("comment on column marts.a.i is 'Count, kWh'")


def build_models(settings: LakeSettings, *models: str) -> bool:
    """Bring these models, and what they are made of, up to the lake, without dbt's tests. Returns whether from nothing.

    For what is judged by other means than a whole build, which takes many times as long.
    """
    is_full = prepare(settings).is_full
    run_models(settings, *models)
    return is_full


def run_models(settings: LakeSettings, *models: str) -> None:
    """The same on what was prepared before."""
    run_dbt(settings, "build", "--exclude-resource-type", "test", "--select", *(f"+{model}" for model in models))


@contextmanager
def obstructed(settings: LakeSettings, model: str) -> Iterator[None]:
    """No build can note that this model was built: dbt fails there, when what comes before it has been built."""
    with duckdb.connect(str(settings.build_file)) as connection:
        connection.execute("alter table state.models_built rename to models_built_before")
        connection.execute(
            f"create table state.models_built (model varchar check (model <> '{model}'), build_id varchar not null)"
        )
        connection.execute(f"insert into state.models_built from state.models_built_before where model <> '{model}'")
    yield
    with duckdb.connect(str(settings.build_file)) as connection:
        connection.execute("create or replace table state.models_built_before as from state.models_built")
        connection.execute("drop table state.models_built")
        connection.execute("alter table state.models_built_before rename to models_built")
