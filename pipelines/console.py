"""How the command shows things: tables for people, one JSON document for machines, errors in one place.

Progress is drawn on standard error and only on a terminal. Does not belong here: what a sync, a build or the lake's
state is shown as (views.py, views_sync.py), finding out what is shown.
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
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from pipelines.contract import FAN_OUTS

WIDE = 4096
"""Columns where the output is no terminal: nothing is folded there."""

out = Console() if sys.stdout.isatty() else Console(width=WIDE)
err = Console(stderr=True)

Cell = object


def complain(message: str) -> None:
    """An error, on standard error."""
    err.print(f"[bold red]error[/]: {escape(message)}", highlight=False, soft_wrap=True)


def say(text: str, *, is_error: bool = False) -> None:
    """A sentence as it is, in one line however long."""
    (err if is_error else out).print(escape(text), highlight=False, soft_wrap=True)


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
    """A line for each collection with its rows or parents so far, on a terminal."""
    counted = TextColumn("{task.completed:,.0f} {task.fields[unit]}")
    columns = (SpinnerColumn(), TextColumn("{task.description}"), counted)
    with Progress(*columns, TimeElapsedColumn(), console=err, disable=not err.is_terminal, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def progress(collection: str, rows: int) -> None:
            if collection not in tasks:
                for done in tasks.values():
                    bars.update(done, total=bars.tasks[done].completed)
                tasks[collection] = bars.add_task(collection, total=None, unit=_unit_of(collection))
            bars.advance(tasks[collection], rows)

        yield progress


def _unit_of(name: str) -> str:
    """What progress counts: those who are asked, by their table's name; rows of a list."""
    fan_out = FAN_OUTS.get(name)
    if fan_out is None:
        return "rows"
    # a list of the tenant's own, where there is one, is told by the same name
    return fan_out.parent.replace("_", " ") if fan_out.unless is None else "read"


def show_rows(columns: Sequence[str], rows: Sequence[Sequence[Cell]], *, as_json: bool) -> None:
    """A query's result."""
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    named = [_aligned(name, [row[place] for row in rows]) for place, name in enumerate(columns)]
    table = table_of(*named)
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


def table_of(*names: str) -> Table:
    """A table; a name that begins with `>` is a column aligned to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for name in names:
        justify: Literal["right", "left"] = "right" if name.startswith(">") else "left"
        table.add_column(escape(name.removeprefix(">")), justify=justify, no_wrap=True, overflow="fold")
    return table


def moment(instant: datetime | None) -> str:
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
