"""What a sync did, or would do, as tables for people or one JSON document for machines.

Does not belong here: the other verbs (views.py), how a table or an error is drawn (console.py), finding out what is
shown. Imports stand inside where they are needed, as in cli.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape

from pipelines import console
from pipelines.contract import FAN_OUTS, LISTS

if TYPE_CHECKING:
    from pipelines.sync import CollectionReport, RunReport
    from pipelines.sync.forecast import Forecast, NightForecast

WIDTH_OF_PARENTS = 110
"""Columns of a terminal from which on the numbers of parents are shown beside the rows."""
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
        console.say(line)
    for names, note, failed in _notes(report):
        console.say(f"{names}: {note}", is_error=failed)
    if report.began_beside_another:
        console.say(BESIDE_ANOTHER)
    if report.status.value == "complete" and not any(collection.rows_written for collection in report.collections):
        console.out.print("Nothing new: the lake already held all of it.")


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
        console.say(f"\nTo see what stands at ?, read the lists first: chargelake sync --collections {','.join(LISTS)}")
    console.say(
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
