"""A search of every file below a folder, as somebody would do it who knows nothing of the pipeline.

Does not belong here: what is looked for.
"""

import json

import duckdb
import pyarrow.parquet as pq


def found_in(home, secrets):
    """Files that hold one of the texts: in their bytes, as rows of Parquet files, as rows of DuckDB files."""
    found = set()
    for path in (path for path in home.rglob("*") if path.is_file() and not path.is_symlink()):
        said = [path.read_bytes().decode("latin-1"), path.name]
        if path.suffix == ".parquet":
            said.append(json.dumps(pq.read_table(path).to_pylist(), default=str, ensure_ascii=False))
        if path.suffix == ".duckdb":
            with duckdb.connect(str(path), read_only=True) as database:
                for schema, table in database.sql("select schema_name, table_name from duckdb_tables()").fetchall():
                    said.append(str(database.sql(f'select * from "{schema}"."{table}"').fetchall()))
        if any(secret in text for secret in secrets for text in said):
            found.add(str(path.relative_to(home)))
    return found
