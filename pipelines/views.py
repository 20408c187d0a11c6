"""What the verbs found out or did, as tables for people or one JSON document for machines.

Does not belong here: what a sync did (views_sync.py), how a table, an error or progress is drawn (console.py), finding
out what is shown. Imports stand inside where they are needed, as in cli.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from pipelines import console, views_sync

if TYPE_CHECKING:
    from assets.night import NightResult
    from pipelines.lake.maintenance import TableMaintenance
    from pipelines.status import LakeStatus
    from warehouse.build import BuildReport
    from warehouse.erase import ErasureReport
    from warehouse.publish import PublishReport

MOST_NAMED = 20
"""Failing parents, and missing rows, that are named; --json has all of them."""


def show_erasure(report: ErasureReport, *, as_json: bool) -> None:
    """What an erasure did, how it was proved, and where nobody but people can look."""
    from warehouse.erase import OUT_OF_REACH

    if as_json:
        console.print_json(asdict(report) | {"out_of_reach": OUT_OF_REACH})
        return
    done = "made nobody's" if report.anonymised else "removed"
    rows = ", ".join(f"{name} {number:,}" for name, number in report.rows.items()) or "there were none"
    console.say(f"{report.people:,} people; rows {done}: {rows}")
    if report.dropped:
        console.say(f"dropped: {', '.join(report.dropped)}")
    console.say(f"proved: {report.files:,} files, {report.bytes_searched / 1e6:,.1f} MB, hold no value of theirs")
    console.say("they stay away: later syncs do not take their rows (`chargelake erase --user ID --lift` undoes this)")
    console.say(f"out of reach: {OUT_OF_REACH}")


def show_lifted(was_erased: bool, *, as_json: bool) -> None:
    """Whether somebody may come back who could not before."""
    if as_json:
        console.print_json({"lifted": was_erased})
    elif was_erased:
        console.say("Lifted: the next deep sync brings back what the tenant shows.")
    else:
        console.say("Nobody with this id was erased: nothing to lift.")


def show_build(report: BuildReport, *, as_json: bool) -> None:
    """What a build did."""
    if as_json:
        console.print_json(_build_facts(report) | {"nodes": [asdict(node) for node in report.nodes]})
        return
    console.out.print(
        f"Built {len(report.models)} models in {report.duration_seconds:.1f} s"
        f" ({'all anew' if report.is_full else 'what changed'}); {report.tests_passed} tests passed."
    )
    for node in report.warnings:
        console.say(f"worth a look: {node.name}: {node.message}")


def show_published(report: PublishReport, *, as_json: bool) -> None:
    """The new generation."""
    if as_json:
        console.print_json(asdict(report))
        return
    console.say(f"Published {len(report.rows)} tables, {report.bytes_written / 1e6:.1f} MB: {report.file}")


def show_maintenance(done: Sequence[TableMaintenance], *, as_json: bool) -> None:
    """What became of the lake's files, a row for each table."""
    if as_json:
        console.print_json({"tables": done, "seconds": sum(table.seconds for table in done)})
        return
    shown = console.table_of("table", ">files", ">then", ">MB", ">then", ">commits", ">then", ">removed", ">seconds")
    for table in done:
        counts = [table.files_before, table.files_after, table.bytes_before / 1e6, table.bytes_after / 1e6]
        counts += [table.log_before, table.log_after, table.removed]
        cells = [f"{count:,.1f}" if isinstance(count, float) else f"{count:,}" for count in counts]
        shown.add_row(table.table, *cells, f"{table.seconds:.1f}")
    console.out.print(shown)
    for table in done:
        if table.left:
            console.say(f"{table.table}: left for the next time, {table.left}")


def show_night(night: NightResult, *, as_json: bool) -> None:
    """A whole night."""
    if as_json:
        console.print_json(
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
    views_sync.show_run(night.sync, as_json=False)
    if night.build:
        show_build(night.build, as_json=False)
    if night.published:
        show_published(night.published, as_json=False)
    for problem in night.problems:
        console.complain(problem)
    console.out.print(f"The night took {night.duration_seconds:.1f} s.")


def _build_facts(report: BuildReport) -> dict[str, object]:
    return {
        "is_full": report.is_full,
        "models": len(report.models),
        "tests_passed": report.tests_passed,
        "warnings": [node.name for node in report.warnings],
        "duration_seconds": report.duration_seconds,
        "table_versions": report.versions,
    }


def show_status(lake: LakeStatus, *, as_json: bool) -> None:
    """The lake, a row for each table; then what waits to be asked again."""
    if as_json:
        console.print_json(lake)
        return
    if not lake.tables:
        console.out.print("The lake is empty. Run `chargelake sync` to fill it.")
        return
    view = console.table_of("collection", ">rows", "complete to, UTC", "last run, UTC", "status", ">aside", ">drift")
    for table in lake.tables:
        view.add_row(
            table.collection,
            f"{table.rows:,}",
            console.moment(next(iter(table.watermarks.values()), None)),
            console.moment(table.last_run_at),
            table.last_status or "-",
            f"{table.pending + table.permanent:,}",
            f"{table.drift:,}",
        )
    console.out.print(view)
    for line in _waiting(lake):
        console.say(line)
    if lake.erasure_waits:
        console.say("an erasure was begun and not ended: run `chargelake erase`")


def _waiting(lake: LakeStatus) -> Iterator[str]:
    """What the last runs said, and what is asked again."""
    messages: dict[str, list[str]] = {}
    for table in lake.tables:
        if table.last_message:
            messages.setdefault(table.last_message, []).append(table.collection)
    for message, collections in messages.items():
        yield f"{', '.join(collections)}: {message}"
    for parent in lake.failing[:MOST_NAMED]:
        yield (
            f"failing: {parent.fan_out} of {parent.parent_id} since {console.moment(parent.failing_since)} UTC,"
            f" {_runs(parent.runs)}: {parent.reason}"
        )
    yield from _more(len(lake.failing))
    for row in lake.unproved[:MOST_NAMED]:
        yield (
            f"not listed since {console.moment(row.missing_since)} UTC, not proved gone: {row.row_id} of"
            f" {row.collection}, asked in {_runs(row.runs)}: {row.reason}"
        )
    yield from _more(len(lake.unproved))
    for fan_out, number in lake.unfinished.items():
        yield f"{fan_out}: the history of {number:,} {'parent' if number == 1 else 'parents'} goes on"


def _runs(number: int) -> str:
    return f"{number} {'run' if number == 1 else 'runs'}"


def _more(number: int) -> Iterator[str]:
    if number > MOST_NAMED:
        yield f"and {number - MOST_NAMED} more"
