"""What the tenant answers to each read: a handler by operation id, in a module for each part of the API.

A handler gets a Call and gives the JSON body; what cannot be answered is a ProblemError.
Does not belong here: tokens, routing (demo/tenant.py), rows (demo/tables.py), the world (demo/world).
"""

from __future__ import annotations

from demo.reads import locations, tenant_lists, users, vehicles
from demo.reads.call import Call, Handler

HANDLERS: dict[str, Handler] = {
    **tenant_lists.HANDLERS,
    **locations.HANDLERS,
    **vehicles.HANDLERS,
    **users.HANDLERS,
}
"""An operation without a handler is declared but not served."""

__all__ = ["HANDLERS", "Call", "Handler"]
