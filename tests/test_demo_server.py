"""The demo tenant as a process: its start, its clock on the wire, its state over restarts, its end."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.demo import refusal, running_tenant

from demo.clock import StillClock, TickingClock
from demo.world.times import DAY_MS

SMALL = {"users": 4, "newest_sessions": 30}


@pytest.fixture(scope="module")
def tenant():
    with running_tenant(**SMALL) as found:
        yield found


def connection(tenant) -> http.client.HTTPConnection:
    parts = urlsplit(tenant.address)
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)


def test_one_connection_serves_many_requests_with_length_and_date(tenant):
    headers = tenant.headers()
    wire = connection(tenant)
    wire.connect()
    local = wire.sock.getsockname()
    for path, status in (
        ("/api/v2/sessions?pageSize=100", 200),
        ("/api/v2/nothing", 404),
        ("/api/v2/users?pageSize=0", 400),
        ("/api/v2/supported-car-models", 200),
    ):
        wire.request("GET", path, headers=headers)
        answer = wire.getresponse()
        body = answer.read()
        assert answer.status == status
        assert answer.headers["Content-Type"] == "application/json"
        assert int(answer.headers["Content-Length"]) == len(body)
        json.loads(body)
    assert wire.sock.getsockname() == local
    wire.close()


def test_the_date_is_the_tenants_clock():
    with running_tenant(**SMALL, today="2026-01-31") as tenant:
        before = datetime.fromisoformat(tenant.health()["now"])
        assert before - datetime.fromisoformat("2026-01-30T23:00:00Z") < timedelta(minutes=5)
        tenant.advance(days=400)
        now = datetime.fromisoformat(tenant.health()["now"])
        assert timedelta(days=400) <= now - before < timedelta(days=400, minutes=5)
        answer = httpx.get(f"{tenant.base_url}/users", headers=tenant.headers())
        assert answer.status_code == 200
        assert (
            timedelta(0)
            <= parsedate_to_datetime(answer.headers["Date"]) - now.replace(microsecond=0)
            < timedelta(minutes=5)
        )


def test_chargelakes_own_settings_reach_it(tenant):
    """The addresses and credentials that `env` names get a token and a page."""
    env = tenant.env
    form = {
        "grant_type": "client_credentials",
        "client_id": env["SMART_CHARGING_CLIENT_ID"],
        "client_secret": env["SMART_CHARGING_CLIENT_SECRET"],
        "audience": env["SMART_CHARGING_AUDIENCE"],
    }
    token = httpx.post(env["SMART_CHARGING_TOKEN_URL"], data=form).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}", "ApiKey": env["SMART_CHARGING_API_KEY"]}
    page = httpx.get(f"{env['SMART_CHARGING_BASE_URL']}/sessions", headers=headers).json()
    assert page["totalCount"] == len(tenant.truth("sessions")) > 80
    assert page["items"] == tenant.truth("sessions")[:20]


def test_credentials_can_be_others():
    options = {"client_id": "me", "client_secret": "mine", "api_key": "k", "audience": "https://a.example"}
    with running_tenant(**SMALL, **options, token_lifetime=7) as tenant:
        form = {"grant_type": "client_credentials"} | {k: v for k, v in options.items() if k != "api_key"}
        grant = httpx.post(tenant.token_url, data=form).json()
        assert grant["expires_in"] == 7
        headers = {"Authorization": f"Bearer {grant['access_token']}", "ApiKey": "k"}
        assert httpx.get(f"{tenant.base_url}/users", headers=headers).status_code == 200
        assert httpx.get(f"{tenant.base_url}/users", headers=headers | {"ApiKey": "demo-key"}).status_code == 401


def test_a_kept_tenant_has_the_same_times_after_a_restart(tmp_path):
    state = tmp_path / "deep" / "state.json"
    with running_tenant(**SMALL, state=state, today="2026-01-31") as first:
        first.advance(days=3)
        sessions, users = first.truth("sessions"), first.truth("users")
        then = first.health()["now"]
    # As if the restart were much later: the anchor stays, the clock has gone on.
    kept = json.loads(state.read_text())
    state.write_text(json.dumps(kept | {"begun_ms": kept["begun_ms"] - 10 * DAY_MS}))
    with running_tenant(**SMALL, state=state) as second:
        assert second.truth("sessions") == sessions
        assert second.truth("users") == users
        passed = datetime.fromisoformat(second.health()["now"]) - datetime.fromisoformat(then)
        assert timedelta(days=10) <= passed < timedelta(days=10, minutes=5)
    assert list(state.parent.iterdir()) == [state]


def test_bad_arguments_are_one_line(tmp_path):
    broken = tmp_path / "broken.json"
    broken.write_text('{"weeks": "many"}')
    kept = tmp_path / "kept.json"
    kept.write_text('{"weeks": 1, "begun_ms": 0, "advanced_ms": 0}')
    file = tmp_path / "file"
    file.write_text("")
    for arguments, named in (
        (["--today", "tomorrow"], "2026-01-31"),
        (["--today", "2026-02-30"], "2026-01-31"),
        (["--today", "20260131"], "2026-01-31"),
        (["--state", str(broken)], str(broken)),
        (["--state", str(file / "state.json")], str(file)),
        (["--state", str(kept), "--today", "2026-01-31"], str(kept)),
    ):
        [line] = refusal(*arguments).splitlines()
        assert named in line


def test_a_taken_port_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "demo", "--port", port, "--users", "2"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert port in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_even_with_open_connections(number):
    with running_tenant(**SMALL) as tenant:
        wire = connection(tenant)
        wire.request("GET", "/_demo/health")
        wire.getresponse().read()
        tenant.process.send_signal(number)
        assert tenant.process.wait(timeout=10) == 0
        wire.close()


def test_it_listens_on_this_machine_only(tenant):
    assert urlsplit(tenant.address).hostname == "127.0.0.1"


@given(moves=st.lists(st.tuples(st.integers(0, 10**9), st.integers(-(10**6), 10**9))))
def test_no_clock_goes_back(moves):
    real_ns = 0
    told: list[int] = []
    ticking = TickingClock(1000, elapsed_ms=-5, advanced_ms=7, advanced=told.append, monotonic_ns=lambda: real_ns)
    still = StillClock(1000)
    assert ticking.now_ms() == 1007
    for passed_ms, step_ms in moves:
        real_ns += passed_ms * 1_000_000
        before = ticking.now_ms()
        for clock in (ticking, still):
            earlier = clock.now_ms()
            clock.advance_to(earlier + step_ms)
            assert clock.now_ms() == earlier + max(step_ms, 0)
        assert ticking.now_ms() >= before
    assert told == sorted(told)
    assert ticking.now_ms() == 1000 + (told[-1] if told else 7) + real_ns // 1_000_000


def test_a_body_that_comes_in_pieces_is_read_whole(tenant):
    form = b"grant_type=client_credentials&client_id=demo-client&audience=" + b"a" * 300_000 + b"&client_secret=x"

    def pieces():
        for start in range(0, len(form), 50_000):
            yield form[start : start + 50_000]

    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = httpx.post(tenant.token_url, content=pieces(), headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert httpx.post(tenant.token_url, content=b"a" * 3_000_000, headers=headers).status_code == 413
