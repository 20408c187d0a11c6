"""The second tenant with everything under users, addresses, cars and sessions: facts.md's rows 6 to 32.

Choices that the facts leave open are options. `truth` gives every row the tenant has, with the ids of its path beside it.
"""

import random
import re
from collections import defaultdict
from datetime import datetime, timedelta, timezone

from support import other_nights
from support.other_rows import Holdings
from support.other_tenant import stamp
from support.other_world import DAY, DYNAMIC, HOUR, add_session, add_user, kinds_of, moment

AT = "users/{userId}/charging-locations/{chargingLocationId}"
CAR = "users/{userId}/vehicles/{vehicleId}"
STAY = "users/{userId}/sessions/{sessionId}"
TIMES = ("startTimeFrom", "startTimeTo", "endTimeFrom", "endTimeTo")
ROUTES = {
    # path: what is found there, form of the answer, parameters
    "users/{userId}": ("user", "object", ()),
    "users/{userId}/charging-locations": ("locations", "array", ("area", "region", "country")),
    AT: ("location", "object", ()),
    f"{AT}/tariffs": ("location_tariffs", "object", ()),
    f"{AT}/dynamic-tariffs": ("dynamic_tariffs", "window", ("startTime", "endTime")),
    f"{AT}/solar-energy": ("solar_energy", "window", ("startTime", "endTime")),
    f"{AT}/utility-contracts": ("utility_contracts", "object", ()),
    f"{AT}/chargers": ("chargers", "array", ()),
    f"{AT}/chargers/{{chargerId}}": ("charger", "object", ()),
    f"{AT}/chargers/{{chargerId}}/state": ("charger_states", "object", ()),
    f"{AT}/reward-rate": ("reward_rates", "object", ()),
    "users/{userId}/chargers": ("all_chargers", "array", ()),
    "users/{userId}/vehicles": ("vehicles", "array", ()),
    CAR: ("vehicle", "object", ()),
    f"{CAR}/state": ("vehicle_states", "object", ()),
    f"{CAR}/sessions/last": ("last_session", "object", ()),
    f"{CAR}/charge-settings": ("charge_settings", "object", ()),
    "users/{userId}/sessions": ("sessions", "paged", TIMES),
    STAY: ("session", "object", ()),
    f"{STAY}/tariffs": ("session_tariffs", "array", ()),
    f"{STAY}/session-settings/active": ("session_settings", "array", ()),
    "users/{userId}/financials": ("financials", "array", ("vehicleId", *TIMES)),
    "users/{userId}/messages": ("messages", "paged", ("includeDismissed",)),
    "users/{userId}/messages/{messageId}": ("message", "object", ()),
    "users/{userId}/rewards": ("rewards", "paged", ("from", "to", "currency")),
    "users/{userId}/rewards/balance": ("reward_balances", "array", ("currency",)),
    "users/{userId}/payouts": ("payouts", "paged", ()),
    "payouts": ("every_payout", "paged", ()),
}
PATTERNS = [
    (re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path)), path.rsplit("}/", 1)[-1], route)
    for path, route in ROUTES.items()
]
KEYS = {
    "chargers": ("id",),
    "charger_states": ("charger_id",),
    "vehicle_states": ("vehicle_id",),
    "session_tariffs": ("session_id", "start_time", "tariff_type"),
    "session_settings": ("session_id", "type"),
    "financials": ("user_id", "session_id"),
    "location_tariffs": ("charging_location_id",),
    "dynamic_tariffs": ("charging_location_id", "start_time"),
    "utility_contracts": ("charging_location_id",),
    "solar_energy": ("charging_location_id", "start_time"),
    "messages": ("id",),
    "charge_settings": ("vehicle_id",),
    "rewards": ("user_id", "session_id"),
    "reward_balances": ("user_id", "currency"),
    "payouts": ("id",),
    "reward_rates": ("charging_location_id",),
}
UNDER = {
    "userId": ("financials", "messages", "rewards", "reward_balances", "payouts"),
    "vehicleId": ("vehicle_states", "charge_settings"),
    "sessionId": ("session_tariffs", "session_settings"),
    "chargerId": ("charger_states",),
}
"""What the tables hang under; the others hang under an address."""
SERVED_BY = {
    "utility_contracts": "utility-contracts",
    "charge_settings": "charge-settings",
    "reward_rates": "reward-rate",
    "rewards": "rewards",
    "reward_balances": "rewards/balance",
    "session_settings": "session-settings",
}


