"""What a request brings back: the client's face to the sync.

Does not belong here: how it was fetched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Answer:
    """One successful exchange (200, or 404 where the caller said that "none" is an answer).

    status: the HTTP status.
    body: the exact bytes, kept so that a row can be set aside as it came.
    data: the decoded JSON; None when the body is empty, or not JSON where the status is not 200.
    asked_at, received_at: UTC, local clock, around the exchange that succeeded.
    api_date: the answer's `Date` header, None where there is none.
    """

    status: int
    body: bytes = field(repr=False)
    data: Any = field(repr=False)
    asked_at: datetime
    received_at: datetime
    api_date: datetime | None


@dataclass(slots=True)
class Counters:
    """What talking to the API has cost so far, tokens included.

    throttles: times that the API or the network asked us to slow down (429, 504, time-outs).
    bytes_received: bodies as they came over the wire.
    """

    requests: int = 0
    retries: int = 0
    throttles: int = 0
    bytes_received: int = 0


class Api(Protocol):
    """What the sync needs of a client, so that a simulation can stand in for the network."""

    counters: Counters

    async def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        none_statuses: frozenset[int] = frozenset(),
    ) -> Answer:
        """GET `path` (from the base URL, starting with `/`) and decode its JSON.

        none_statuses: error statuses that the caller takes as an answer (for example 404); 401, 429 and
        5xx never are.
        Raises CredentialsRefused, ApiUnavailable or UnexpectedAnswer.
        """
        ...
