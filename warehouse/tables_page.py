"""The analysts' page of tables, written from the descriptions that stand in the published file.

`python -m warehouse.tables_page > docs/analysts/tables.md` renews the page. Does not belong here: the descriptions
themselves (models/**/*.yml).
"""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

from warehouse.query import query

_HEAD = """# Tables

Every table and column of the published file, as its own comments describe them. What to know before adding things up:
[analysts.md](../analysts.md). This page is written by `python -m warehouse.tables_page`.
"""

_COLUMNS = """
select
    tables.schema_name || '.' || tables.table_name,
    tables.comment,
    columns.column_name,
    columns.data_type,
    columns.comment
from duckdb_tables() as tables
inner join duckdb_columns() as columns using (database_name, schema_name, table_name)
where database_name = 'warehouse' and schema_name <> 'personal'
order by schema_name, table_name, column_index
"""
_TYPES = {
    "BIGINT": "integer",
    "BOOLEAN": "yes/no",
    "DATE": "date",
    "DOUBLE": "number",
    "HUGEINT": "integer",
    "INTEGER": "integer",
    "TIMESTAMP": "local time",
    "TIMESTAMP WITH TIME ZONE": "UTC instant",
    "VARCHAR": "text",
    "VARCHAR[]": "list of text",
}


def tables_page(file: Path | None = None) -> str:
    """The page in Markdown. file: another published file than CHARGELAKE_HOME's current one."""
    _, rows = query(_COLUMNS, file=file)
    parts = [_HEAD]
    for (table, comment), columns in groupby(rows, key=lambda row: (row[0], row[1])):
        parts.append(f"\n## {table}\n\n{_line(comment)}\n\n| column | type | meaning |\n|---|---|---|\n")
        parts += [f"| `{name}` | {_type(kind)} | {_line(text)} |\n" for _, _, name, kind, text in columns]
    return "".join(parts)


def _type(kind: str) -> str:
    """What an analyst calls a type of DuckDB."""
    if kind.startswith("DECIMAL"):
        return "exact number"
    return "list of records" if kind.startswith("STRUCT") and kind.endswith("[]") else _TYPES.get(kind, kind.lower())


def _line(text: str | None) -> str:
    return " ".join((text or "").replace("|", "\\|").split())


if __name__ == "__main__":
    sys.stdout.write(tables_page())