def problem(path, status, title, detail=None):
    return status, {"type": None, "title": title, "status": status, "detail": detail, "instance": f"/api/v2/{path}"}


def without_nulls(value):
    if isinstance(value, dict):
        return {name: without_nulls(part) for name, part in value.items() if part is not None}
    return [without_nulls(part) for part in value] if isinstance(value, list) else value


class FullTenant(Holdings):
    def __init__(self, *, unserved=frozenset(), none_answer="404", solar_limit_days=None, failing_users=(), **options):
        super().__init__(**options)
        self.unserved, self.failing_users = set(unserved), set(failing_users)
        self.none_answer, self.solar_limit_days = none_answer, solar_limit_days

    def night(self, rng):
        """One day passes."""
        other_nights.night(self, rng)

    def correct_old(self, rng):
        """Corrects what no nightly filter shows; returns the touched ids by table."""
        return other_nights.correct_old(self, rng)

    def truth(self, table):
        """Every row that the tenant has now, as JSON, with the ids of its path; nothing of users that vanished."""
        if self._is_hidden(table):
            return []
        level = next((level for level, tables in UNDER.items() if table in tables), "chargingLocationId")
        return [item | ids for ids in self._each(level) for item in self._find(table, ids)]

    def _is_hidden(self, table):
        if table == "payouts":
            return {"payouts", "/payouts"} <= self.unserved
        if table == "utility_contracts" and self.rich:
            return False
        return SERVED_BY.get(table) in self.unserved

    def _each(self, level):
        """The ids of every path that leads to a thing of that level."""
        if level == "userId":
            return [{level: user} for user in self.rows["users"] if user not in self.vanished]
        if level == "chargerId":
            at = defaultdict(list)
            for name, charger in self.chargers.items():
                at[charger["chargingLocationId"]].append(name)
            return [
                ids | {level: name}
                for ids in self._each("chargingLocationId")
                for name in at.get(ids["chargingLocationId"], ())
            ]
        of_user = defaultdict(list)
        collection = {"vehicleId": "vehicles", "sessionId": "sessions"}.get(level, "charging-locations")
        for name, row in self.rows[collection].items():
            of_user[row["userId"]].append(name)
        return [ids | {level: name} for ids in self._each("userId") for name in of_user.get(ids["userId"], ())]

    def respond(self, path, query):
        first, *rest = path.split("/")
        if first == "users" and rest and rest[0] in self.failing_users:
            return problem(path, 500, "broken")
        for pattern, tail, (what, form, parameters) in PATTERNS:
            if ids := pattern.fullmatch(path):
                name = "/payouts" if path == "payouts" else tail.removesuffix("/active")
                if name in self.unserved or not self._exist(ids.groupdict()):
                    return problem(path, 404, "Not Found")
                allowed = {*parameters, "pageIndex", "pageSize"} if form == "paged" else {*parameters}
                if not query.keys() <= allowed:
                    return problem(path, 400, "Bad Request", "unknown parameter")
                return self._answer(path, what, form, ids.groupdict(), query)
        return super().respond(path, query)

    def _exist(self, ids):
        """Whether every id of a path belongs to the one before it."""
        user = ids.get("userId")
        return (user is None or (user in self.rows["users"] and user not in self.vanished)) and all(
            self._owner(kind, name) == ids["chargingLocationId" if kind == "chargerId" else "userId"]
            for kind, name in ids.items()
            if kind not in {"userId", "messageId"}
        )

    def _owner(self, kind, name):
        if kind == "chargerId":
            return self.chargers.get(name, {}).get("chargingLocationId")
        kinds = {"chargingLocationId": "charging-locations", "vehicleId": "vehicles", "sessionId": "sessions"}
        return self.rows[kinds[kind]].get(name, {}).get("userId")

    def _answer(self, path, what, form, ids, query):
        try:
            if form == "window":
                return self._window(path, what, ids, query)
            rows, query = self._matching(self._find(what, ids), query)
            if form == "paged":
                return self.page(path, rows, query, "startTime" if what in {"sessions", "rewards"} else "createdAt")
            rows = self.filtered(rows, query)
        except ValueError:
            return problem(path, 400, "Bad Request", "unreadable parameter")
        if not rows and (form == "object" or self._has_no(what, ids)):
            return problem(path, 404, "Not Found")
        items = self.mangle(path, [self._shown(row) for row in rows])
        return 200, items[0] if form == "object" else items

    def _has_no(self, what, ids):
        """An ended session has no active settings, one at an unknown address no tariffs: 404, elsewhere []."""
        row = self.rows["sessions"].get(ids.get("sessionId"))
        return (what == "session_settings" and row["endTime"] is not None) or (
            what == "session_tariffs" and row["chargingLocationId"] is None
        )

    def _matching(self, rows, query):
        """The rows with the words that the query asks for, and the query's filters of time and page."""
        query = {{"from": "startTimeFrom", "to": "startTimeTo"}.get(name, name): query[name] for name in query}
        if (word := query.pop("includeDismissed", "true")) not in {"true", "false"}:
            raise ValueError(word)
        if word == "false":
            rows = [row for row in rows if not row["isDismissed"]]
        for name in {"area", "region", "country", "currency", "vehicleId"} & query.keys():
            value = query.pop(name)
            rows = [row for row in rows if (row if name in row else row["address"])[name] == value]
        return rows, query

    def _window(self, path, what, ids, query):
        if query.keys() != {"startTime", "endTime"}:
            return problem(path, 400, "Bad Request", "startTime and endTime are required")
        since, until = (datetime.strptime(query[name], "%Y-%m-%dT%H:%M:%S.%f%z") for name in ("startTime", "endTime"))
        limit = 14 if what == "dynamic_tariffs" else self.solar_limit_days
        if until < since or (limit is not None and until - since > limit * DAY):
            return problem(path, 400, "Bad Request", f"at most {limit} days")
        tariff = self.tariffs.get(ids["chargingLocationId"])
        if what == "dynamic_tariffs" and kinds_of(tariff) != DYNAMIC and self.none_answer != "empty":
            return problem(path, int(self.none_answer), "No dynamic tariff")
        rows = self._find(what, ids, since, until)
        rows = [row for row in rows if self._within(row["startTime"], stamp(since), below=False)]
        rows = [row for row in rows if self._within(row["startTime"], stamp(until), below=True)]
        return 200, self.mangle(path, [self._shown(row) for row in rows])

    def _shown(self, row):
        return without_nulls(row) if self.leave_nulls_out else row

    def _find(self, what, ids, *bounds):
        return getattr(self, f"rows_of_{what}")(ids, *bounds)


