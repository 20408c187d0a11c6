"""The analysts' pages: every query on them is run on a demo warehouse and gives what the page says."""

import re
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from warehouse.query import frame, query
from warehouse.tables_page import tables_page

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "analysts.md").read_text()
QUESTIONS = (DOCS / "analysts" / "questions.md").read_text()
ANSWERED = re.findall(r"### ([^\n]+)\n\n```sql\n(.*?)```\n\n((?:\|[^\n]*\n)+)", QUESTIONS, re.DOTALL)
HIDDEN = "..."


def shown(value: Any) -> str:
    """A value as the page shows it."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds")
    return value.isoformat() if isinstance(value, date) else str(value)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.fixture(scope="module")
def published(demo_warehouse) -> Path:
    return demo_warehouse.settings.published_file


def test_every_query_of_the_questions_stands_with_its_answer():
    assert len(ANSWERED) == QUESTIONS.count("```sql") == QUESTIONS.count("### ") >= 20


@pytest.mark.parametrize(("question", "sql", "table"), ANSWERED, ids=[title for title, _, _ in ANSWERED])
def test_a_question_is_answered_as_the_page_says(published, question, sql, table):
    """A row of nothing but dots at the end stands for any number of rows more, a cell of dots for any value."""
    header, _, *lines = map(cells, table.strip().splitlines())
    columns, rows = query(sql, file=published)
    assert columns == header
    goes_on = bool(lines) and set(lines[-1]) == {HIDDEN}
    told = lines[:-1] if goes_on else lines
    assert len(rows) >= len(told) if goes_on else len(rows) == len(told)
    for line, row in zip(told, rows, strict=False):
        assert line == [HIDDEN if cell == HIDDEN else shown(value) for cell, value in zip(line, row, strict=True)]


def test_the_examples_of_the_quick_start_run(published):
    for sql in re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL):
        assert query(sql, file=published)[1]
    for sql in re.findall(r'(?:frame\(|chargelake query )"([^"]+)"', PAGE):
        assert "?" in sql or len(frame(sql, file=published))


def test_every_fact_stands_in_the_diagram(published):
    diagram = re.search(r"```mermaid\n(.*?)```", PAGE, re.DOTALL)[1]
    drawn = set(re.findall(r"\b(?:dim|fct|agg)_\w+\b", diagram))
    names = {
        name
        for (name,) in query("select table_name from duckdb_tables() where schema_name = 'marts'", file=published)[1]
    }
    assert drawn <= names
    assert {name for name in names if name.startswith(("fct_", "agg_"))} <= drawn


def test_the_page_of_tables_is_what_the_published_file_says(published):
    written = (DOCS / "analysts" / "tables.md").read_text()
    assert written == tables_page(published), "renew it: python -m warehouse.tables_page > docs/analysts/tables.md"
