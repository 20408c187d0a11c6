"""`python -m demo`: serve a demo tenant. The same as `chargelake demo serve`, with every option."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from demo.answers import ProblemError
from demo.change.order import DEFAULT_CHANGES
from demo.faults.malformed_plan import MalformedPlan, malformed_plan
from demo.faults.plan import Plan, plan_of
from demo.parameters import Bounds
from demo.run import DEFAULT_HOST, serve
from demo.tenant import DEFAULT_TOKEN_LIFETIME_SECONDS
from demo.tokens import Credentials
from demo.world.build import DEFAULT_SEED
from pipelines.errors import ConfigurationError


def main(arguments: list[str] | None = None) -> int:
    """Read the command line and serve; 0 after a clean stop, 2 for an argument that cannot be used."""
    own = Credentials()
    parser = argparse.ArgumentParser(prog="python -m demo", description="Serve a demo tenant on this machine.")
    parser.add_argument("--port", type=int, default=8765, help="0 takes a free one")
    parser.add_argument("--host", default=DEFAULT_HOST)
    parser.add_argument("--today", metavar="YYYY-MM-DD", help="the day that the data ends on or shortly before")
    parser.add_argument("--state", type=Path, metavar="FILE", help="keeps the tenant's times over restarts")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    parser.add_argument("--token-lifetime", type=int, default=DEFAULT_TOKEN_LIFETIME_SECONDS, metavar="SECONDS")
    parser.add_argument("--bounds", default=Bounds.HALF_OPEN.value, choices=[bounds.value for bounds in Bounds])
    parser.add_argument("--copies", type=int, default=1, metavar="N", help="how often the tenant holds its world")
    parser.add_argument("--users", type=int, metavar="N", help="keep no more than so many users, of every kind")
    parser.add_argument(
        "--newest-sessions", type=int, metavar="N", help="keep no more than so many sessions of each user"
    )
    parser.add_argument("--evolve", type=int, metavar="SEED", help="let things happen as the clock passes midnight")
    parser.add_argument("--changes", type=int, default=DEFAULT_CHANGES, metavar="N", help="so many each night")
    parser.add_argument("--client-id", default=own.client_id)
    parser.add_argument("--client-secret", default=own.client_secret)
    parser.add_argument("--api-key", default=own.api_key)
    parser.add_argument("--audience", default=own.audience)
    _add_faults(parser)
    options = parser.parse_args(arguments)
    try:
        serve(
            options.port,
            host=options.host,
            today=options.today,
            state=options.state,
            seed=options.seed,
            token_lifetime=options.token_lifetime,
            bounds=options.bounds,
            copies=options.copies,
            users=options.users,
            newest_sessions=options.newest_sessions,
            evolve=options.evolve,
            changes=options.changes,
            faults=_faults(options),
            malformed=_malformed(options),
            client=Credentials(options.client_id, options.client_secret, options.api_key, options.audience),
        )
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 2
    except ProblemError as problem:
        print(problem.detail, file=sys.stderr)
        return 2
    return 0


def _add_faults(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("faults", "What goes wrong with answers; the kinds: docs/demo-tenant.md.")
    group.add_argument("--fault-seed", type=int, default=1, metavar="SEED")
    group.add_argument("--fault-rate", type=float, default=0.0, metavar="SHARE", help="of requests, 0 to 1")
    group.add_argument("--fault-kinds", metavar="A,B", help="only these kinds")
    group.add_argument("--malformed-rate", type=float, default=0.0, metavar="SHARE", help="of rows, each time")
    group.add_argument("--malformed-permanent", type=float, default=0.0, metavar="SHARE", help="of rows, for good")
    group.add_argument("--malformed-kinds", metavar="A,B", help="only these forms of rows")
    group.add_argument("--most-in-a-row", type=int, default=2, metavar="N", help="faults of one target")
    group.add_argument("--slow-seconds", type=float, default=1.0, metavar="SECONDS", help="that a slow answer takes")
    group.add_argument("--broken", action="append", metavar="PATH", help="fails for good, such as /users/*/messages")


def _malformed(options: argparse.Namespace) -> MalformedPlan | None:
    if not options.malformed_rate and not options.malformed_permanent:
        return None
    kinds = None if options.malformed_kinds is None else options.malformed_kinds.split(",")
    return malformed_plan(options.fault_seed, options.malformed_rate, options.malformed_permanent, kinds)


def _faults(options: argparse.Namespace) -> Plan | None:
    if not options.fault_rate and not options.broken:
        return None
    return plan_of(
        options.fault_seed,
        options.fault_rate,
        None if options.fault_kinds is None else options.fault_kinds.split(","),
        options.most_in_a_row,
        options.slow_seconds,
        options.broken or (),
    )


if __name__ == "__main__":
    sys.exit(main())
