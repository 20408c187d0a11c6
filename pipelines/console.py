"""How the command shows things: tables for people, one JSON document for machines, errors in one place.

Progress is drawn on standard error and only on a terminal. Does not belong here: finding out what is shown.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from assets.night import NightResult
    from pipelines.status import TableStatus
    from pipelines.sync import RunReport
    from warehouse.build import BuildReport
    from warehouse.publish import PublishReport

WIDE = 4096
"""Columns where the output is no terminal: nothing is folded there."""

out = Console() if sys.stdout.isatty() else Console(width=WIDE)
err = Console(stderr=True)

Cell = object


def complain(message: str) -> None:
    """An error, on standard error."""
    err.print(f"[bold red]error[/]: {escape(message)}", highlight=False, soft_wrap=True)


def print_json(document: object) -> None:
    """One JSON document on standard output."""
    print(json.dumps(_jsonable(document), ensure_ascii=False, indent=2, allow_nan=False))


@contextmanager
def working(what: str) -> Iterator[None]:
    """Shows that something is going on, on a terminal."""
    if not err.is_terminal:
        yield
        return
    with err.status(what):
        yield


@contextmanager
def sync_progress() -> Iterator[Callable[[str, int], None]]:
    """A line for each collection with its rows so far, on a terminal."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed:,.0f} rows"))
    with Progress(*columns, TimeElapsedColumn(), console=err, disable=not err.is_terminal, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def progress(collection: str, rows: int) -> None:
            if collection not in tasks:
                for done in tasks.values():
                    bars.update(done, total=bars.tasks[done].completed)
                tasks[collection] = bars.add_task(collection, total=None)
            bars.advance(tasks[collection], rows)

        yield progress


def show_run(report: RunReport, *, as_json: bool) -> None:
    """What a sync did, a row for each collection."""
    if as_json:
        records = [collection.as_record(report.run_id) for collection in report.collections]
        print_json(
            {"run_id": report.run_id, "until": report.until, "status": report.status.value, "collections": records}
        )
        return
    table = _table("collection", "status", ">read", ">new", ">changed", ">aside", ">requests", "complete to, UTC")
    for collection in report.collections:
        numbers = (collection.rows_read, collection.rows_new, collection.rows_changed, collection.rows_set_aside)
        table.add_row(
            collection.collection,
            collection.status.value,
            *(f"{number:,}" for number in numbers),
            f"{collection.counters.requests:,}",
            _moment(collection.watermark),
        )
    out.print(table)
    for collection in report.collections:
        for note in collection.notes:
            where = err if collection.status.value == "failed" else out
            where.print(f"{collection.collection}: {escape(note)}", highlight=False, soft_wrap=True)
    if report.status.value == "complete" and not any(collection.rows_written for collection in report.collections):
        out.print("Nothing new: the lake already held all of it.")


def show_build(report: BuildReport, *, as_json: bool) -> None:
    """What a build did."""
    if as_json:
        print_json(_build_facts(report) | {"nodes": [asdict(node) for node in report.nodes]})
        return
    out.print(
        f"Built {len(report.models)} models in {report.duration_seconds:.1f} s"
        f" ({'all anew' if report.is_full else 'what changed'}); {report.tests_passed} tests passed."
    )
    for node in report.warnings:
        out.print(f"worth a look: {node.name}: {escape(node.message)}", highlight=False, soft_wrap=True)


def show_published(report: PublishReport, *, as_json: bool) -> None:
    """The new generation."""
    if as_json:
        print_json(asdict(report))
        return
    out.print(
        f"Published {len(report.rows)} tables, {report.bytes_written / 1e6:.1f} MB: {escape(str(report.file))}",
        highlight=False,
        soft_wrap=True,
    )


def show_night(night: NightResult, *, as_json: bool) -> None:
    """A whole night."""
    if as_json:
        print_json(
            {
                "run_id": night.run_id,
                "status": night.status.value,
                "duration_seconds": night.duration_seconds,
                "problems": night.problems,
                "collections": [collection.as_record(night.run_id) for collection in night.sync.collections],
                "build": _build_facts(night.build) if night.build else None,
                "published": asdict(night.published) if night.published else None,
            }
        )
        return
    show_run(night.sync, as_json=False)
    if night.build:
        show_build(night.build, as_json=False)
    if night.published:
        show_published(night.published, as_json=False)
    for problem in night.problems:
        complain(problem)
    out.print(f"The night took {night.duration_seconds:.1f} s.")


def _build_facts(report: BuildReport) -> dict[str, object]:
    return {
        "is_full": report.is_full,
        "models": len(report.models),
        "tests_passed": report.tests_passed,
        "warnings": [node.name for node in report.warnings],
        "duration_seconds": report.duration_seconds,
        "table_versions": report.versions,
    }


def show_status(tables: Sequence[TableStatus], *, as_json: bool) -> None:
    """The lake, a row for each table."""
    if as_json:
        print_json([asdict(table) for table in tables])
        return
    if not tables:
        out.print("The lake is empty. Run `chargelake sync` to fill it.")
        return
    view = _table("collection", ">rows", "complete to, UTC", "last run, UTC", "status", ">aside", ">drift")
    for table in tables:
        watermark = next(iter(table.watermarks.values()), None)
        view.add_row(
            table.collection,
            f"{table.rows:,}",
            _moment(watermark),
            _moment(table.last_run_at),
            table.last_status or "-",
            f"{table.pending + table.permanent:,}",
            f"{table.drift:,}",
        )
    out.print(view)
    for table in tables:
        if table.last_message:
            out.print(f"{table.collection}: {escape(table.last_message)}", highlight=False, soft_wrap=True)


def show_rows(columns: Sequence[str], rows: Sequence[Sequence[Cell]], *, as_json: bool) -> None:
    """A query's result."""
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    named = [_aligned(name, [row[place] for row in rows]) for place, name in enumerate(columns)]
    table = _table(*named)
    for row in rows:
        table.add_row(*(escape(_shown(cell)) for cell in row))
    if out.is_terminal and out.measure(table).maximum > out.width:
        _print_by_row(columns, rows)
    else:
        out.print(table)


def show_facts(facts: Mapping[str, object], *, as_json: bool) -> None:
    """Names and values."""
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        out.print(f"{name}: {escape(str(value))}", highlight=False, soft_wrap=True)


def heading(text: str) -> None:
    """A line over what follows."""
    out.print(f"\n[bold]{escape(text)}[/]", highlight=False)


def _shown(cell: Cell) -> str:
    """A cell for people: floating-point numbers without the noise of their last digits."""
    if cell is None:
        return ""
    if isinstance(cell, Decimal):
        return _plain_decimal(cell)
    return f"{cell:.12g}" if isinstance(cell, float) else str(cell)


def _plain_decimal(number: Decimal) -> str:
    """No exponent, no trailing zeros: `8.0842`, not `8.084200000`; `0`, not `0E-9`."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _aligned(name: str, cells: Sequence[Cell]) -> str:
    """The column's name for `_table`: numbers stand to the right."""
    present = [cell for cell in cells if cell is not None]
    is_number = all(isinstance(cell, (int, float, Decimal)) and not isinstance(cell, bool) for cell in present)
    return f">{name}" if present and is_number else name


def _print_by_row(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """A result that is wider than the terminal: a line for each cell."""
    width = max(map(len, columns))
    for row in rows:
        for name, cell in zip(columns, row, strict=True):
            out.print(f"{name:<{width}}  {escape(_shown(cell))}", highlight=False, soft_wrap=True)
        out.print()


def _table(*names: str) -> Table:
    """A table; a name that begins with `>` is a column aligned to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for name in names:
        justify: Literal["right", "left"] = "right" if name.startswith(">") else "left"
        table.add_column(escape(name.removeprefix(">")), justify=justify, no_wrap=True, overflow="fold")
    return table


def _moment(instant: datetime | None) -> str:
    return "-" if instant is None else f"{instant:%Y-%m-%d %H:%M}"


def _jsonable(value: object) -> object:
    """A value as JSON knows it; what it does not know as text, numbers that are none as null."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return _plain_decimal(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return _jsonable(asdict(value))
    if isinstance(value, Mapping):
        return {str(name): _jsonable(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(part) for part in value]
    return str(value)