def break_financial(tenant, number):
    """Let one financial come with a text for its energy, wherever it is asked for; the id of its session."""
    broken = tenant.truth("financials")[number]["sessionId"]
    tenant.mangle = lambda _path, items: [
        item | {"chargedEnergy": "a lot"} if item.get("sessionId") == broken and "savings" in item else item
        for item in items
    ]
    return broken


def full(seed, *, users=40, sessions=400, days=60, **options):
    """A tenant of moderate size on a fixed day, with everything under its users."""
    rng, now = random.Random(seed), datetime(2026, 6, 1, 3, 0, tzinfo=timezone.utc)
    tenant, since, cars = FullTenant(now=now, **options), now - days * DAY, []
    for number in range(users):
        created = since + (now - since) * (number / users)
        cars += add_user(tenant, rng, created, messages=rng.randrange(9) if number else 130)
    places = defaultdict(list)
    for place in tenant.rows["charging-locations"].values():
        places[place["userId"]].append(place)
    for number in range(sessions):
        car = rng.choice(cars)
        created = moment(car["createdAt"])
        start = created + (now - created) * rng.random()
        end = start + timedelta(hours=rng.uniform(0.1, 20))
        if number % 20 == 0:
            start, end = max(created, now - 10 * HOUR * rng.random()), now
        add_session(tenant, rng, car, places[car["userId"]], start, end if end < now else None)
    for day in range(days):
        at = since + (day + 1) * DAY - HOUR
        other_nights.advance_payouts(tenant, rng, 0.25)
        if at.day == 1:
            other_nights.ask_for_payouts(tenant, rng, at)
    return tenant
