"""Faults: each kind can be told from outside, the same seed gives the same ones, and what is asked again succeeds."""

from __future__ import annotations

import asyncio
import http.client
import json
import time
import urllib.error
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
import httpx
import pytest
from httpx_aiohttp import AiohttpTransport
from hypothesis import given
from hypothesis import strategies as st
from support.demo import RunningTenant, refusal, running_tenant
from support.demo_inside import Inside, inside
from support.demo_transport import ADDRESS, DemoTransport, VirtualTime
from support.http import sync_settings

from demo.api.model import PREFIX, TOKEN_PATH
from demo.faults.kinds import FAULT_KINDS, Where
from demo.faults.plan import plan_of
from demo.run import credentials
from demo.tokens import Credentials
from demo.world.times import local
from pipelines.client import open_client
from pipelines.settings import ApiSettings

SMALL = {"users": 6, "newest_sessions": 30}
LIST = "/sessions"
ALWAYS = 10**6
API_KINDS = [kind.name for kind in FAULT_KINDS if kind.where is not Where.TOKEN]
TOKEN_KINDS = [kind.name for kind in FAULT_KINDS if kind.where is not Where.API]
OPEN_KINDS = [kind.name for kind in FAULT_KINDS if not kind.lies and kind.name != "slow"]
"""Those that no reader can take for a good answer."""


