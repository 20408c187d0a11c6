"""What the GET of a single row says, as a reading of the row its list shows.

Fields that this shape does not have keep their last value, and so do fields that nobody knows; a field of the shape
that is missing is null. Fields that only this shape has (a location's tariff and chargers) are no part of the row: the
next list would take them away again.
Does not belong here: asking (proving.py), reading values (pipelines/normalise).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from pipelines.client.answer import Answer
from pipelines.contract import FAN_OUTS, Resource, column_name
from pipelines.contract.formats import format_instant
from pipelines.errors import UnexpectedAnswer
from pipelines.normalise import Drift, RawPage
from pipelines.normalise.bodies import exact_body
from pipelines.normalise.drift import unknown_field
from pipelines.normalise.identifiers import canonical_uuid
from pipelines.sync.deletions.absence import Row
from pipelines.sync.fanout.rich import encoded
from pipelines.sync.pages import Page, describe

_STEP = re.compile(r"(?:[^.\\]|\\.)+", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)

ELSEWHERE = frozenset(name for fan_out in FAN_OUTS.values() for part in fan_out.parts for name in part.names)
"""Parts of rich answers that are rows of tables of their own."""


def item_of(resource: Resource, answer: Answer, row: Row) -> dict[str, Any]:
    """The row's item in an answer, which may leave out what the path said. Raises UnexpectedAnswer if it is not its."""
    item = exact_body(answer.body, answer.data)
    known = {f.path.split(".")[0] for f in resource.fields if f.path not in {"id", "userId"}}
    if not isinstance(item, Mapping) or known.isdisjoint(item):
        raise UnexpectedAnswer(
            f"GET of a single row of {resource.name}: expected an object with its fields, got {describe(answer.data)}."
        )
    said = item.get("id", row.id)
    if not isinstance(said, str) or canonical_uuid(said) != row.id:
        raise UnexpectedAnswer(f"GET of a single row of {resource.name}: expected that row, got another one.")
    whose = {"userId": row.user_id} if "userId" in resource.by_path and item.get("userId") is None else {}
    return {**item, "id": said, **whose}


def page_of(
    resource: Resource, item: Mapping[str, Any], held: Mapping[str, Any], read_at: datetime
) -> tuple[Page, Counter[Drift]]:
    """The reading as a page of the list with one item, and what nobody knows in it.

    held: the row's last version, by column.
    """
    known = {f.path.split(".")[0] for f in resource.fields}
    extra: dict[str, Any] = json.loads(held["_extra"], parse_float=Decimal) if held.get("_extra") else {}
    kept = {path: value for path, value in extra.items() if "[" not in path}
    names = known | {_steps(path)[0] for path in kept}
    read = {name: value for name, value in item.items() if name in names}
    for path, value in kept.items():
        _keep(read, _steps(path), value)
    for path in resource.not_in_detail:
        if read.get(path) is None and (value := held.get(column_name(path))) is not None:
            read[path] = _as_json(value)
    unknown = Counter(unknown_field(name) for name in item if name not in names and name not in ELSEWHERE)
    return Page(RawPage(encoded([read]), [read], read_at), 1), unknown


def _keep(item: dict[str, Any], steps: list[str], value: Any) -> None:
    """Give the item what it does not say itself."""
    for step in steps[:-1]:
        below = item.get(step)
        if below is not None and not isinstance(below, Mapping):
            return
        item[step] = dict(below or {})
        item = item[step]
    item.setdefault(steps[-1], value)


def _steps(path: str) -> list[str]:
    """The names that lead to a value: the way back from canonical.escape_name."""
    return [_ESCAPED.sub(r"\1", step) for step in _STEP.findall(path)]


def _as_json(value: Any) -> Any:
    """A stored value of a declared field as JSON has it."""
    if isinstance(value, datetime):
        return format_instant(value)
    return Decimal(repr(value)) if isinstance(value, float) else value
