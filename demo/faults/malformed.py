"""Rows that the tenant has but serves in another form: some always, until they are mended, some now and then.

Who has been served what is kept, because only that tells which rows a reader may lack.
Does not belong here: the forms (spoiling.py), which rows an answer holds (rows.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from demo.answers import ProblemError, Reply
from demo.api.model import Operation
from demo.faults.forms import Form, Meaning, Spoiled
from demo.faults.malformed_plan import MalformedPlan
from demo.faults.rows import ROWS_OF_TABLE, Item, TableRows, key_of, path_ids, raw_items, rows_of, with_items
from demo.world.draw import Draw
from demo.world.times import iso

Key = tuple[str, ...]
RowId = tuple[str, Key]


@dataclass(slots=True)
class Met:
    """A row that was served in another form. is_over: whether it was served well since."""

    form: Form
    is_permanent: bool
    last_ms: int
    times: int = 0
    in_a_row: int = 0
    is_over: bool = False


@dataclass(slots=True)
class Malformed:
    """The malformed rows of one tenant. plan: None where there are none."""

    plan: MalformedPlan | None = None
    _met: dict[RowId, Met] = field(default_factory=dict)
    _mended: set[RowId] = field(default_factory=set)
    _number: int = 0

    def follow(self, plan: MalformedPlan | None) -> None:
        """Hold to this plan from now on. None: every row is served well; what was met is still known."""
        self.plan = plan
        self._mended = set()

    def serve(self, operation: Operation, ids: Sequence[str], reply: Reply, now_ms: int) -> Reply:
        """An answer with some of its rows in another form."""
        rows = rows_of(operation)
        if self.plan is None or rows.table not in self.plan.tables:
            return reply
        self._number += 1
        path, items = path_ids(operation, ids), raw_items(operation, reply)
        served = [self._row(rows, path, raw, now_ms) for raw in items]
        return reply if served == items else with_items(operation, reply, served)

    def _row(self, rows: TableRows, path: Item, raw: msgspec.Raw, now_ms: int) -> msgspec.Raw:
        assert self.plan is not None, "without a plan nothing is broken"
        item: Item = msgspec.json.decode(raw)
        row_id = (rows.table, key_of(rows, path | item))
        found, is_permanent = self._permanent(self.plan, rows, row_id, item), True
        met = self._met.get(row_id)
        if found is None:
            found, is_permanent = self._transient(self.plan, rows, row_id, item, met), False
        if found is None:
            if met is not None:
                met.is_over, met.in_a_row = True, 0
            return raw
        form, spoiled = found
        met = self._met.setdefault(row_id, Met(form, is_permanent, now_ms))
        met.form, met.is_permanent, met.last_ms, met.is_over = form, is_permanent, now_ms, False
        met.times += 1
        met.in_a_row += 1
        return msgspec.Raw(spoiled.body)

    def _permanent(
        self, plan: MalformedPlan, rows: TableRows, row_id: RowId, item: Item
    ) -> tuple[Form, Spoiled] | None:
        draw = Draw(plan.seed).apart("permanent", rows.table, *row_id[1])
        if row_id in self._mended or not draw.chance(plan.permanent, "is broken"):
            return None
        return _spoil(rows, item, draw, [form for form in plan.forms if _can_last(form, rows)])

    def _transient(
        self, plan: MalformedPlan, rows: TableRows, row_id: RowId, item: Item, met: Met | None
    ) -> tuple[Form, Spoiled] | None:
        draw = Draw(plan.seed).apart("transient", self._number, rows.table, *row_id[1])
        if met is not None and met.in_a_row >= plan.most_in_a_row:
            return None
        return _spoil(rows, item, draw, plan.forms) if draw.chance(plan.rate, "is broken") else None

    def told(self, table: str, body: bytes) -> bytes:
        """A true row as a correct reader ends with it: with what its permanent form says besides or otherwise."""
        if self.plan is None or table not in self.plan.tables:
            return body
        rows, item = ROWS_OF_TABLE[table], msgspec.json.decode(body)
        found = self._permanent(self.plan, rows, (table, key_of(rows, item)), item)
        return body if found is None else msgspec.json.encode(found[1].told)

    def mend(self, table: str | None = None, key: Key | None = None) -> list[RowId]:
        """Serve rows well from now on that were met in a permanent form: one, those of a table, or all."""
        mended = [
            (name, of_row)
            for (name, of_row), met in self._met.items()
            if met.is_permanent and (name, of_row) not in self._mended
            if table in {None, name} and key in {None, of_row}
        ]
        self._mended.update(mended)
        return mended

    def listed(self) -> list[dict[str, Any]]:
        """Every row that was served in another form, and what a reader may have of it."""
        return [
            {
                **_named(table, key),
                "kind": met.form.name,
                "meaning": met.form.meaning.value,
                "permanent": met.is_permanent and (table, key) not in self._mended,
                "times": met.times,
                "last": iso(met.last_ms),
                "served_well_since": met.is_over,
            }
            for (table, key), met in self._met.items()
        ]


def _named(table: str, key: Key) -> dict[str, Any]:
    return {"table": table, "key": dict(zip(ROWS_OF_TABLE[table].key, key, strict=True))}


def _can_last(form: Form, rows: TableRows) -> bool:
    """What other rows hold as a part is told well there, so for good it cannot say anything else by itself."""
    if form.name == "not_an_object":
        return False
    return not rows.is_part or form.meaning in {Meaning.SAME, Meaning.UNREADABLE}


def _spoil(rows: TableRows, item: Item, draw: Draw, forms: Sequence[Form]) -> tuple[Form, Spoiled] | None:
    """The first form, in an order of chance, in which the row can be served."""
    for form in sorted(forms, key=lambda form: draw.fraction("form", form.name)):
        spoiled = form.make(rows, item, draw.apart(form.name))
        if spoiled is not None:
            return form, spoiled
    return None


class _Mend(msgspec.Struct, forbid_unknown_fields=True):
    table: str | None = None
    key: dict[str, str] | None = None


def mend(malformed: Malformed, body: bytes) -> list[dict[str, Any]]:
    """What was mended. Raises ProblemError 400 for anything that names no rows."""
    try:
        order = msgspec.json.decode(body, type=_Mend)
    except msgspec.DecodeError as error:
        raise ProblemError(
            400, f'Expected {{}}, {{"table": "sessions"}} or {{"table": "sessions", "key": {{"id": "..."}}}}: {error}.'
        ) from None
    if order.table is not None and order.table not in ROWS_OF_TABLE:
        raise ProblemError(400, f"table: Expected one of {', '.join(ROWS_OF_TABLE)}.")
    key = None
    if order.key is not None:
        names = ROWS_OF_TABLE[order.table].key if order.table is not None else ()
        if set(order.key) != set(names):
            raise ProblemError(400, f"key: Expected {', '.join(names) or 'a table beside it'}.")
        key = tuple(order.key[name] for name in names)
    return [_named(*row_id) for row_id in malformed.mend(order.table, key)]
