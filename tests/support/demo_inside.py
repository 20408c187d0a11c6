"""The demo tenant in this process, asked through its request handler: no sockets, a clock that stands still."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any
from urllib.parse import urlencode

import msgspec

from demo.answers import Reply
from demo.api.model import PREFIX, TOKEN_PATH
from demo.change.model import Change
from demo.change.order import DEFAULT_CHANGES, evolve_order
from demo.clock import StillClock
from demo.tenant import Tenant
from demo.tokens import Credentials
from demo.world.build import build_world
from demo.world.small import newest_of_each
from demo.world.source import read_sessions
from demo.world.times import Shift
from demo.world.world import World

FORM = {"content-type": "application/x-www-form-urlencoded"}
SHIFT = Shift(355)


@cache
def whole_world(shift: Shift = SHIFT) -> World:
    """The tenant's world in full."""
    return build_world(shift)


@cache
def small_world(sessions: int = 300) -> World:
    """The first so many sessions of it."""
    return build_world(SHIFT, sources=read_sessions()[:sessions])


@cache
def world_of(users: int, newest_sessions: int | None = None) -> World:
    """The world of so many users, who show every kind of thing."""
    return build_world(SHIFT, users=users, newest_sessions=newest_sessions)


@cache
def young_world_of(users: int, newest_sessions: int) -> World:
    """The same, as if so many sessions of each user were all there ever were: places and people are no older."""
    return build_world(SHIFT, sources=newest_of_each(SHIFT, read_sessions(), newest_sessions), users=users)


@dataclass
class Inside:
    """A tenant and someone who may ask it."""

    tenant: Tenant
    clock: StillClock
    headers: dict[str, str] = field(default_factory=dict)

    def token(self, **changes: str) -> Reply:
        own = Credentials()
        form = {
            "grant_type": "client_credentials",
            "client_id": own.client_id,
            "client_secret": own.client_secret,
            "audience": own.audience,
        } | changes
        return self.tenant.respond("POST", TOKEN_PATH, "", FORM, urlencode(form).encode())

    def log_in(self) -> None:
        token = json.loads(self.token().body)["access_token"]
        self.headers = {"authorization": f"Bearer {token}", "apikey": Credentials().api_key}

    def reply(self, path: str, query: str = "", *, method: str = "GET") -> Reply:
        return self.tenant.respond(method, PREFIX + path, query, self.headers, b"")

    def get(self, path: str, **parameters: object) -> Any:
        """The JSON of a good answer."""
        reply = self.reply(path, urlencode(parameters))
        assert reply.status == 200, reply
        return msgspec.json.decode(reply.body)

    def walk(self, path: str, **parameters: object) -> list[dict[str, Any]]:
        """All items of a paged list."""
        items: list[dict[str, Any]] = []
        index, pages = 1, 1
        while index <= pages:
            page = self.get(path, pageSize=100, pageIndex=index, **parameters)
            items += page["items"]
            pages = page["totalPages"]
            index += 1
        return items

    def evolve(self, seed: int, changes: int = DEFAULT_CHANGES, kinds: Sequence[str] | None = None) -> list[Change]:
        """Let so many things happen now."""
        return self.tenant.evolve(evolve_order(seed, changes, kinds))

    def pass_time(self, **length: float) -> None:
        """Move the clock by days=, hours=, and log in again."""
        self.clock.advance_to(self.clock.now_ms() + timedelta(**length) // timedelta(milliseconds=1))
        self.log_in()

    def truth(self, collection: str) -> list[dict[str, Any]]:
        return msgspec.json.decode(self.tenant.respond("GET", f"/_demo/truth/{collection}", "", {}, b"").body)


def inside(
    world: World | None = None,
    now_ms: int | None = None,
    *,
    users: int = 97,
    newest_sessions: int | None = None,
    **options: Any,
) -> Inside:
    """A fresh tenant, logged in: of this world, or of one of so many users. now_ms: when, the world's own start where
    left out. options: of the tenant.
    """
    world = world_of(users, newest_sessions) if world is None else world
    clock = StillClock(world.start_ms if now_ms is None else now_ms)
    found = Inside(Tenant(world, clock, **options), clock)
    found.log_in()
    return found
