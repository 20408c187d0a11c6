"""The client of the Smart Charging API: token, transport, retries, rate.

Use `open_client`; the sync needs no more of it than `answer.Api`. The HTTP library is loaded when a client is first
asked for, which takes half a second: `status` needs none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.client.answer import Answer, Api, Counters

if TYPE_CHECKING:
    from pipelines.client.client import ApiClient, open_client
    from pipelines.client.gate import PaceNow
    from pipelines.client.shared import Shared

__all__ = ["Answer", "Api", "ApiClient", "Counters", "PaceNow", "Shared", "open_client"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pipelines.client import client, gate, shared

    return next(getattr(module, name) for module in (client, gate, shared) if hasattr(module, name))
