"""Proof that rows are gone: what their own GET says, compared with what it says of rows that are there.

A row is gone when its own path answers 404 while the path speaks: before and after, a row that is there (a witness)
answers 200 on it. For what hangs under a user, that user's own list must lack it (where there is no such list, the user
must answer), or the user be proved gone. Any other answer proves nothing.
Does not belong here: who is asked (absence.py, unfinished.py), what follows (follow_up.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.client.answer import Answer, Api
from pipelines.contract import Endpoint, Resource
from pipelines.contract.fan_outs import ALIVE, PARENT_IDS
from pipelines.errors import ApiError, CredentialsRefused, NotPermitted
from pipelines.sync.at_once import each_at_once
from pipelines.sync.deletions.absence import Row
from pipelines.sync.deletions.details import item_of
from pipelines.sync.deletions.owners import USERS, Owners
from pipelines.sync.fanout.asking import NONE

OUTAGE = 25
"""Requests in a row that fail before the API counts as down, and the rest is left for another run."""
NO_WITNESS = "no other row answers that could show that its path speaks"
SILENT_PATH = "its path answers 404 to rows that are there"
NO_USER = "whose it is, is not known"
DOWN = f"not asked: {OUTAGE} requests in a row failed"


@dataclass(frozen=True, slots=True)
class Witnesses:
    """Rows that the lake holds and nobody misses. are_shown: whether a list has just shown them (some of them)."""

    rows: Sequence[Row] = ()
    are_shown: bool = False


@dataclass(slots=True)
class Verdicts:
    """What single rows said. alive: with their item. unproved: with the reason. attempted: those that were asked."""

    gone: list[Row] = field(default_factory=list)
    alive: list[tuple[Row, Answer, dict[str, Any]]] = field(default_factory=list)
    unproved: dict[Row, str] = field(default_factory=dict)
    attempted: set[str] = field(default_factory=set)

    def add(self, other: Verdicts) -> None:
        self.gone += other.gone
        self.alive += other.alive
        self.unproved |= other.unproved
        self.attempted |= other.attempted


class SingleRows:
    """Asks for rows of one list by their ids.

    users_gone: ids of users that the lake holds as deleted.
    """

    def __init__(
        self, api: Api, resource: Resource, users_gone: Callable[[], frozenset[str]], side_by_side: int
    ) -> None:
        self._api = api
        self._resource = resource
        self._users_gone = users_gone
        self._owners = Owners(self._get, resource, users_gone)
        self._side_by_side = side_by_side
        self._failed_in_a_row = 0

    @property
    def _own(self) -> Endpoint:
        return ALIVE[self._resource.name][0]

    async def ask(self, rows: Sequence[Row], said: Callable[[Row, Answer | str], None]) -> None:
        """Ask for each row; `said` gets the answer (200 or 404), or why there is none."""

        async def one(row: Row) -> None:
            said(row, await self._answer(row))

        await each_at_once(rows, one, self._side_by_side)

    async def prove(self, rows: Sequence[Row], witnesses: Witnesses, *, needs_witness: bool) -> Verdicts:
        """Find out which rows are gone. needs_witness: whether nothing is believed without a witness that answers."""
        found = Verdicts()
        if not rows:
            return found
        self._owners = Owners(self._get, self._resource, self._users_gone)
        endpoints = ALIVE[self._resource.name]
        speaks = await self._speaks(witnesses.rows)
        missed: list[Row] = []

        def said(row: Row, answer: Answer | str) -> None:
            found.attempted.add(row.id)
            if isinstance(answer, str):
                found.unproved[row] = answer
            elif answer.status in NONE:
                missed.append(row)
            else:
                self._take(found, row, answer)

        await self.ask(rows, said)
        if doubt := self._doubt(speaks, witnesses, needs_witness=needs_witness):
            found.unproved |= dict.fromkeys(missed, doubt)
            return found
        gone: list[Row] = []

        async def confirm(row: Row) -> None:
            why = await self._why_not_gone(row, endpoints[1:] if speaks is not self._own else ())
            if why is None:
                gone.append(row)
            else:
                found.unproved[row] = why

        await each_at_once(missed, confirm, self._side_by_side)
        if gone and speaks is not None and await self._speaks(witnesses.rows) is None:
            found.unproved |= dict.fromkeys(gone, SILENT_PATH)
            return found
        found.gone = sorted(gone, key=lambda row: row.id)
        return found

    def _take(self, found: Verdicts, row: Row, answer: Answer) -> None:
        try:
            found.alive.append((row, answer, item_of(self._resource, answer, row)))
        except ApiError as error:
            found.unproved[row] = str(error)

    def _doubt(self, speaks: Endpoint | None, witnesses: Witnesses, *, needs_witness: bool) -> str | None:
        """Why a 404 means nothing at all; None where it may mean something."""
        if speaks is not None:
            return None
        if witnesses.are_shown:
            return SILENT_PATH
        return NO_WITNESS if needs_witness or self._resource.name == USERS else None

    async def _speaks(self, witnesses: Sequence[Row]) -> Endpoint | None:
        """The first path on which a witness answers; a user's own path is a guess, so others follow it."""
        for endpoint in ALIVE[self._resource.name]:
            for witness in witnesses:
                answer = await self._get(endpoint, self._ids(witness))
                if isinstance(answer, Answer) and answer.status not in NONE:
                    return endpoint
        return None

    async def _why_not_gone(self, row: Row, others: Sequence[Endpoint]) -> str | None:
        """Of a row whose own path says 404: why that is no proof; None where it is one."""
        if self._resource.name == USERS:
            for endpoint in others:
                answer = await self._get(endpoint, self._ids(row))
                if not isinstance(answer, Answer):
                    return answer
                if answer.status not in NONE:
                    return f"{endpoint.path} still answers"
            return None
        return await self._owners.objection(row)

    async def _answer(self, row: Row) -> Answer | str:
        if self._resource.name != USERS and row.user_id is None:
            return NO_USER
        return await self._get(self._own, self._ids(row))

    def _ids(self, row: Row) -> dict[str, str]:
        """The ids of the row's path."""
        whose = {} if row.user_id is None else {PARENT_IDS[USERS]: row.user_id}
        return whose | {PARENT_IDS[self._resource.name]: row.id}

    async def _get(
        self, endpoint: Endpoint, ids: Mapping[str, str], params: Mapping[str, str] | None = None
    ) -> Answer | str:
        """The answer, 200 or 404; or why there is none. Raises CredentialsRefused."""
        if self._failed_in_a_row >= OUTAGE:
            return DOWN
        try:
            answer = await self._api.get(endpoint.path.format_map(ids), params, none_statuses=NONE)
        except ApiError as error:
            if isinstance(error, CredentialsRefused) and not isinstance(error, NotPermitted):
                raise
            self._failed_in_a_row += 1
            return str(error)
        self._failed_in_a_row = 0
        return answer
