"""What no real tenant has, under /_demo: moving the clock, changing rows, the tenant's truth, what it was asked.

Without token, because the server listens on this machine only.
Does not belong here: anything of the API.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from demo.answers import ProblemError
from demo.api.openapi import openapi_document
from demo.change.order import read_order
from demo.clock import Clock
from demo.editing import read_edit
from demo.estate import Estate
from demo.faults.injector import Faults
from demo.faults.malformed import Malformed, mend
from demo.faults.malformed_plan import read_malformed_plan
from demo.faults.plan import read_plan
from demo.parameters import read_instant
from demo.reads import HANDLERS
from demo.reads.call import array_of
from demo.tables import TABLES
from demo.truth import TRUE_TABLES
from demo.world.times import DAY_MS, HOUR_MS, iso

FARTHEST_DAYS = 3660
"""A clock moved further by one call is taken for a mistake."""


@dataclass(frozen=True, slots=True)
class Backstage:
    """What the controls may see of the tenant. requests: counts by method and path template."""

    estate: Estate
    clock: Clock
    requests: Mapping[str, int]
    faults: Faults
    malformed: Malformed


@dataclass(frozen=True, slots=True)
class Control:
    """One control. answer: from backstage and the request's body to the JSON body."""

    method: str
    path: str
    answer: Callable[[Backstage, bytes], bytes]


def _advance(stage: Backstage, body: bytes) -> bytes:
    now_ms = stage.clock.now_ms()
    try:
        order = msgspec.json.decode(body)
    except msgspec.DecodeError:
        order = None
    target_ms = _target_ms(order, now_ms) if isinstance(order, dict) and len(order) == 1 else None
    if target_ms is None:
        raise ProblemError(400, 'Expected one of {"hours": n}, {"days": n} and {"to": "2024-03-01T00:00:00Z"}.')
    if not now_ms <= target_ms <= now_ms + FARTHEST_DAYS * DAY_MS:
        raise ProblemError(
            400, f"Expected a moment from now ({iso(now_ms)}) to {FARTHEST_DAYS} days on; a clock never goes back."
        )
    stage.clock.advance_to(target_ms)
    return _health(stage, b"")


def _target_ms(order: dict[str, Any], now_ms: int) -> int | None:
    name, value = next(iter(order.items()))
    if name == "to" and isinstance(value, str):
        return read_instant({"to": value}, "to")[0]
    lengths_ms = {"hours": HOUR_MS, "days": DAY_MS}
    if name in lengths_ms and isinstance(value, int | float) and not isinstance(value, bool):
        return now_ms + round(min(max(value, -1), 24 * FARTHEST_DAYS + 1) * lengths_ms[name])
    return None


def _health(stage: Backstage, _body: bytes) -> bytes:
    now_ms = stage.clock.now_ms()
    stage.estate.catch_up(now_ms)
    rows = {name: stage.estate.count(name) for name in TABLES}
    return msgspec.json.encode({"status": "ok", "now": iso(now_ms), "rows": rows})


def _edit(stage: Backstage, body: bytes) -> bytes:
    now_ms = stage.clock.now_ms()
    stage.estate.catch_up(now_ms)
    return stage.estate.edit(read_edit(body), now_ms)


def _evolve(stage: Backstage, body: bytes) -> bytes:
    order = read_order(body)
    now_ms = stage.clock.now_ms()
    stage.estate.catch_up(now_ms)
    changes = stage.estate.evolve(order, now_ms)
    told = [{"kind": change.kind, "table": table, "id": id_} for change in changes for table, id_ in change.places]
    return msgspec.json.encode({"now": iso(now_ms), "changes": told})


def _changes(stage: Backstage, _body: bytes) -> bytes:
    stage.estate.catch_up(stage.clock.now_ms())
    return msgspec.json.encode(
        [
            {"at": iso(at_ms), "kind": change.kind, "table": table, "id": id_}
            for at_ms, change in stage.estate.happened
            for table, id_ in change.places
        ]
    )


def _stats(stage: Backstage, _body: bytes) -> bytes:
    counts = {"requests": stage.requests, "faults": stage.faults.injected}
    return msgspec.json.encode({name: dict(sorted(found.items())) for name, found in counts.items()})


def _faults(stage: Backstage, body: bytes) -> bytes:
    plan = read_plan(body)
    stage.faults.follow(plan)
    return msgspec.json.encode({"kinds": [] if plan is None else [kind.name for kind in plan.kinds]})


def _malformed(stage: Backstage, body: bytes) -> bytes:
    plan = read_malformed_plan(body)
    stage.malformed.follow(plan)
    return msgspec.json.encode({"kinds": [] if plan is None else [form.name for form in plan.forms]})


def _malformed_rows(stage: Backstage, _body: bytes) -> bytes:
    return msgspec.json.encode(stage.malformed.listed())


def _mend(stage: Backstage, body: bytes) -> bytes:
    return msgspec.json.encode({"mended": mend(stage.malformed, body)})


def _openapi(_stage: Backstage, _body: bytes) -> bytes:
    return msgspec.json.encode(openapi_document(HANDLERS))


def _truth(table: str) -> Control:
    def answer(stage: Backstage, _body: bytes) -> bytes:
        now_ms = stage.clock.now_ms()
        stage.estate.catch_up(now_ms)
        return array_of(stage.malformed.told(table, row) for row in stage.estate.truth(table, now_ms))

    return Control("GET", f"/_demo/truth/{table}", answer)


CONTROLS = (
    Control("POST", "/_demo/advance", _advance),
    Control("POST", "/_demo/edit", _edit),
    Control("POST", "/_demo/evolve", _evolve),
    Control("GET", "/_demo/changes", _changes),
    Control("POST", "/_demo/faults", _faults),
    Control("POST", "/_demo/malformed", _malformed),
    Control("GET", "/_demo/malformed", _malformed_rows),
    Control("POST", "/_demo/mend", _mend),
    Control("GET", "/_demo/health", _health),
    Control("GET", "/_demo/stats", _stats),
    Control("GET", "/_demo/openapi.json", _openapi),
    *map(_truth, TRUE_TABLES),
)


def controls_by_path() -> dict[str, dict[str, Control]]:
    """What can be asked at each path, by method."""
    found: dict[str, dict[str, Control]] = {}
    for control in CONTROLS:
        found.setdefault(control.path, {})[control.method] = control
    return found
