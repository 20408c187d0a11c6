"""The demo tenant as a function from request to answer: no sockets, no clock of its own.

Belongs here: the order in which a request is judged (path, method, token and key, parameters, the thing itself).
Does not belong here: what each read answers (reads/), bytes on a wire (server.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from demo.answers import ProblemError, Reply, json_reply, not_found
from demo.api.model import PREFIX, TOKEN_PATH, Operation
from demo.api.operations import OPERATIONS
from demo.change.kinds import MOVING_KINDS
from demo.change.model import Change
from demo.change.order import EvolveOrder
from demo.clock import Clock
from demo.controls import Backstage, controls_by_path
from demo.copies import Copies
from demo.estate import Asked, Estate, Happened
from demo.faults.injector import Faults
from demo.faults.malformed import Malformed
from demo.faults.malformed_plan import MalformedPlan
from demo.faults.model import Served
from demo.faults.plan import Plan
from demo.one_world import OneWorld
from demo.parameters import Bounds, read_query
from demo.reads import HANDLERS
from demo.routes import Routes
from demo.tokens import Credentials, Tokens
from demo.world.world import World

DEFAULT_TOKEN_LIFETIME_SECONDS = 300
UNMATCHED = "unmatched"


class Tenant:
    """One tenant: what it holds, its clock, its tokens, and what it has been asked so far.

    copies: how often it holds the world. nightly: what happens each time that its clock passes midnight.
    faults: what goes wrong with its answers. malformed: which rows are served in another form.
    requests: by method and path template, such as `GET /users`; what no path matched counts as `unmatched`.
    """

    def __init__(
        self,
        world: World,
        clock: Clock,
        *,
        credentials: Credentials | None = None,
        token_lifetime_seconds: int = DEFAULT_TOKEN_LIFETIME_SECONDS,
        bounds: Bounds = Bounds.HALF_OPEN,
        copies: int = 1,
        nightly: EvolveOrder | None = None,
        faults: Plan | None = None,
        malformed: MalformedPlan | None = None,
    ) -> None:
        self.requests: Counter[str] = Counter()
        self._clock = clock
        now_ms = clock.now_ms()
        if nightly is not None and copies > 1:
            raise ValueError("expected one world where things happen every night, not copies of it")
        self._estate: Estate = OneWorld(world, now_ms, nightly) if copies == 1 else Copies(world, copies, now_ms)
        self._faults = Faults(faults, evolves=self._estate.evolves)
        self._malformed = Malformed(malformed)
        self._backstage = Backstage(self._estate, clock, self.requests, self._faults, self._malformed)
        self._bounds = bounds
        self._tokens = Tokens(credentials or Credentials(), clock, token_lifetime_seconds)
        self._reads: Routes[Operation] = Routes((op.path, op) for op in OPERATIONS if op.id in HANDLERS)
        self._controls = Routes((path, controls) for path, controls in controls_by_path().items())

    def exchange(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Served:
        """Answer one request as it goes over the wire, with whatever goes wrong on the way; arguments as of respond."""
        reply = self.respond(method, path, query, headers, body)
        injector = self._faults.injector
        if injector is None and self._malformed.plan is None:
            return Served(reply)
        operation, ids = self._asked(path)
        now_ms = self._clock.now_ms()
        if operation is not None and reply.status == 200:
            reply = self._malformed.serve(operation, ids, reply, now_ms)
        if injector is None or (operation is None and path != TOKEN_PATH):
            return Served(reply)
        outcome = injector.meet(f"{path}?{query}", operation, reply, now_ms)
        if outcome.ends_token:
            self._tokens.end(headers)
        if outcome.changes:
            self._estate.evolve(EvolveOrder(injector.plan.seed, outcome.changes, MOVING_KINDS), now_ms)
        return outcome.served

    def _asked(self, path: str) -> tuple[Operation | None, list[str]]:
        """What of the API a path means, and the ids in it."""
        found = self._reads.find(path.removeprefix(PREFIX)) if path.startswith(PREFIX + "/") else None
        return (None, []) if found is None else found

    def respond(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer one request well.

        path: without the query, as sent. query: without the question mark. headers: names in lower case.
        """
        now_ms = self._clock.now_ms()
        self._estate.catch_up(now_ms)
        try:
            if path.startswith(PREFIX + "/"):
                return self._read(method, path, query, headers, now_ms)
            if path == TOKEN_PATH:
                self._count(method, TOKEN_PATH)
                _allow(method, "POST")
                return self._tokens.issue(headers, body)
            return self._control(method, path, query, body)
        except ProblemError as problem:
            return problem.reply(path)

    def evolve(self, order: EvolveOrder) -> list[Change]:
        """Let things happen now, as `POST /_demo/evolve` does. Raises ProblemError where nothing can."""
        now_ms = self._clock.now_ms()
        self._estate.catch_up(now_ms)
        return self._estate.evolve(order, now_ms)

    @property
    def happened(self) -> Sequence[Happened]:
        """All that happened by chance so far."""
        return self._estate.happened

    def _read(self, method: str, path: str, query: str, headers: Mapping[str, str], now_ms: int) -> Reply:
        operation, ids = self._asked(path)
        if operation is None:
            raise self._no_such_path()
        self._count(method, operation.path)
        _allow(method, "GET")
        self._tokens.check(headers)
        values = read_query(query, operation.parameter_names, operation.required_names)
        return json_reply(self._estate.answer(Asked(HANDLERS[operation.id], self._bounds, ids, values), now_ms))

    def _control(self, method: str, path: str, query: str, body: bytes) -> Reply:
        found = self._controls.find(path)
        if found is None:
            raise self._no_such_path()
        controls, _ = found
        self._count(method, next(iter(controls.values())).path)
        _allow(method, *controls)
        read_query(query)
        return json_reply(controls[method].answer(self._backstage, body))

    def _no_such_path(self) -> ProblemError:
        self.requests[UNMATCHED] += 1
        return not_found("There is nothing at this path.")

    def _count(self, method: str, template: str) -> None:
        self.requests[f"{method} {template}"] += 1


def _allow(method: str, *allowed: str) -> None:
    if method not in allowed:
        raise ProblemError(405, f"Expected {' or '.join(allowed)}.", headers={"Allow": ", ".join(allowed)})
