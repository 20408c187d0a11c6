"""The client of the Smart Charging API: token, transport, retries, rate.

Use `open_client`; the sync needs no more of it than `answer.Api`.
"""

from pipelines.client.answer import Answer, Api, Counters
from pipelines.client.client import ApiClient, open_client
from pipelines.client.gate import PaceNow
from pipelines.client.shared import Shared

__all__ = ["Answer", "Api", "ApiClient", "Counters", "PaceNow", "Shared", "open_client"]
