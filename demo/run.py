"""Starting a demo tenant: the anchor in time, the clock, the server.

Does not belong here: reading the command line (pipelines/cli.py, demo/__main__.py).
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

from demo.answers import ProblemError
from demo.api.model import PREFIX, TOKEN_PATH
from demo.change.order import DEFAULT_CHANGES, EvolveOrder, evolve_order
from demo.clock import TickingClock
from demo.faults.malformed_plan import MalformedPlan
from demo.faults.plan import Plan
from demo.parameters import Bounds
from demo.server import run_server
from demo.state import State, read_state, write_state
from demo.tenant import DEFAULT_TOKEN_LIFETIME_SECONDS, Tenant
from demo.tokens import Credentials
from demo.world.build import DEFAULT_SEED, build_world, end_of_day_ms, shift_until
from demo.world.times import Shift
from demo.world.world import World
from pipelines.errors import ConfigurationError

DEFAULT_HOST = "127.0.0.1"
MOST_COPIES = 1000
"""Of all sessions this is seven million, and all times lie within six weeks of the original's."""


def serve(
    port: int,
    *,
    host: str = DEFAULT_HOST,
    today: str | None = None,
    state: Path | None = None,
    seed: int = DEFAULT_SEED,
    token_lifetime: int = DEFAULT_TOKEN_LIFETIME_SECONDS,
    bounds: str = Bounds.HALF_OPEN.value,
    client: Credentials | None = None,
    copies: int = 1,
    users: int | None = None,
    newest_sessions: int | None = None,
    evolve: int | None = None,
    changes: int = DEFAULT_CHANGES,
    faults: Plan | None = None,
    malformed: MalformedPlan | None = None,
) -> None:
    """Serve a demo tenant until SIGTERM or SIGINT; one line with its address is printed when it is ready.

    port: 0 takes a free one. today: `YYYY-MM-DD`, the day that the tenant's data ends on or shortly before; the real
    one where left out. state: a file that keeps the tenant's times over restarts. token_lifetime: seconds.
    bounds: `inclusive`, `half-open` or `exclusive`, of time filters. client: who may ask. copies: how often the
    tenant holds the world. users: how many of its users it keeps. newest_sessions: how many sessions of each user there
    are at most. evolve: a seed, by which so many changes happen each time that the tenant's clock passes midnight.
    faults: what goes wrong with answers. malformed: which rows are served in other forms.
    Raises ConfigurationError for an argument that cannot be used.
    """
    if not 1 <= copies <= MOST_COPIES:
        raise ConfigurationError(f"--copies {copies}: expected 1 to {MOST_COPIES}")
    for name, number in (("users", users), ("newest-sessions", newest_sessions)):
        if number is not None and number < 1:
            raise ConfigurationError(f"--{name} {number}: expected 1 or more")
    nightly = None if evolve is None else _nightly(evolve, changes, copies)
    kept = _kept_state(state, today)
    world = build_world(Shift(kept.weeks), seed, users=users, newest_sessions=newest_sessions)
    clock = _clock(world, kept, state)
    try:
        tenant = Tenant(
            world,
            clock,
            credentials=client,
            token_lifetime_seconds=token_lifetime,
            bounds=_bounds(bounds),
            copies=copies,
            nightly=nightly,
            faults=faults,
            malformed=malformed,
        )
    except ProblemError as problem:
        raise ConfigurationError(problem.detail) from None

    def ready(bound_port: int) -> None:
        print(f"The demo tenant serves http://{host}:{bound_port}", flush=True)

    try:
        asyncio.run(run_server(tenant, clock, host, port, ready))
    except OSError as error:
        raise ConfigurationError(
            f"The demo tenant cannot listen on {host}:{port} ({error.strerror}): choose another --port, or 0"
        ) from None


def credentials(address: str, own: Credentials | None = None) -> dict[str, str]:
    """The settings with which chargelake reaches the tenant at an address such as `http://127.0.0.1:8765`."""
    own = own or Credentials()
    return {
        "SMART_CHARGING_BASE_URL": address + PREFIX,
        "SMART_CHARGING_TOKEN_URL": address + TOKEN_PATH,
        "SMART_CHARGING_AUDIENCE": own.audience,
        "SMART_CHARGING_CLIENT_ID": own.client_id,
        "SMART_CHARGING_CLIENT_SECRET": own.client_secret,
        "SMART_CHARGING_API_KEY": own.api_key,
    }


def _kept_state(path: Path | None, today: str | None) -> State:
    now_ms = _real_now_ms()
    kept = None if path is None else read_state(path)
    if kept is not None:
        if today is not None and _shift(today, now_ms).weeks != kept.weeks:
            raise ConfigurationError(f"{path} holds a tenant of another day: leave --today out, or name another file")
        return kept
    begun = State(weeks=_shift(today, now_ms).weeks, begun_ms=now_ms, advanced_ms=0)
    if path is not None:
        write_state(path, begun)
    return begun


def _shift(today: str | None, now_ms: int) -> Shift:
    return shift_until(now_ms if today is None else end_of_day_ms(_day(today)))


def _nightly(seed: int, changes: int, copies: int) -> EvolveOrder:
    if copies > 1:
        raise ConfigurationError(f"--evolve {seed}: only a tenant of one world evolves, leave --copies out")
    try:
        return evolve_order(seed, changes)
    except ProblemError as problem:
        raise ConfigurationError(f"--changes {changes}: {problem.detail}") from None


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text) if re.fullmatch(r"2[01]\d\d-\d\d-\d\d", text) else None
    except ValueError:
        day = None
    if day is None:
        raise ConfigurationError(f"--today {text}: expected a day such as 2026-01-31")
    return day


def _bounds(text: str) -> Bounds:
    try:
        return Bounds(text)
    except ValueError:
        raise ConfigurationError(f"--bounds {text}: expected one of {', '.join(Bounds)}") from None


def _clock(world: World, kept: State, path: Path | None) -> TickingClock:
    def advanced(advanced_ms: int) -> None:
        if path is not None:
            write_state(path, replace(kept, advanced_ms=advanced_ms))

    return TickingClock(
        world.start_ms,
        elapsed_ms=_real_now_ms() - kept.begun_ms,
        advanced_ms=kept.advanced_ms,
        advanced=advanced,
    )


def _real_now_ms() -> int:
    return time.time_ns() // 1_000_000
