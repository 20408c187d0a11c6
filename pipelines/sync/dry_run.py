"""What a run would ask and why, from what the lake holds. Nothing is written and no table is made.

Of the API only the clock is asked, and not even that where `until` is given. What tonight's lists will bring is not
known before they are read, so numbers are lower bounds.
Does not belong here: the arithmetic (forecast.py), whom a fan-out asks (pipelines/sync/fanout).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone

from pipelines.contract import RESOURCES, Answer, FanOut, Question, Resource
from pipelines.contract.fan_outs import Form
from pipelines.lake import Lake
from pipelines.settings import ApiSettings, LakeSettings, SyncSettings
from pipelines.sync.deletions.planning import plan_single_rows
from pipelines.sync.fanout import plan_unit
from pipelines.sync.fanout.known import Known
from pipelines.sync.fanout.probing import PROBED_PARENTS
from pipelines.sync.fanout.reasons import Tonight, sql_instant
from pipelines.sync.fanout.unit import UNSERVED
from pipelines.sync.forecast import (
    WALKS,
    Forecast,
    HeldList,
    ListPlan,
    NightForecast,
    most_first_asks,
    pages_of,
    plan_list,
)
from pipelines.sync.run import Order, ask_clock, not_known_before, until_of
from pipelines.sync.setting_aside import PENDING
from pipelines.sync.windows import Window

NEVER_LISTED = "never listed: how many rows there are is not known"


def dry_run(order: Order, *, api: Callable[[], ApiSettings], sync: SyncSettings, lake: LakeSettings) -> NightForecast:
    """What `run_sync` would do with this order now.

    api: loads the settings, called only where the API's clock has to be asked. Raises ApiError, ConfigurationError.
    """
    until = order.until or until_of(ask_clock(api(), sync), sync)
    tonight, store = Tonight(until, until, order.deep, sync), Lake(lake.lake_root)
    with Known(store) as known:
        units = [_list(known, store, resource, tonight) for resource in order.lists]
        units += [_fan_out(known, store, fan_out, tonight) for fan_out in order.fan_outs]
    return NightForecast(until, order.deep, units, sync.max_requests_per_second)


def _list(known: Known, lake: Lake, resource: Resource, tonight: Tonight) -> Forecast:
    if resource.answer is Answer.ARRAY:
        return Forecast(resource.name, (resource.name,), 1, notes=("the whole list",))
    listing = resource.listed_by
    assert listing is not None
    held = _held(known, lake, resource, listing)
    if held is None:
        # the whole of it and what is dated after `until`
        return Forecast(resource.name, (resource.name,), 2, notes=(NEVER_LISTED,))
    plan = plan_list(resource, listing, held, tonight.until, tonight.settings, deep=tonight.deep)
    requests = plan.counts
    for question, window in plan.windows:
        column = "begun" if question is listing else "ended"
        requests += pages_of(_rows(known, resource.name, column, window))
    asked, waiting = plan_single_rows(known, lake, resource, plan.windows, tonight.until, tonight.settings)
    return Forecast(
        resource.name,
        (resource.name,),
        requests + asked.total(),
        asked=asked,
        skipped=waiting,
        notes=tuple(_notes(plan, held, resource)),
    )


def _held(known: Known, lake: Lake, resource: Resource, listing: Question) -> HeldList | None:
    """None where the list was never read to its end."""
    if not lake.holds(resource.name):
        return None
    table = lake.table(resource)
    app_ids = [*map(resource.app_id, resource.all_questions), f"{resource.name}/rotation"]
    watermarks = {app_id: table.watermark(app_id) for app_id in app_ids}
    table.close()
    if watermarks[resource.app_id(listing)] is None:
        return None
    known.load(resource.name)
    row = known.sql.execute(f"select count(*), min(begun) from known_{resource.name} where not gone").fetchone()  # noqa: S608 - a name of the contract
    rows, oldest = row or (0, None)
    return HeldList(
        rows, None if oldest is None else oldest.astimezone(timezone.utc), watermarks, _again(lake, resource)
    )


def _again(lake: Lake, resource: Resource) -> list[tuple[Question, Window]]:
    """Where a row could not be read by an earlier run."""
    if not lake.holds("_quarantine"):
        return []
    questions = {question.name: question for question in resource.all_questions}
    found = {
        (record["question"], Window(record["asked_from"], record["asked_until"]))
        for record in lake.quarantine().current().values()
        if record["collection"] == resource.name and record["status"] == PENDING and record["question"] in questions
    }
    return [(questions[name], window) for name, window in found]


def _rows(known: Known, table: str, column: str, window: Window) -> int:
    """Rows of a table, which must be loaded, within a window."""
    parts = ["not gone"]
    parts += [f"{column} >= {sql_instant(window.lower)}"] if window.lower is not None else []
    parts += [f"{column} < {sql_instant(window.upper)}"] if window.upper is not None else []
    row = known.sql.execute(f"select count(*) from known_{table} where {' and '.join(parts)}").fetchone()  # noqa: S608 - names of ours and instants
    return int(row[0]) if row else 0


def _notes(plan: ListPlan, held: HeldList, resource: Resource) -> list[str]:
    if plan.is_whole:
        return [f"the whole list, {held.rows:,} rows are held"]
    notes = [
        f"{question.name} from {_moment(window.lower)}"
        for question, window in plan.windows[: len(resource.all_questions)]
    ]
    older = len(plan.windows) - len(resource.all_questions) - 1 - len(held.again)
    notes += [f"{older} stretches of older history in their turn"] if older else []
    notes += [f"{len(held.again)} windows in which a row could not be read"] if held.again else []
    return notes + ([f"{plan.counts - 1} closed months and all before them are counted"] if plan.counts else [])


def _moment(instant: datetime | None) -> str:
    return "the beginning" if instant is None else f"{instant:%Y-%m-%d %H:%M}"


def _fan_out(known: Known, lake: Lake, fan_out: FanOut, tonight: Tonight) -> Forecast:
    """Where the tenant has a list of its own that brings the same rows, that list."""
    if fan_out.unless is None:
        return _parents(known, lake, fan_out, tonight)
    has_list = _is_served(lake, fan_out, f"{fan_out.unless.table}/list")
    if has_list:
        return _unfiltered(known, fan_out, tonight)
    parents = _parents(known, lake, fan_out, tonight)
    if has_list is None:
        return replace(parents, requests=WALKS, notes=(*parents.notes, "if the tenant has no list of its own"))
    return replace(parents, requests=WALKS + parents.requests) if tonight.deep else parents


def _parents(known: Known, lake: Lake, fan_out: FanOut, tonight: Tonight) -> Forecast:
    """Those who are asked, where what tells of them was ever read."""
    if unread := [name for name in fan_out.told_by if not lake.holds(name)]:
        why = not_known_before(unread)
        return Forecast(fan_out.name, fan_out.tables, 0, notes=(why,), is_known=False)
    found = plan_unit(known, lake, fan_out, tonight)
    if found is None:
        known.load(fan_out.parent)
        parents = _rows(known, fan_out.parent, "begun", Window(None, None))
        return Forecast(fan_out.name, fan_out.tables, 0, parents, skipped=Counter({UNSERVED: parents}))
    plan, requests = found
    notes: tuple[str, ...] = ()
    if fan_out.form is Form.WINDOWS:
        requests = min(requests, tonight.settings.backfill_requests)
    if plan.untouched:
        requests = min(requests, most_first_asks(tonight.settings))
    if fan_out.endpoint.is_inferred and not _is_served(lake, fan_out, fan_out.endpoint.table):
        requests = min(requests, PROBED_PARENTS)
        notes = (f"no more than {PROBED_PARENTS} where all answer 404",)
    asked = Counter({reason.value: number for reason, number in plan.asked.items()})
    return Forecast(fan_out.name, fan_out.tables, requests, plan.parents, asked, plan.skipped, notes)


def _unfiltered(known: Known, fan_out: FanOut, tonight: Tonight) -> Forecast:
    """All of it in a deep run, else the newest page."""
    table = fan_out.tables[0]
    known.load(table)
    rows = _rows(known, table, "begun", Window(None, None)) if tonight.deep else 0
    notes = (f"the tenant's own list, {'the whole of it' if tonight.deep else 'from the newest on'}",)
    return Forecast(fan_out.name, fan_out.tables, WALKS * pages_of(rows), notes=notes)


def _is_served(lake: Lake, fan_out: FanOut, path: str) -> bool | None:
    """What earlier runs found out of a path that is a guess; None: nothing yet. path: as its marks name it."""
    table = fan_out.endpoint.table
    if not lake.holds(table):
        return None
    children = lake.children(RESOURCES[table], fan_out.parent_id)
    served, unserved = (children.mark(f"{path}/{word}") for word in ("served", "unserved"))
    children.close()
    return None if served is None and unserved is None else (served or 0) >= (unserved or 0)