@dataclass
class Answer:
    """What came of a request. error: how it broke off, with the bytes of the body that came before."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    error: Exception | None = None
    seconds: float = 0.0

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def is_json(self) -> bool:
        try:
            json.loads(self.body)
        except ValueError:
            return False
        return True


@pytest.fixture(scope="module")
def tenant():
    with running_tenant(**SMALL) as found:
        yield found


@pytest.fixture
def headers(tenant: RunningTenant):
    tenant.faults()
    yield tenant.headers()
    tenant.faults()


def ask(tenant: RunningTenant, path: str, headers: dict[str, str], body: bytes | None = None) -> Answer:
    """One request on a connection of its own."""
    parts = urlsplit(tenant.address)
    wire = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    answer, begun = Answer(), time.monotonic()
    try:
        wire.request("GET" if body is None else "POST", path, body=body, headers=headers)
        came = wire.getresponse()
        answer.status, answer.headers = came.status, dict(came.headers)
        answer.body = came.read()
    except http.client.IncompleteRead as error:
        answer.error, answer.body = error, error.partial
    except (OSError, http.client.HTTPException) as error:
        answer.error = error
    finally:
        wire.close()
    answer.seconds = time.monotonic() - begun
    return answer


def ids(page: Answer) -> list[str]:
    return [item["id"] for item in page.json["items"]]


def is_error(status: int) -> Callable[[Answer, Answer], bool]:
    return lambda bad, _good: bad.status == status and "Retry-After" not in bad.headers and not bad.is_json


def is_throttled_in_seconds(bad: Answer, _good: Answer) -> bool:
    return bad.status == 429 and 1 <= int(bad.headers["Retry-After"]) <= 5


def is_throttled_until(bad: Answer, _good: Answer) -> bool:
    until, now = parsedate_to_datetime(bad.headers["Retry-After"]), parsedate_to_datetime(bad.headers["Date"])
    return bad.status == 429 and 0 <= (until - now).total_seconds() <= 5


def is_cut(bad: Answer, good: Answer) -> bool:
    return isinstance(bad.error, http.client.IncompleteRead) and good.body.startswith(bad.body) and bad.status == 200


def keeps_all_but(*fields: str) -> Callable[[Answer, Answer], bool]:
    def check(bad: Answer, good: Answer) -> bool:
        if bad.status != 200:
            return False
        changed = {name for name in good.json if good.json[name] != bad.json[name]}
        return bool(changed) and changed <= set(fields)

    return check


def has_a_twin(bad: Answer, good: Answer) -> bool:
    return max(Counter(ids(bad)).values()) == 2 and set(ids(bad)) <= set(ids(good)) and not_counted(bad, good)


def lacks_one(bad: Answer, good: Answer) -> bool:
    return len(ids(bad)) == len(ids(good)) - 1 and set(ids(bad)) < set(ids(good)) and not_counted(bad, good)


def not_counted(bad: Answer, good: Answer) -> bool:
    return all(bad.json[name] == good.json[name] for name in good.json if name != "items")


RECOGNISED: dict[str, Callable[[Answer, Answer], bool]] = {
    "throttled_seconds": is_throttled_in_seconds,
    "throttled_date": is_throttled_until,
    "throttled": is_error(429),
    "http_500": is_error(500),
    "http_502": is_error(502),
    "http_503": lambda bad, _good: bad.status == 503,
    "http_504": is_error(504),
    "reset": lambda bad, _good: isinstance(bad.error, ConnectionResetError) and not bad.status,
    "reset_in_body": lambda bad, _good: bad.status == 200 and isinstance(bad.error, ConnectionResetError),
    "cut_body": is_cut,
    "cut_json": lambda bad, good: bad.error is None and good.body.startswith(bad.body) and not bad.is_json,
    "web_page": lambda bad, _good: bad.status == 200 and b"<html" in bad.body and "html" in bad.headers["Content-Type"],
    "other_shape": lambda bad, good: (
        bad.status == 200
        and (not bad.is_json or type(bad.json) is not type(good.json) or bad.json.keys() != good.json.keys())
    ),
    "slow": lambda bad, good: bad.body == good.body and bad.seconds >= 0.2,
    "early_401": lambda bad, _good: bad.status == 401 and "invalid_token" in bad.headers["WWW-Authenticate"],
    "token_failure": lambda bad, _good: bad.status in {500, 503} and "error" in bad.json,
    "wrong_total": keeps_all_but("totalCount", "totalPages"),
    "wrong_echo": keeps_all_but("pageIndex", "pageSize"),
    "empty_page": lambda bad, good: ids(bad) == [] and ids(good) and not_counted(bad, good),
    "doubled_item": has_a_twin,
    "missing_item": lacks_one,
    "false_404": lambda bad, good: (bad.status, good.status) == (404, 200) and bad.json["status"] == 404,
    "false_empty": lambda bad, good: (
        bad.status == 200 and bad.json in ([], good.json | {"items": [], "totalCount": 0, "totalPages": 0})
        if isinstance(good.json, dict)
        else bad.json == []
    ),
}
"""How each kind looks from outside, beside the good answer; `stale` and `moves` need more than one look."""


def test_every_kind_has_a_look():
    assert {*RECOGNISED, "stale", "moves"} == {kind.name for kind in FAULT_KINDS}


@pytest.mark.parametrize("kind", sorted(RECOGNISED))
def test_a_kind_is_recognised_by_a_real_client(tenant, headers, kind):
    user = tenant.truth("sessions")[0]["userId"]
    query = {"pageSize": 20, "pageIndex": 2}
    path, body = f"{PREFIX}{LIST}?{urlencode(query)}", None
    if kind.startswith("false"):
        path = f"{PREFIX}/users/{user}/sessions?pageSize=5"
    if kind == "token_failure":
        form = {"grant_type": "client_credentials", **form_of(Credentials())}
        path, body, headers = (
            TOKEN_PATH,
            urlencode(form).encode(),
            {"Content-Type": "application/x-www-form-urlencoded"},
        )
    good = ask(tenant, path, headers, body)
    assert good.status == 200
    before = tenant.injected().get(kind, 0)
    tenant.faults(3, rate=1, kinds=[kind], most_in_a_row=ALWAYS, slow_seconds=0.25)
    # A token ends but once.
    times = 1 if kind == "early_401" else 6
    for _ in range(times):
        bad = ask(tenant, path, headers, body)
        assert RECOGNISED[kind](bad, good), bad
    assert tenant.injected()[kind] == before + times
    tenant.faults()
    again = ask(tenant, path, tenant.headers() if kind == "early_401" else headers, body)
    assert kind == "token_failure" or again.body == good.body
    assert again.status == 200


def form_of(own: Credentials) -> dict[str, str]:
    return {"client_id": own.client_id, "client_secret": own.client_secret, "audience": own.audience}


def test_other_shapes_and_empty_answers_of_arrays_and_objects(tenant, headers):
    session = next(item for item in tenant.truth("sessions") if item["chargeCosts"] is not None)
    at = f"{PREFIX}/users/{session['userId']}"
    paths = (f"{at}/financials", f"{at}/sessions/{session['id']}/tariffs", at, f"{at}/sessions/{session['id']}")
    for path in paths:
        good = ask(tenant, path, headers)
        tenant.faults(1, rate=1, kinds=["other_shape"], most_in_a_row=ALWAYS)
        shapes = {ask(tenant, path, headers).body for _ in range(25)}
        assert good.body not in shapes
        assert shapes >= {b"null", b'""', b""}
        assert b'{"data":%b}' % good.body in shapes
        assert (b"[]" in shapes) == isinstance(good.json, dict)
        tenant.faults(1, rate=1, kinds=["false_empty"], most_in_a_row=ALWAYS)
        assert ask(tenant, path, headers).body == (b"[]" if isinstance(good.json, list) else good.body)
        tenant.faults(1, rate=1, kinds=["false_404"], most_in_a_row=ALWAYS)
        assert ask(tenant, path, headers).status == 404
        tenant.faults()
    tenant.faults(1, rate=1, kinds=["false_404", "false_empty"], most_in_a_row=ALWAYS)
    assert ask(tenant, f"{PREFIX}{LIST}", headers).status == 200


def test_a_stale_answer_is_what_was_told_a_moment_ago():
    with running_tenant(**SMALL) as tenant:
        headers, path = tenant.headers(), f"{PREFIX}/users?pageSize=100"
        tenant.faults(1, rate=1, kinds=["stale"], most_in_a_row=ALWAYS)
        first = ask(tenant, path, headers)
        assert ask(tenant, path, headers).body == first.body
        assert tenant.injected() == {}
        tenant.evolve(1, changes=3, kinds=["edited_user"])
        stale, fresh = ask(tenant, path, headers), ask(tenant, path, headers)
        assert stale.body == first.body != fresh.body
        assert fresh.json["items"] == tenant.truth("users")
        assert tenant.injected() == {"stale": 1}
        tenant.evolve(1, changes=3, kinds=["edited_user"])
        tenant.advance(hours=1)
        late = ask(tenant, path, tenant.headers())
        assert late.json["items"] == tenant.truth("users")


def test_the_tenant_moves_between_two_pages():
    with running_tenant(**SMALL) as tenant:
        headers = tenant.headers()
        before = tenant.truth("sessions")
        tenant.faults(4, rate=1, kinds=["moves"], most_in_a_row=ALWAYS)
        first = ask(tenant, f"{PREFIX}{LIST}?pageSize=10", headers)
        assert first.json["items"] == before[:10]
        for index in range(2, 12):
            page = ask(tenant, f"{PREFIX}{LIST}?pageSize=10&pageIndex={index}", headers)
            assert page.status == 200
        after = tenant.truth("sessions")
        assert {item["id"] for item in before} != {item["id"] for item in after}
        assert tenant.injected() == {"moves": 11}
        moved = {change["table"] for change in tenant.changes()}
        assert "sessions" in moved
        tenant.faults()
        assert ask(tenant, f"{PREFIX}{LIST}?pageSize=100", headers).json["items"] == after[:100]


def test_a_token_that_expires_early_stays_expired(tenant, headers):
    tenant.faults(1, rate=1, kinds=["early_401"])
    assert ask(tenant, f"{PREFIX}{LIST}", headers).status == 401
    tenant.faults()
    assert ask(tenant, f"{PREFIX}{LIST}", headers).status == 401
    assert ask(tenant, f"{PREFIX}{LIST}", tenant.headers()).status == 200


def test_a_token_end_point_fails_for_a_while_and_no_longer(tenant, headers):
    form = urlencode({"grant_type": "client_credentials", **form_of(Credentials())}).encode()
    sent = {"Content-Type": "application/x-www-form-urlencoded"}
    tenant.faults(2, rate=0.3, kinds=["token_failure"], most_in_a_row=4)
    statuses = [ask(tenant, TOKEN_PATH, sent, form).status for _ in range(60)]
    runs = "".join("." if status == 200 else "x" for status in statuses).split(".")
    assert {len(run) for run in runs[:-1]} == {0, 4}


def test_what_is_broken_for_good_fails_every_time(tenant, headers):
    user, other = (item["id"] for item in tenant.truth("users")[:2])
    tenant.faults(1, broken=[f"/users/{user}/financials", "/users/*/messages"])
    before = tenant.injected().get("broken", 0)
    for path, status in (
        (f"/users/{user}/financials", 500),
        (f"/users/{user}/financials?startTimeFrom=2026-01-01T00:00:00Z", 500),
        (f"/users/{other}/financials", 200),
        (f"/users/{user}/messages", 500),
        (f"/users/{other}/messages?pageSize=5", 500),
        (f"/users/{user}", 200),
        ("/sessions", 200),
    ):
        for _ in range(4):
            assert ask(tenant, PREFIX + path, headers).status == status, path
    assert tenant.injected()["broken"] == before + 16
    assert len(tenant.truth("financials")) > 0


@given(
    seed=st.integers(0, 2**40),
    rate=st.floats(0, 1),
    most=st.integers(1, 4),
    targets=st.lists(st.integers(0, 3), max_size=60),
)
def test_no_target_meets_more_faults_in_a_row_than_the_plan_says(seed, rate, most, targets):
    tenant = inside(**SMALL, faults=plan_of(seed, rate, most_in_a_row=most))
    queries = [f"pageSize={size}" for size in (5, 10, 20, 50)]
    in_a_row: Counter[int] = Counter()
    injected = tenant.tenant._faults.injected
    for number in targets:
        before = injected.total()
        tenant.tenant.exchange("GET", PREFIX + LIST, queries[number], tenant.headers, b"")
        met = injected.total() - before
        assert met in {0, 1}
        in_a_row[number] = in_a_row[number] + 1 if met else 0
        assert in_a_row[number] <= most
    assert rate > 0 or not injected


def outcomes(seed: int, rate: float = 0.5, kinds: list[str] | None = None) -> list[Any]:
    tenant = inside(**SMALL, faults=plan_of(seed, rate, kinds, most_in_a_row=3))
    return [
        tenant.tenant.exchange("GET", f"{PREFIX}{path}", f"pageSize={size}", tenant.headers, b"")
        for size in range(1, 30)
        for path in ("/sessions", "/users", "/vehicles")
    ]


def test_the_same_seed_gives_the_same_faults():
    assert outcomes(1) == outcomes(1) != outcomes(2)
    share = Counter(served.reply.status for served in outcomes(1, 0.2, ["http_504"]))[504] / 87
    assert 0.1 < share < 0.3


def test_every_kind_is_drawn():
    tenant = inside(**SMALL, faults=plan_of(5, 0.6))
    user = tenant.truth("sessions")[0]["userId"]
    paths = [LIST, f"/users/{user}/sessions", f"/users/{user}/financials", f"/users/{user}"]
    for number in range(600):
        path = paths[number % 4]
        query = "pageSize=5" if path.endswith("/sessions") else ""
        if number % 5 == 0:
            tenant.log_in()
        tenant.tenant.exchange("GET", PREFIX + path, query, tenant.headers, b"")
        tenant.tenant.exchange("POST", TOKEN_PATH, "", {}, b"")
        tenant.evolve(number, 1, ["new_session"])
    assert tenant.tenant._faults.injected.keys() == {kind.name for kind in FAULT_KINDS}


def test_without_faults_the_wire_has_what_is_answered():
    tenant = inside(**SMALL)
    for path in (LIST, "/users", "/nothing"):
        served = tenant.tenant.exchange("GET", PREFIX + path, "", tenant.headers, b"")
        assert served == (tenant.reply(path), 0.0, None, None)


async def looks(transport: httpx.AsyncBaseTransport, address: str, headers: dict[str, str]) -> list[tuple[Any, ...]]:
    """What a client of this transport meets, request by request."""
    found: list[tuple[Any, ...]] = []
    for number in range(120):
        request = httpx.Request("GET", f"{address}{PREFIX}/sessions?pageSize={1 + number % 40}", headers=headers)
        came = b""
        try:
            response = await transport.handle_async_request(request)
            try:
                async for part in response.stream:
                    came += part
            finally:
                await response.aclose()
            found.append((response.status_code, response.headers.get("Content-Type"), came))
        except httpx.TransportError as error:
            found.append((type(error), type(error.__cause__)))
    return found


async def test_a_tenant_in_the_same_process_fails_like_one_behind_a_socket():
    """Status, bytes and exceptions, for one plan of all kinds but those that change the token or the tenant."""
    kinds = [name for name in API_KINDS if name not in {"early_401", "moves", "slow"}]
    plan = {"rate": 0.7, "kinds": kinds, "most_in_a_row": 5}
    near = inside(**SMALL)
    last_day = local(near.clock.now_ms()).date() - timedelta(days=1)
    with running_tenant(**SMALL, today=last_day) as tenant:
        headers = tenant.headers()
        tenant.faults(8, **plan)
        session = aiohttp.ClientSession(auto_decompress=False)
        session._retry_connection = False
        wire = AiohttpTransport(client=session)
        real = await looks(wire, tenant.address, headers)
        await wire.aclose()
        injected = tenant.injected()
    near.tenant._faults.follow(plan_of(8, **plan))
    assert await looks(DemoTransport(near.tenant, near.clock), ADDRESS, near.headers) == real
    assert near.tenant._faults.injected == Counter(injected)
    assert len(injected) > 15


async def test_slow_answers_take_the_time_of_whoever_waits():
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        await asyncio.sleep(0)

    tenant = inside(**SMALL, faults=plan_of(1, 1, ["slow"], ALWAYS, slow_seconds=30))
    request = httpx.Request("GET", f"{ADDRESS}{PREFIX}/users", headers=tenant.headers)
    answer = await DemoTransport(tenant.tenant, tenant.clock, sleep=sleep).handle_async_request(request)
    assert (await answer.aread()) == tenant.reply("/users").body
    hasty = DemoTransport(tenant.tenant, tenant.clock, sleep=sleep, gives_up_seconds=5)
    with pytest.raises(httpx.ReadTimeout):
        await hasty.handle_async_request(request)
    assert waited == [30, 5]


async def test_a_client_that_asks_again_gets_everything_through_open_faults():
    tenant = inside(**SMALL, faults=plan_of(11, 0.5, OPEN_KINDS, most_in_a_row=2))
    own = {name.removeprefix("SMART_CHARGING_").lower(): value for name, value in credentials(ADDRESS).items()}
    time_passing = VirtualTime(tenant.clock)
    transport = DemoTransport(tenant.tenant, tenant.clock, sleep=time_passing.sleep)
    found: list[dict[str, Any]] = []
    async with open_client(
        ApiSettings.model_validate(own),
        sync_settings(max_tries=8),
        transport=transport,
        clock=time_passing,
        sleep=time_passing.sleep,
    ) as client:
        for index in range(1, 12):
            # Another shape is no fault to the client but to its caller, who asks again.
            for _ in range(3):
                data = (await client.get("/sessions", {"pageIndex": str(index), "pageSize": "20"})).data
                if isinstance(data, dict) and "totalCount" in data:
                    found += data["items"]
                    break
    assert found == tenant.truth("sessions")
    assert tenant.tenant._faults.injected.total() > 10


def refused(tenant: Inside, body: bytes) -> str:
    reply = tenant.tenant.respond("POST", "/_demo/faults", "", {}, body)
    assert reply.status == 400, body
    return json.loads(reply.body)["detail"]


def test_what_is_no_plan_is_refused():
    tenant = inside(**SMALL)
    for body, named in (
        (b"", "seed"),
        (b"[]", "seed"),
        (b'{"rate": 0.5}', "seed"),
        (b'{"seed": 1, "rate": 2}', "rate"),
        (b'{"seed": 1, "rate": -0.1}', "rate"),
        (b'{"seed": 1, "speed": 1}', "speed"),
        (b'{"seed": 1, "kinds": []}', "http_504"),
        (b'{"seed": 1, "kinds": ["flood"]}', "http_504"),
        (b'{"seed": 1, "most_in_a_row": 0}', "most_in_a_row"),
        (b'{"seed": 1, "slow_seconds": -1}', "slow_seconds"),
        (b'{"seed": 1, "broken": ["users"]}', "broken"),
    ):
        assert named in refused(tenant, body)
    assert tenant.tenant._faults.injector is None
    several = inside(**SMALL, copies=2)
    assert "copies" in refused(several, b'{"seed": 1, "rate": 1, "kinds": ["moves", "http_504"]}')
    assert several.tenant.respond("POST", "/_demo/faults", "", {}, b'{"seed": 1, "rate": 1}').status == 200


def test_a_tenant_of_copies_meets_faults_too():
    tenant = inside(**SMALL, copies=2, faults=plan_of(1, 1, most_in_a_row=ALWAYS))
    for _ in range(200):
        tenant.tenant.exchange("GET", PREFIX + LIST, "pageSize=5", tenant.headers, b"")
    assert "moves" not in tenant.tenant._faults.injected
    assert len(tenant.tenant._faults.injected) > 10


def test_faults_are_options_of_the_command():
    options = {"fault_rate": 1, "fault_kinds": "http_504,throttled", "most_in_a_row": 1, "fault_seed": 3}
    with running_tenant(**SMALL, **options, broken="/users/*/messages") as tenant:
        form = urlencode({"grant_type": "client_credentials", **form_of(Credentials())}).encode()
        sent = {"Content-Type": "application/x-www-form-urlencoded"}
        statuses = [ask(tenant, TOKEN_PATH, sent, form).status for _ in range(4)]
        assert statuses[1::2] == [200, 200]
        assert set(statuses[::2]) <= {504, 429}
        assert sum(tenant.injected().values()) == 2
        tenant.faults()
        assert tenant.headers()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--fault-rate", "3"], "rate"),
        (["--fault-rate", "1", "--fault-kinds", "flood"], "http_504"),
        (["--fault-rate", "1", "--fault-kinds", "moves", "--copies", "2"], "copies"),
        (["--broken", "users"], "broken"),
    ],
)
def test_faults_that_cannot_be_are_one_line(options, named):
    [line] = refusal("--users", "2", *options).splitlines()
    assert named in line


def test_a_broken_connection_leaves_the_server_quiet_and_well(capfd):
    with running_tenant(**SMALL) as tenant:
        headers = tenant.headers()
        tenant.faults(1, rate=1, kinds=["reset", "reset_in_body", "cut_body"], most_in_a_row=ALWAYS)
        for _ in range(20):
            assert ask(tenant, f"{PREFIX}{LIST}", headers).error is not None
        tenant.faults()
        assert ask(tenant, f"{PREFIX}{LIST}", headers).status == 200
    assert capfd.readouterr().err == ""


def test_the_control_says_which_kinds_it_takes(tenant, headers):
    with pytest.raises(urllib.error.HTTPError):
        tenant.faults(1, kinds=["flood"])
