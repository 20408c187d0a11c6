"""How one user is asked whose list shows in one call what would take several: a location with its tariff, contract and
chargers, a car with its state.

Which parts the list shows differs between tenants and versions. What an item leaves out is asked for by its own path;
null says that there is none.
Does not belong here: which parts there are (pipelines/contract/fan_outs.py).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec

from pipelines.client.answer import Answer
from pipelines.contract.fan_outs import Part
from pipelines.normalise import RawPage
from pipelines.normalise.bodies import exact_body
from pipelines.normalise.identifiers import canonical_uuid
from pipelines.sync.fanout.ask import Ask, Piece
from pipelines.sync.fanout.asking import NONE, Asking, leaving
from pipelines.sync.windows import Window

_ENCODER = msgspec.json.Encoder(decimal_format="number")


async def ask_rich(asking: Asking, ask: Ask) -> AsyncIterator[Piece]:
    """RICH: the list, then whatever its items leave out."""
    piece, ids = asking.piece(ask), ask.path_ids(asking.fan_out)
    with leaving(Window(None, None)):
        answer = await asking.get(asking.fan_out.endpoint, ids)
        piece.asked(answer.asked_at)
        await _Reader(asking, piece).read(answer, ids)
    yield piece


class _Reader:
    """Takes one answer apart into the piece's pages."""

    def __init__(self, asking: Asking, piece: Piece) -> None:
        self._asking = asking
        self._piece = piece
        self._found_any = False

    async def read(self, answer: Answer, ids: Mapping[str, str]) -> None:
        parts = self._asking.fan_out.parts
        if answer.status in NONE:
            # no such list: what the lake knows stands in for its items
            items: list[Any] = [{"id": child} for child in self._piece.ask.children]
        else:
            self._found_any = True
            items = self._items(answer)
        for item in items:
            await self._take_item(item, parts, ids, answer)
        self._piece.is_none = not self._found_any

    def _items(self, answer: Answer) -> list[Any]:
        exact = exact_body(answer.body, answer.data)
        return exact if isinstance(exact, list) else [exact]

    async def _take_item(self, item: Any, parts: Sequence[Part], ids: Mapping[str, str], answer: Answer) -> None:
        id_ = canonical_uuid(item["id"]) if isinstance(item, Mapping) and isinstance(item.get("id"), str) else None
        if id_ is None:
            self._doubt(parts, "an item without a readable id")
            return
        for part in parts:
            await self._take_part(part, item, {**ids, part.id: id_}, answer)

    async def _take_part(self, part: Part, item: Mapping[str, Any], ids: Mapping[str, str], answer: Answer) -> None:
        name = next((name for name in part.names if name in item), None)
        if name is not None:
            value = item[name]
            rows = [] if value is None else value if isinstance(value, list) else [value]
        else:
            answer, rows = await self._instead(part, ids, answer)
        if rows:
            read_at = self._asking.clock.stamp(answer.received_at)
            page = RawPage(encoded(rows), list(rows), read_at, ids)
            self._piece.pages.setdefault(part.table, []).append(page)
        if part.parts:
            for row in rows:
                await self._take_item(row, part.parts, ids, answer)

    async def _instead(self, part: Part, ids: Mapping[str, str], answer: Answer) -> tuple[Answer, list[Any]]:
        """The part by its own path, where the tenant has that; the answer that was asked last."""
        if not self._asking.is_served(part.instead):
            self._piece.judges -= {part.table}
            return answer, []
        answer = await self._asking.get(part.instead, ids)
        if answer.status in NONE:
            return answer, []
        if answer.data is None:
            self._doubt([part], "expected JSON, got an empty answer")
            return answer, []
        self._found_any = True
        return answer, self._items(answer)

    def _doubt(self, parts: Sequence[Part], problem: str) -> None:
        """Something could not be read: what its parts hold is not known, and the user is asked again."""
        tables = {part.table for part in parts} | {below.table for part in parts for below in part.parts}
        self._piece.judges -= tables
        self._piece.problem = problem


def encoded(rows: Sequence[Any]) -> bytes:
    """Rows as JSON again; what no strict writer takes (a lone surrogate) is escaped, so that normalising sees it."""
    try:
        return _ENCODER.encode(rows)
    except UnicodeEncodeError:
        return json.dumps(rows, default=float).encode()
