"""The models' SQL means the same to Spark: what engines spell differently stands in dispatch macros, in both spellings.

The project is compiled once more with every `spark__` form in the place of its `duckdb__` one, and what comes out is read
as Spark's SQL: every query of every model and test, and those that are others in a later build.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp
from sqlglot.tokens import TokenType
from support.build_file import build_models
from support.parsed_project import VARIABLE

import warehouse.dbt
from pipelines.settings import LakeSettings
from warehouse.build import prepare
from warehouse.dbt import run_dbt
from warehouse.project import PROJECT_FOLDER, project_files, target_folder

MACROS = "\n".join(path.read_text() for path in sorted((PROJECT_FOLDER / "macros").glob("*.sql")))
INCREMENTAL = "config.materialized:incremental"
"""Models whose SQL is another one for a later build."""
SPARKS_OWN = {"timestamp_millis", "make_dt_interval"}
"""Functions of Spark that the parser does not know."""
SPELT_ALIKE = (
    *(exp.Abs, exp.And, exp.Array, exp.ArrayAgg, exp.ArrayContains, exp.ArraySize, exp.ArraySort, exp.Case, exp.Cast),
    *(exp.Coalesce, exp.ConvertTimezone, exp.Count, exp.DateDiff, exp.Explode, exp.Extract, exp.Floor, exp.Greatest),
    *(exp.If, exp.Lag, exp.Lead, exp.Least, exp.Max, exp.Min, exp.Nullif, exp.Or, exp.RegexpLike, exp.RegexpSplit),
    *(exp.RowNumber, exp.SplitPart, exp.Struct, exp.Sum, exp.TimestampTrunc, exp.Transform, exp.Trim, exp.TryCast),
    *(exp.TsOrDsToDate, exp.UnixMillis, exp.Upper, exp.GenerateSeries),
)
"""What the parser calls functions that Spark has under the name that stands in the SQL."""
NOT_SPARKS = {TokenType.L_BRACKET: "[", TokenType.DCOLON: "::"}
FOREIGN = (exp.Unnest, exp.Qualify, exp.Filter)


def forms(engine: str) -> set[str]:
    return set(re.findall(rf"{{% macro {engine}__(\w+)\(", MACROS))


def test_every_form_for_duckdb_has_one_for_spark():
    assert forms("duckdb") - forms("spark") - forms("default") == set()
    assert forms("spark") - forms("duckdb") - forms("default") == set()
    dispatched = set(re.findall(r"adapter\.dispatch\('(\w+)', 'chargelake'\)", MACROS))
    assert dispatched == forms("duckdb") | forms("default")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory) -> dict[str, str]:
    """The SQL of every model and test in Spark's form, by when it is for and file."""
    project = tmp_path_factory.mktemp("project")
    for path in project_files():
        copy = project / path.relative_to(PROJECT_FOLDER)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    for path in (project / "macros").glob("*.sql"):
        text = path.read_text().replace("macro duckdb__", "macro left_out__")
        path.write_text(text.replace("macro spark__", "macro duckdb__"))
    first, later = (LakeSettings(home=tmp_path_factory.mktemp(name)) for name in ("first", "later"))
    prepare(first)
    found = {}
    build_models(later, INCREMENTAL)
    with pytest.MonkeyPatch.context() as patched:
        own = warehouse.dbt.process_environment
        patched.setattr(
            warehouse.dbt, "process_environment", lambda settings: own(settings) | {"DBT_PROJECT_DIR": str(project)}
        )
        for name, settings, some in (("first", first, ()), ("later", later, ("--select", INCREMENTAL))):
            root = target_folder(settings) / "compiled" / "chargelake"
            shutil.rmtree(root, ignore_errors=True)
            run_dbt(settings, "compile", *some)
            patched.setenv(VARIABLE, str(target_folder(settings) / "partial_parse.msgpack"))
            found |= {f"{name}: {path.relative_to(root)}": path.read_text() for path in root.rglob("*.sql")}
    return found


def test_every_query_is_sparks_sql(compiled):
    models = {Path(name).stem for name in compiled}
    assert {path.stem for path in (PROJECT_FOLDER / "models").rglob("*.sql")} <= models
    wrong = {name: found for name, sql in compiled.items() if (found := foreign_parts(sql))}
    assert wrong == {}
    later = {name: sql for name, sql in compiled.items() if name.startswith("later: ")}
    assert any(sql != compiled[name.replace("later", "first", 1)] for name, sql in later.items())


def test_what_only_duckdb_knows_is_noticed():
    for sql in (
        "select list_contains(a, 1) from b",
        "select [1]",
        "select epoch_ms(a) from b",
        "select a::int from b",
        "select unnest(a) from b",
        "select * from a qualify row_number() over () = 1",
        "select {'a': 1}",
        "select arg_max(a, b) from c",
    ):
        assert foreign_parts(sql), sql


def foreign_parts(sql: str) -> list[str]:
    """What of a query Spark would not know."""
    sql = re.sub(r'"(\w+)"', r"`\1`", sql)  # DuckDB's adapter quotes names so, Spark's otherwise
    found = [
        NOT_SPARKS[token.token_type] for token in sqlglot.tokenize(sql, read="spark") if token.token_type in NOT_SPARKS
    ]
    try:
        tree = sqlglot.parse_one(sql, read="spark")
    except sqlglot.ParseError as error:
        return [*found, str(error)]
    for node in tree.walk():
        if isinstance(node, exp.Anonymous):
            found += [] if node.name.lower() in SPARKS_OWN else [node.name]
        elif isinstance(node, FOREIGN) or (isinstance(node, exp.Func) and not isinstance(node, SPELT_ALIKE)):
            found.append(type(node).__name__)
    return found
