"""What all clients of a process share: one gate for each API, one token for each identity.

Does not belong here: anything that belongs to one client or one event loop.
"""

from __future__ import annotations

import hashlib
import threading

from pipelines.client.clock import SYSTEM_CLOCK, Clock
from pipelines.client.gate import Gate
from pipelines.client.tokens import TokenStore
from pipelines.client.transport import host_and_port
from pipelines.errors import ConfigurationError
from pipelines.settings import ApiSettings


class Shared:
    """Gates and tokens on one clock. A process has one (PROCESS); a simulation makes its own."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._gates: dict[tuple[str, int], Gate] = {}
        self._tokens: dict[tuple[str, str, str, bytes], TokenStore] = {}

    def gate(self, api: ApiSettings) -> Gate:
        """The gate of this API's host and port."""
        address = _checked(api.base_url, "SMART_CHARGING_BASE_URL")
        with self._lock:
            return self._gates.setdefault(address, Gate(self.clock))

    def tokens(self, api: ApiSettings) -> TokenStore:
        """The token of this identity. The secret is part of it, so that a corrected one is used at once."""
        _checked(api.token_url, "SMART_CHARGING_TOKEN_URL")
        secret = hashlib.sha256(api.client_secret.get_secret_value().encode()).digest()
        identity = (api.token_url, api.audience, api.client_id, secret)
        with self._lock:
            return self._tokens.setdefault(identity, TokenStore())


def _checked(url: str, setting: str) -> tuple[str, int]:
    try:
        return host_and_port(url)
    except ValueError:
        raise ConfigurationError(f"{setting}: expected an address such as https://host/path") from None


PROCESS = Shared(SYSTEM_CLOCK)
"""Of this process, on the machine's clock."""
