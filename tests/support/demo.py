"""A demo tenant as a process of its own, and what tests ask of it behind the API's back.

Does not belong here: asking the API itself; that is what is tested.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any
from unittest import mock

from demo.__main__ import main
from demo.api.model import PREFIX, TOKEN_PATH
from demo.run import credentials
from demo.tokens import Credentials


@dataclass(frozen=True)
class RunningTenant:
    """One demo tenant that answers at `address`."""

    address: str
    process: subprocess.Popen[str]

    @property
    def base_url(self) -> str:
        return self.address + PREFIX

    @property
    def token_url(self) -> str:
        return self.address + TOKEN_PATH

    @property
    def env(self) -> dict[str, str]:
        """The SMART_CHARGING_* settings that reach it."""
        return credentials(self.address)

    def truth(self, collection: str) -> list[dict[str, Any]]:
        """Every current row of a lake table, in the API's JSON."""
        return json.loads(self.truth_text(collection))

    def truth_text(self, collection: str) -> bytes:
        """The same as it came, to be kept."""
        return self._read(f"/_demo/truth/{collection}")

    def advance(self, **order: float | str) -> dict[str, Any]:
        """Move the clock: hours=, days= or to=. Returns what `health` does."""
        return self._ask("/_demo/advance", json.dumps(order).encode())

    def evolve(self, seed: int, **order: object) -> list[dict[str, str]]:
        """Let things happen: changes=, kinds=. Returns what was changed: kind, table and id."""
        return self._ask("/_demo/evolve", json.dumps({"seed": seed, **order}).encode())["changes"]

    def changes(self) -> list[dict[str, str]]:
        """All that happened by chance so far, with the moment `at` which it did."""
        return self._ask("/_demo/changes")

    def faults(self, seed: int | None = None, **plan: object) -> None:
        """Let answers go wrong: rate=, kinds=, most_in_a_row=, slow_seconds=, broken=. Without a seed: no more."""
        self._ask("/_demo/faults", json.dumps({} if seed is None else {"seed": seed, **plan}).encode())

    def injected(self) -> dict[str, int]:
        """How often each kind of fault was met."""
        return self._ask("/_demo/stats")["faults"]

    def malformed(self, seed: int | None = None, **plan: object) -> None:
        """Serve rows in other forms: rate=, permanent=, kinds=, tables=, most_in_a_row=. Without a seed: no more."""
        self._ask("/_demo/malformed", json.dumps({} if seed is None else {"seed": seed, **plan}).encode())

    def malformed_rows(self) -> list[dict[str, Any]]:
        """Every row that was served in another form."""
        return self._ask("/_demo/malformed")

    def mend(self, **which: object) -> list[dict[str, Any]]:
        """Serve rows well that were broken for good: of table=, with key=, or all. Returns them."""
        return self._ask("/_demo/mend", json.dumps(which).encode())["mended"]

    def stats(self) -> dict[str, int]:
        """How often each path was asked, by `METHOD /template`."""
        return self._ask("/_demo/stats")["requests"]

    def health(self) -> dict[str, Any]:
        """The tenant's `now`, and how many rows each table has."""
        return self._ask("/_demo/health")

    def headers(self) -> dict[str, str]:
        """What a request must carry, with a fresh token."""
        own = Credentials()
        form = {
            "grant_type": "client_credentials",
            "client_id": own.client_id,
            "client_secret": own.client_secret,
            "audience": own.audience,
        }
        grant = self._ask(TOKEN_PATH, urllib.parse.urlencode(form).encode())
        return {"Authorization": f"Bearer {grant['access_token']}", "ApiKey": own.api_key}

    def _ask(self, path: str, body: bytes | None = None) -> Any:
        return json.loads(self._read(path, body))

    def _read(self, path: str, body: bytes | None = None) -> bytes:
        with urllib.request.urlopen(self.address + path, body, timeout=30) as answer:
            return answer.read()


@contextmanager
def running_tenant(**options: object) -> Iterator[RunningTenant]:
    """Start a tenant on a free port; options are those of `python -m demo`, with underscores."""
    arguments = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    command = [sys.executable, "-m", "demo", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r"http://\S+", line)
            assert found, f"the demo tenant did not start: {line!r}"
            yield RunningTenant(found.group(), process)
        finally:
            process.terminate()
            process.wait(timeout=20)


def refusal(*arguments: str) -> str:
    """What `python -m demo` says of arguments that it refuses; in this process, as a start takes most of a second."""
    said, told = io.StringIO(), io.StringIO()
    serves = mock.patch("demo.run.run_server", side_effect=AssertionError(f"it serves with {arguments}"))
    with serves, redirect_stderr(said), redirect_stdout(told):
        try:
            code = main(["--port", "0", *arguments])
        except SystemExit as end:
            code = end.code
    assert code == 2
    assert told.getvalue() == ""
    return said.getvalue()
