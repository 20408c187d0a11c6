"""`chargelake quarantine`: rows that could not be read, and their way back.

Does not belong here: what is done (pipelines/sync/replay.py). Imports stand inside the verbs, as in cli.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Optional

import typer
from rich.markup import escape

from pipelines import console

if TYPE_CHECKING:
    from pipelines.lake import Lake

app = typer.Typer(no_args_is_help=True, help="Rows that could not be read: list them, look at one, read them again.")

Collections = Annotated[
    Optional[str], typer.Option("--collections", help="Only these, separated by commas; all when left out.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")]

PARTIAL = 3
SHOWN_ID = 12
LISTED = ("id", "collection", "status", "key", "field", "reason", "first_seen_at")


@app.command("list")
def list_(collections: Collections = None, json: AsJson = False) -> None:
    """Rows that are set aside now, oldest first. Their content, which may be personal, is not shown."""
    from pipelines.sync.replay import waiting

    records = waiting(_lake(), _names(collections))
    if json:
        console.print_json([{name: record[name] for name in LISTED} for record in records])
        return
    if not records:
        console.out.print("No row is set aside.")
        return
    table = console.table_of("id", "collection", "status", "field", "first seen, UTC", "why")
    for record in records:
        seen = console.moment(record["first_seen_at"])
        cells = (record["id"][:SHOWN_ID], record["collection"], record["status"], record["field"] or "-", seen)
        table.add_row(*map(escape, cells), escape(record["reason"]))
    console.out.print(table)
    console.out.print(f"{len(records):,} rows. `chargelake quarantine show ID` shows one as it came.", highlight=False)


@app.command()
def show(
    id_: Annotated[str, typer.Argument(metavar="ID", help="As in the list; its first eight characters are enough.")],
    json: AsJson = False,
) -> None:
    """One row as it came, and why it could not be read. Personal data is shown."""
    from pipelines.sync.replay import one

    console.show_facts(one(_lake(), id_), as_json=json)


@app.command()
def replay(
    ids: Annotated[Optional[list[str]], typer.Argument(metavar="[ID]...", help="Only these rows.")] = None,
    collections: Collections = None,
    json: AsJson = False,
) -> None:
    """Read rows again by the contract as it is now, and keep those that can be read. The API is not asked.

    Where a row's key was read since, the newer reading stays. Exit code 3 where some still cannot be read.
    """
    from dataclasses import asdict

    from pipelines.occupancy import sharing
    from pipelines.settings import LakeSettings, load
    from pipelines.sync.replay import replay as replay_rows
    from pipelines.sync.replay import waiting

    lake = _lake()
    chosen = waiting(lake, _names(collections), ids or ())
    with sharing(load(LakeSettings).home.absolute()):
        done = replay_rows(lake, chosen)
    left = sum(len(one.unreadable) for one in done)
    if json:
        console.print_json([asdict(one) for one in done])
    elif not done:
        console.out.print("No row is set aside.")
    else:
        table = console.table_of("collection", ">readable", ">new", ">changed", ">older than ours", ">still aside")
        for one in done:
            numbers = (one.readable, one.added, one.changed, one.older, len(one.unreadable))
            table.add_row(one.collection, *(f"{number:,}" for number in numbers))
        console.out.print(table)
        for one in done:
            for id_, why in one.unreadable.items():
                console.out.print(f"{id_[:SHOWN_ID]}: {escape(why)}", highlight=False, soft_wrap=True)
    raise typer.Exit(PARTIAL if left else 0)


def _lake() -> Lake:
    from pipelines.lake import Lake
    from pipelines.settings import LakeSettings, load

    return Lake(load(LakeSettings).lake_root)


def _names(collections: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (collections or "").split(",") if name.strip())
