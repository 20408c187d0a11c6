"""What all parents of a fan-out are asked with: client, clock, budget, and what was learnt about the tenant.

Does not belong here: the forms of asking (forms.py, paged.py, rich.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from pipelines.client.answer import Answer, Api
from pipelines.contract import RESOURCES, Endpoint, FanOut
from pipelines.contract.fan_outs import ALIVE
from pipelines.errors import ApiError, UnexpectedAnswer
from pipelines.normalise import RawPage
from pipelines.sync.clock import ReadClock
from pipelines.sync.fanout.ask import Ask, Piece
from pipelines.sync.fanout.probing import Probe
from pipelines.sync.pages import describe
from pipelines.sync.windows import Window

NONE = frozenset({404})
LONG_AGO = datetime.min.replace(tzinfo=timezone.utc)


class Interrupted(Exception):
    """A parent could not be read to its end. left: what is missing; error: why, None where the budget is spent."""

    def __init__(self, left: Window, error: ApiError | None) -> None:
        super().__init__("the night's budget for history is spent" if error is None else str(error))
        self.left = left
        self.error = error


@contextmanager
def leaving(left: Window) -> Iterator[None]:
    """A fault of the API within leaves this to be asked again."""
    try:
        yield
    except ApiError as error:
        raise Interrupted(left, error) from error


@dataclass(slots=True)
class Asking:
    """until: the end of the run's windows. now: the API's clock when the run began.

    budget: requests that may still be spent on history. probes: by path, of paths that are only guessed.
    longest: of a window that the tenant turned out to answer, where it refuses longer ones.
    """

    api: Api
    fan_out: FanOut
    clock: ReadClock
    until: datetime
    now: datetime
    budget: int
    probes: Mapping[str, Probe] = field(default_factory=dict)
    longest: timedelta | None = None

    async def get(
        self,
        endpoint: Endpoint,
        ids: Mapping[str, str],
        params: Mapping[str, str] | None = None,
        none: frozenset[int] = NONE,
    ) -> Answer:
        """Ask for one thing. A status in `none` comes back as an answer."""
        answer = await self.api.get(endpoint.path.format_map(ids), params, none_statuses=none)
        is_none = answer.status in none
        if (probe := self.probes.get(endpoint.path)) is not None:
            probe.answered(is_none=is_none)
        return answer

    def nothing(self, piece: Piece) -> None:
        """A good answer without a body says nothing: neither rows nor that there are none."""
        piece.judges = frozenset()
        piece.problem = "expected JSON, got an empty answer"

    def is_served(self, endpoint: Endpoint) -> bool:
        """False for a guessed path that the tenant turned out not to have."""
        probe = self.probes.get(endpoint.path)
        return probe is None or probe.is_served is not False

    def surely_serves(self, endpoint: Endpoint) -> bool:
        """True for a path that is documented, or that the tenant turned out to have."""
        probe = self.probes.get(endpoint.path)
        return probe is None or probe.is_served is True

    async def is_alive(self, ask: Ask) -> bool:
        """Whether the API still knows the parent, by what it says about the parent itself."""
        for endpoint in ALIVE[self.fan_out.parent]:
            answer = await self.api.get(endpoint.path.format_map(ask.path_ids(self.fan_out)), none_statuses=NONE)
            if answer.status not in NONE:
                return True
        return False

    def piece(self, ask: Ask) -> Piece:
        """The beginning of an answer: to be made before the question, and told when it was asked (`Piece.asked`)."""
        return Piece(ask, self.clock.last or LONG_AGO, judges=frozenset(self.fan_out.tables))

    def page(self, answer: Answer, ids: Mapping[str, str], endpoint: Endpoint) -> RawPage:
        """The items of an answer that is an array, or one object. Raises UnexpectedAnswer if it is neither."""
        read_at = self.clock.stamp(answer.received_at)
        if isinstance(answer.data, list):
            return RawPage(answer.body, answer.data, read_at, ids)
        if isinstance(answer.data, Mapping) and self._is_known(answer.data, endpoint):
            return RawPage(answer.body, [answer.data], read_at, ids)
        raise UnexpectedAnswer(
            f"GET {endpoint.path}: expected {endpoint.table} as a JSON array or object, got {describe(answer.data)}."
        )

    def _is_known(self, item: Mapping[str, Any], endpoint: Endpoint) -> bool:
        """Whether an object has any field of its table: an envelope or an empty object is none of its rows."""
        resource = RESOURCES[endpoint.table]
        return not {f.path.split(".")[0] for f in resource.fields if f.path not in resource.under}.isdisjoint(item)
