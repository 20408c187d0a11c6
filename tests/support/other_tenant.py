"""A second tenant, written without a look at demo/: another server that follows the same facts.

It makes other choices where the API documents none (bounds, order of ties, echo of `pageSize`, nulls left out or
written), has no data but what a test gives it, and changes it as a test says.
"""

import asyncio
import json
import random
import threading
import uuid
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from urllib.parse import parse_qsl

from aiohttp import web

TIME_OF = {"users": "createdAt", "vehicles": "createdAt", "charging-locations": "createdAt", "sessions": "startTime"}
TOKEN = "token-of-the-other-tenant"
SECRET, API_KEY = "secret-of-the-other-client", "key-of-the-other-client"
"""With the token, what must be found nowhere: every answer that is an error repeats what it was sent."""


def stamp(at):
    return at.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


class OtherTenant:
    def __init__(self, *, now, inclusive=True, leave_nulls_out=False):
        self.now = now
        self.inclusive = inclusive
        self.leave_nulls_out = leave_nulls_out
        self.rows = {name: {} for name in TIME_OF}
        self.car_models = []
        self.requests = []
        self.mangle = lambda _path, items: items
        self.before_answer = lambda _path: None
        self.failing = set()
        self.forbidden = set()
        self.past_the_end = 200
        self.unfinished_match_every_end = False

    def put(self, collection, row):
        self.rows[collection][row["id"]] = row

    def answer(self, path, query):
        """status, JSON."""
        self.requests.append((path, dict(query)))
        self.before_answer(path)
        if path in self.failing:
            return 500, {"title": "broken", "status": 500}
        if path in self.forbidden:
            return 403, {"title": "Forbidden", "status": 403}
        return self.respond(path, dict(query))

    def respond(self, path, query):
        """status, JSON of a path that is neither broken nor forbidden."""
        if path == "supported-car-models":
            return 200, self.car_models
        if path not in self.rows:
            return 404, {"title": "Not Found", "status": 404}
        return self.page(path, self.rows[path].values(), query, TIME_OF[path])

    def page(self, path, rows, query, order):
        """One page of the rows that the query's time filters let through, newest first."""
        filters = dict(query)
        size, index = int(filters.pop("pageSize", 20)), int(filters.pop("pageIndex", 1))
        if not 1 <= size <= 100 or index < 1:
            return 400, {"title": "Bad Request", "status": 400}
        found = self.filtered(rows, filters)
        found.sort(key=lambda row: (row[order], row.get("id") or row["sessionId"]), reverse=True)
        if self.past_the_end != 200 and index > 1 and (index - 1) * size >= len(found):
            return self.past_the_end, {"title": "no such page", "status": self.past_the_end}
        items = [self._shown(row) for row in found[(index - 1) * size : index * size]]
        return 200, {
            "pageIndex": index,
            "pageSize": 100,
            "totalPages": -(-len(found) // size),
            "totalCount": len(found),
            "items": self.mangle(path, items),
        }

    def filtered(self, rows, filters):
        """The rows whose times lie between the bounds."""
        found = list(rows)
        for name, value in filters.items():
            field = {"created": "createdAt", "startTime": "startTime", "endTime": "endTime"}[
                name.removesuffix("From").removesuffix("To")
            ]
            datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%f%z")
            below = name.endswith("To")
            free = self.unfinished_match_every_end and field == "endTime"
            found = [row for row in found if (self._within(row[field], value, below) if row.get(field) else free)]
        return found

    def _within(self, time, bound, below):
        if time == bound:
            return self.inclusive
        return (time < bound) == below

    def _shown(self, row):
        return {name: value for name, value in row.items() if value is not None} if self.leave_nulls_out else row


def fill(tenant, rng, *, users, sessions, since, until):
    """Random users with a car and an address each, and sessions, some of them active, some in the same instant."""
    span = until - since
    for number in range(users):
        user, created = new_id(rng), since + span * (number / users)
        tenant.put("users", user_row(user, number, created, rng))
        vehicle, location = new_id(rng), new_id(rng)
        tenant.put("vehicles", vehicle_row(vehicle, user, created, rng))
        tenant.put("charging-locations", location_row(location, user, number, created))
    vehicles = list(tenant.rows["vehicles"].values())
    locations = {row["userId"]: row["id"] for row in tenant.rows["charging-locations"].values()}
    for number in range(sessions):
        vehicle = rng.choice(vehicles)
        start = since + span * rng.random()
        if number % 50 == 0:
            start = since + span / 2
        end = start + timedelta(hours=rng.uniform(0.1, 20))
        tenant.put("sessions", session(new_id(rng), vehicle, locations, start, end if end < until else None, rng))
    tenant.car_models = [
        {"brand": "Tesla", "model": name, "version": version, "capabilities": ["ChargeState"]}
        for name in ("Model 3", "Model Y")
        for version in ("Long Range", None)
    ]


def new_id(rng):
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def user_row(name, number, created, rng):
    return {
        "id": name, "firstName": f"Given {number}", "lastName": 'O"Family\\', "email": f"u{number}@example.org",
        "locale": rng.choice(["en", "EN", None]), "externalData": None, "defaultCountry": "NL",
        "createdAt": stamp(created), "updatedAt": stamp(created),
    }  # fmt: skip


def vehicle_row(name, user, created, rng):
    return {
        "id": name, "userId": user, "createdAt": stamp(created),
        "details": {"brand": "Tesla", "model": "Model 3", "version": None},
        "isConnected": rng.random() < 0.9, "isConnectable": True,
        "capabilities": rng.sample(["ChargeState", "StateOfCharge", "StartStopCharging"], 2),
    }  # fmt: skip


def location_row(name, user, number, created):
    return {
        "id": name, "userId": user, "coordinates": {"latitude": 52.37, "longitude": 4.9},
        "address": {
            "street": "Singel", "postalCode": "1012AB", "houseNumber": f"{number}A", "city": "Amsterdam",
            "region": None, "country": "NL", "area": None,
        },
        "createdAt": stamp(created), "updatedAt": stamp(created),
    }  # fmt: skip


def session(name, vehicle, locations, start, end, rng):
    return {
        "id": name, "userId": vehicle["userId"], "vehicleId": vehicle["id"], "chargerId": None,
        "chargingLocationId": locations[vehicle["userId"]] if rng.random() < 0.9 else None,
        "status": "Active" if end is None else rng.choice(["Complete", "ForceEnded"]),
        "calibrationState": "InProgress" if end is None else None, "isManaged": rng.random() < 0.7,
        "startTime": stamp(start), "endTime": None if end is None else stamp(end),
        "chargedEnergy": round(rng.uniform(0, 60), 2), "startBatteryLevel": rng.randrange(100),
        "endBatteryLevel": None if end is None else rng.randrange(100),
        "chargeCosts": None if end is None else round(rng.uniform(-1, 20), 4),
        "savings": None if end is None else round(rng.uniform(-1, 5), 4), "currency": None if end is None else "EUR",
    }  # fmt: skip


@contextmanager
def serving(tenant):
    """The tenant over real HTTP, in a thread of its own; yields the SMART_CHARGING_* settings."""
    loop = asyncio.new_event_loop()
    started = threading.Event()
    found = {}

    async def api(request):
        if request.headers.get("Authorization") != f"Bearer {TOKEN}" or request.headers.get("ApiKey") != API_KEY:
            return web.Response(status=401)
        status, document = tenant.answer(request.path.removeprefix("/api/v2/"), parse_qsl(request.query_string))
        date = tenant.now.strftime("%a, %d %b %Y %H:%M:%S GMT")
        if status >= 400 and isinstance(document, dict):
            document = document | {"detail": f"{SECRET} {dict(request.headers)}"}
        kind = "application/json" if status == 200 else "application/problem+json"
        return web.Response(status=status, body=json.dumps(document), content_type=kind, headers={"Date": date})

    async def token(request):
        form = await request.post()
        if (form.get("client_id"), form.get("client_secret")) != ("client", SECRET):
            return web.json_response({"error": "invalid_client"}, status=401)
        return web.json_response({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})

    async def run():
        app = web.Application()
        app.router.add_post("/token", token)
        app.router.add_get("/api/v2/{rest:.*}", api)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        found["port"] = runner.addresses[0][1]
        found["stop"] = asyncio.Event()
        started.set()
        await found["stop"].wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), daemon=True)
    thread.start()
    started.wait(10)
    address = f"http://127.0.0.1:{found['port']}"
    try:
        yield {
            "SMART_CHARGING_BASE_URL": f"{address}/api/v2",
            "SMART_CHARGING_TOKEN_URL": f"{address}/token",
            "SMART_CHARGING_AUDIENCE": "other",
            "SMART_CHARGING_CLIENT_ID": "client",
            "SMART_CHARGING_CLIENT_SECRET": SECRET,
            "SMART_CHARGING_API_KEY": API_KEY,
        }
    finally:
        loop.call_soon_threadsafe(found["stop"].set)
        thread.join(10)
        loop.close()


def seeded(seed, *, users=230, sessions=3200, **options):
    """A tenant of moderate size on a fixed day."""
    now = datetime(2026, 6, 1, 3, 0, tzinfo=timezone.utc)
    tenant = OtherTenant(now=now, **options)
    fill(tenant, random.Random(seed), users=users, sessions=sessions, since=now - timedelta(days=200), until=now)
    return tenant
