"""What the verbs found out or did, as tables for people or one JSON document for machines.

Does not belong here: how a table, an error or progress is drawn (console.py), finding out what is shown. Imports stand
inside where they are needed, as in cli.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.markup import escape

from pipelines import console
from pipelines.contract import FAN_OUTS, LISTS

if TYPE_CHECKING:
    from assets.night import NightResult
    from pipelines.lake.maintenance import TableMaintenance
    from pipelines.status import LakeStatus
    from pipelines.sync import CollectionReport, RunReport
    from pipelines.sync.forecast import Forecast, NightForecast
    from warehouse.build import BuildReport
    from warehouse.erase import ErasureReport
    from warehouse.publish import PublishReport

WIDTH_OF_PARENTS = 110
"""Columns of a terminal from which on the numbers of parents are shown beside the rows."""
MOST_NAMED = 20
"""Failing parents, and missing rows, that are named; --json has all of them."""
BESIDE_ANOTHER = (
    "Another sync of this lake was at work when this one began. Both asked the API; rows that the other had committed"
    " count here as read, not as new. Nothing is lost or doubled."
)


def show_run(report: RunReport, *, as_json: bool) -> None:
    """What a sync did, a row for each collection; below it why parents were asked or not."""
    if as_json:
        records = [collection.as_record(report.run_id) for collection in report.collections]
        console.print_json(
            {
                "run_id": report.run_id,
                "until": report.until,
                "status": report.status.value,
                "began_beside_another": report.began_beside_another,
                "collections": records,
            }
        )
        return
    with_parents = console.out.width >= WIDTH_OF_PARENTS and any(
        collection.parents is not None for collection in report.collections
    )
    parents = (">asked", ">skipped") if with_parents else ()
    with_turned = any(collection.rows_deleted or collection.rows_restored for collection in report.collections)
    turned = (">deleted", ">restored") if with_turned else ()
    table = console.table_of(
        "collection",
        "status",
        ">read",
        ">new",
        ">changed",
        *turned,
        ">aside",
        *parents,
        ">requests",
        "complete to, UTC",
    )
    for collection in report.collections:
        numbers = [collection.rows_read, collection.rows_new, collection.rows_changed]
        numbers += [collection.rows_deleted, collection.rows_restored] if with_turned else []
        numbers.append(collection.rows_set_aside)
        asked = [collection.asked.total(), collection.skipped.total()] if collection.parents is not None else []
        table.add_row(
            collection.collection,
            collection.status.value,
            *(f"{number:,}" for number in numbers),
            *([f"{number:,}" for number in asked] or [""] * len(parents) if with_parents else []),
            f"{collection.counters.requests:,}",
            console.moment(collection.watermark),
        )
    console.out.print(table)
    for line in _reasons(report):
        _say(line)
    for names, note, failed in _notes(report):
        _say(f"{names}: {note}", is_error=failed)
    if report.began_beside_another:
        _say(BESIDE_ANOTHER)
    if report.status.value == "complete" and not any(collection.rows_written for collection in report.collections):
        console.out.print("Nothing new: the lake already held all of it.")


def show_erasure(report: ErasureReport, *, as_json: bool) -> None:
    """What an erasure did, how it was proved, and where nobody but people can look."""
    from warehouse.erase import OUT_OF_REACH

    if as_json:
        console.print_json(asdict(report) | {"out_of_reach": OUT_OF_REACH})
        return
    done = "made nobody's" if report.anonymised else "removed"
    rows = ", ".join(f"{name} {number:,}" for name, number in report.rows.items()) or "there were none"
    _say(f"{report.people:,} people; rows {done}: {rows}")
    if report.dropped:
        _say(f"dropped: {', '.join(report.dropped)}")
    _say(f"proved: {report.files:,} files, {report.bytes_searched / 1e6:,.1f} MB, hold no value of theirs")
    _say("they stay away: later syncs do not take their rows (`chargelake erase --user ID --lift` undoes this)")
    _say(f"out of reach: {OUT_OF_REACH}")


def show_lifted(was_erased: bool, *, as_json: bool) -> None:
    """Whether somebody may come back who could not before."""
    if as_json:
        console.print_json({"lifted": was_erased})
    elif was_erased:
        _say("Lifted: the next deep sync brings back what the tenant shows.")
    else:
        _say("Nobody with this id was erased: nothing to lift.")


def _reasons(report: RunReport) -> Iterator[str]:
    """Why each fan-out asked, and why not; those with the same to say share a line. Of lists, single rows."""
    for one in report.collections:
        if one.parents is None and (one.asked or one.skipped):
            yield f"{one.collection}, one by one: {_because(one.asked, one.skipped)}"
    done = {collection.collection: collection for collection in report.collections}
    told: dict[str, list[str]] = {}
    for fan_out in FAN_OUTS.values():
        collection = done.get(fan_out.tables[0])
        if collection is not None and collection.parents:
            told.setdefault(_because(collection.asked, collection.skipped), []).append(fan_out.name)
    for because, names in told.items():
        yield f"{', '.join(names)}: {because}"


def _notes(report: RunReport) -> Iterator[tuple[str, str, bool]]:
    """Each note once, with the collections that it is about, and whether one of them failed."""
    about: dict[str, list[CollectionReport]] = {}
    for collection in report.collections:
        for note in collection.notes:
            about.setdefault(note, []).append(collection)
    for note, collections in about.items():
        failed = any(collection.status.value == "failed" for collection in collections)
        yield ", ".join(collection.collection for collection in collections), note, failed


def _because(asked: Counter[str], skipped: Counter[str]) -> str:
    """`asked 80 (sessions changed 17, in the correction range 63), skipped 17 (nothing changed)`."""
    told = [f"asked {asked.total():,}{_in_brackets(asked)}"]
    return ", ".join(told + ([f"skipped {skipped.total():,}{_in_brackets(skipped)}"] if skipped else []))


def _in_brackets(reasons: Counter[str]) -> str:
    if not reasons:
        return ""
    return f" ({next(iter(reasons)) if len(reasons) == 1 else _counted(reasons)})"


def _counted(reasons: Counter[str]) -> str:
    from pipelines.sync.report import counted

    return counted(reasons)


def _say(text: str, *, is_error: bool = False) -> None:
    (console.err if is_error else console.out).print(escape(text), highlight=False, soft_wrap=True)


def show_forecast(night: NightForecast, *, as_json: bool) -> None:
    """What a sync would ask, a row for each list and fan-out."""
    if as_json:
        console.print_json(
            {
                "until": night.until,
                "deep": night.deep,
                "requests": night.requests,
                "requests_per_second": night.requests_per_second,
                "seconds": night.seconds,
                "units": [unit.as_record() for unit in night.units],
            }
        )
        return
    console.out.print(f"A {'deep ' if night.deep else ''}run until {console.moment(night.until)} UTC would ask:\n")
    table = console.table_of("", ">parents", ">asked", ">skipped", ">requests", "why")
    table.columns[-1].no_wrap = False
    for unit in night.units:
        known = unit.parents is not None
        table.add_row(
            unit.name,
            f"{unit.parents:,}" if known else "",
            f"{unit.asked.total():,}" if known else "",
            f"{unit.skipped.total():,}" if known else "",
            f"{unit.requests:,}" if unit.is_known else "?",
            escape(_why(unit)),
        )
    console.out.print(table)
    if not all(unit.is_known for unit in night.units):
        _say(f"\nTo see what stands at ?, read the lists first: chargelake sync --collections {','.join(LISTS)}")
    _say(
        f"\nAt least {night.requests:,} requests, with one for the API's clock: {_duration(night.seconds)} at"
        f" {night.requests_per_second:,.12g} a second. What is new in tonight's lists comes on top. Nothing was"
        " written."
    )


def _why(unit: Forecast) -> str:
    asked = _counted(unit.asked)
    skipped = f"not asked: {_counted(unit.skipped)}" if unit.skipped else ""
    return "; ".join(filter(None, (asked, skipped, *unit.notes)))


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:,.1f} s"
    return f"{seconds / 60:,.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


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
        console.out.print(f"worth a look: {node.name}: {escape(node.message)}", highlight=False, soft_wrap=True)


def show_published(report: PublishReport, *, as_json: bool) -> None:
    """The new generation."""
    if as_json:
        console.print_json(asdict(report))
        return
    console.out.print(
        f"Published {len(report.rows)} tables, {report.bytes_written / 1e6:.1f} MB: {escape(str(report.file))}",
        highlight=False,
        soft_wrap=True,
    )


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
            console.out.print(escape(f"{table.table}: left for the next time, {table.left}"), soft_wrap=True)


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
    show_run(night.sync, as_json=False)
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
        _say(line)
    if lake.erasure_waits:
        _say("an erasure was begun and not ended: run `chargelake erase`")


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
