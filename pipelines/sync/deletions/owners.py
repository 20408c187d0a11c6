"""What the user of a missing row says: whether the user is there, and whether the user's own list still shows the row.

Those lists do not hang on the path of a single row, so a gateway that forgets that path is told by them.
Does not belong here: the row's own path (proving.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pipelines.client.answer import Answer
from pipelines.contract import ENDPOINTS, MAX_PAGE_SIZE, Endpoint, Resource
from pipelines.contract.fan_outs import ALIVE, PARENT_IDS
from pipelines.contract.formats import format_instant
from pipelines.normalise.identifiers import canonical_uuid
from pipelines.sync.deletions.absence import Row
from pipelines.sync.deletions.listed import second_of
from pipelines.sync.fanout.asking import NONE

USERS = "users"
LISTS = {
    "vehicles": ENDPOINTS["vehicles_of_user"],
    "charging_locations": ENDPOINTS["locations_of_user"],
    "sessions": ENDPOINTS["sessions_of_user"],
}

SILENT = "its user does not answer either, and is not proved gone"
STILL_SHOWN = "its user's own list still shows it"
UNREADABLE = "its user's own list cannot be read"

Get = Callable[[Endpoint, Mapping[str, str], Mapping[str, str] | None], Awaitable[Answer | str]]
"""Asks for something: the answer, 200 or 404, or why there is none."""


class Owners:
    """Asks the users of some rows of one list. For one batch: what a user says is asked for once."""

    def __init__(self, get: Get, resource: Resource, users_gone: Callable[[], frozenset[str]]) -> None:
        self._get = get
        self._resource = resource
        self._users_gone = users_gone
        self._shown: dict[tuple[str, str], frozenset[str] | str | None] = {}
        self._answer: dict[str, bool] = {}

    async def objection(self, row: Row) -> str | None:
        """Why a row whose own path says 404 is not proved gone; None: nothing speaks against it."""
        assert row.user_id is not None, "who has no user is not asked"
        if row.user_id in self._users_gone():
            return None
        shown = await self._list_of(row)
        if isinstance(shown, str):
            return shown
        if shown is not None:
            return STILL_SHOWN if row.id in shown else None
        answers = await self._answers(row.user_id)
        return answers if isinstance(answers, str) else None if answers else SILENT

    async def _list_of(self, row: Row) -> frozenset[str] | str | None:
        """Ids on the user's own list; why they cannot be told; None where the user has no such list."""
        params = self._params(row)
        if (endpoint := LISTS.get(self._resource.name)) is None or params is None:
            return None
        about = (str(row.user_id), "/".join(params.values()))
        if about not in self._shown:
            answer = await self._get(endpoint, {PARENT_IDS[USERS]: str(row.user_id)}, params or None)
            self._shown[about] = answer if isinstance(answer, str) else _ids_of(answer)
        return self._shown[about]

    def _params(self, row: Row) -> Mapping[str, str] | None:
        """A user's sessions are asked for the second in which the row began; None where that is not known."""
        if self._resource.name != "sessions":
            return {}
        window, question = second_of(row), self._resource.listed_by
        if question is None or window is None or window.lower is None or window.upper is None:
            return None
        bounds = {question.lower: format_instant(window.lower), question.upper: format_instant(window.upper)}
        return {"pageSize": str(MAX_PAGE_SIZE), "pageIndex": "1"} | bounds

    async def _answers(self, user_id: str) -> bool | str:
        """Whether the API knows a user; why that cannot be told."""
        if user_id not in self._answer:
            for endpoint in ALIVE[USERS]:
                answer = await self._get(endpoint, {PARENT_IDS[USERS]: user_id}, None)
                if isinstance(answer, str):
                    return answer
                self._answer[user_id] = answer.status not in NONE
                if self._answer[user_id]:
                    break
        return self._answer[user_id]


def _ids_of(answer: Answer) -> frozenset[str] | str | None:
    """The ids of a list, in an envelope or bare; one object counts as a list of one."""
    if answer.status in NONE:
        return None
    data: Any = answer.data
    if isinstance(data, Mapping):
        items = data.get("items", [data])
        total = data.get("totalCount")
        if isinstance(total, int) and isinstance(items, list) and total > len(items):
            return UNREADABLE
    else:
        items = data
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        return UNREADABLE
    ids = [canonical_uuid(id_) if isinstance(id_ := item.get("id"), str) else None for item in items]
    return UNREADABLE if None in ids else frozenset(id_ for id_ in ids if id_ is not None)
