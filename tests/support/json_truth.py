"""What the marts must say, worked out from a tenant's JSON: no SQL, nothing of the pipeline, the lake or the models.

Prices are found by turning every quarter of an hour into the wall clock of the address; sun is laid over sessions hour by
hour; months and plug-ins are walked row by row. Does not belong here: tenants, and what they are compared with.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from support.lake_tariffs import public_holidays

Item = dict[str, Any]
Told = dict[str, list[Item]]
ZONES = {"NO": "Europe/Oslo", "NL": "Europe/Amsterdam", "GB": "Europe/London"}
TENANT_ZONE = ZoneInfo("Europe/Amsterdam")
HOUR, QUARTER = timedelta(hours=1), timedelta(minutes=15)
START = datetime(2020, 1, 1, tzinfo=timezone.utc)


def moment_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


def as_decimal(number: float) -> Decimal:
    return Decimal(str(number)).quantize(Decimal("1e-9"))


class Addresses:
    """Country and time zone of every charging location."""

    def __init__(self, told: Told) -> None:
        self.countries = {row["id"]: row["address"]["country"] for row in told["charging_locations"]}

    def zone(self, location: str | None) -> ZoneInfo:
        return ZoneInfo(ZONES[self.countries[location]]) if location else TENANT_ZONE

    def local(self, location: str | None, text: str) -> datetime:
        return moment_of(text).astimezone(self.zone(location)).replace(tzinfo=None)


class Prices:
    """Prices by the intervals of the locations' tariffs and the slots of dynamic ones."""

    def __init__(self, told: Told, addresses: Addresses) -> None:
        self.addresses = addresses
        self.tariffs = {row["chargingLocationId"]: row for row in told["location_tariffs"]}
        self.created = {row["id"]: moment_of(row["createdAt"]) for row in told["charging_locations"]}
        self.slots = {(row["chargingLocationId"], moment_of(row["startTime"])): row for row in told["dynamic_tariffs"]}

    def is_holiday(self, location: str, day: date) -> bool:
        return (self.addresses.countries[location], day) in public_holidays()

    def at(self, location: str, moment: datetime) -> tuple[str, Decimal | None, str | None, datetime | None]:
        """Type, price, currency, and where it is dynamic the begin of the slot."""
        tariff = self.tariffs[location]
        wall = moment.astimezone(self.addresses.zone(location))
        intervals = tariff["tariffIntervals"]
        if self.is_holiday(location, wall.date()) and tariff["holidayTariffIntervals"]:
            intervals = tariff["holidayTariffIntervals"]
        clock, day = f"{wall:%H:%M}", f"{wall:%A}".lower()
        (kind,) = {
            interval["tariffType"].lower()
            for interval in intervals
            if day in (map(str.lower, interval["daysOfWeek"]) if interval["daysOfWeek"] else [day])
            and (interval["startTime"] or "00:00") <= clock < (interval["endTime"] or "24:00")
        }
        if kind == "dynamic":
            for minutes in (0, 15, 30, 45):
                start = moment - (moment - START) % QUARTER - timedelta(minutes=minutes)
                slot = self.slots.get((location, start))
                if slot and moment < moment_of(slot["endTime"]):
                    return "Dynamic", as_decimal(slot["price"]), slot["currency"], start
            return "Dynamic", None, None, None
        (layer,) = (layer for layer in tariff["tariffs"] if layer["type"].lower() == kind)
        return layer["type"], as_decimal(layer["price"]), layer["currency"], None

    def segments(self, location: str | None, start: datetime, end: datetime) -> list[tuple[Any, ...]]:
        """Nothing without a location or a tariff; of a session without length, the price of its moment."""
        if location not in self.tariffs:
            return []
        first = start - (start - START) % QUARTER
        quarters = [first + n * QUARTER for n in range(max(1, -((first - end) // QUARTER)))]
        found = []
        for price, group in groupby(quarters, key=lambda moment: self.at(location, moment)):
            moments = list(group)
            begins, ends = max(moments[0], start), min(moments[-1] + QUARTER, end)
            found.append((begins, ends, *price[:3]))
        return found


def months(told: Told, addresses: Addresses) -> dict[tuple[Any, ...], dict[str, Decimal]]:
    """agg_monthly_user_benefits by user, month and currency: only what is there, amounts exact."""
    found: dict[tuple[Any, ...], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    begun = {}
    for row in told["financials"]:
        local = addresses.local(row["chargingLocationId"], row["startTime"])
        begun[row["sessionId"]] = local.date().replace(day=1)
        month = found[row["userId"], begun[row["sessionId"]], row["currency"]]
        month["sessions"] += 1
        month["energy_kwh"] += Decimal(str(row["chargedEnergy"]))
        for ours, theirs in (("charge_costs", "chargeCosts"), ("savings", "savings")):
            if row[theirs] is not None:
                month[ours] += Decimal(str(row[theirs]))
                month["benefits"] += Decimal(str(row[theirs])) if ours == "savings" else 0
    for row in told["rewards"]:
        month = found[row["userId"], begun[row["sessionId"]], row["currency"]]
        for name in ("rewards", "benefits", *(["rewards_paid_out"] if row["isPaidOut"] else [])):
            month[name] += Decimal(str(row["amount"]))
    for row in told["payouts"]:
        if row["status"] == "PaidOut":
            paid = moment_of(row["createdAt"]).astimezone(TENANT_ZONE).date().replace(day=1)
            found[row["userId"], paid, row["currency"]]["paid_out"] += Decimal(str(row["amount"]))
    return {key: dict(month) for key, month in found.items()}


def charging_hours(session: Item) -> Iterator[tuple[datetime, float, float]]:
    """Each full hour that a session's charging touches, kWh charged in it, and the part of the hour it took."""
    if not session["chargedEnergy"] or session["endTime"] in {None, session["startTime"]}:
        return
    start, end = (moment_of(session[name]) for name in ("startTime", "endTime"))
    if not session["isManaged"] and session.get("chargeSpeed"):
        end = min(end, start + session["chargedEnergy"] / session["chargeSpeed"] * HOUR)
    power = session["chargedEnergy"] / ((end - start) / HOUR)
    hour = start.replace(minute=0, second=0, microsecond=0)
    while hour < end:
        part = (min(end, hour + HOUR) - max(start, hour)) / HOUR
        yield hour, power * part, part
        hour += HOUR


def days_of_sun(told: Told, addresses: Addresses) -> dict[tuple[str, date], dict[str, float]]:
    """agg_daily_solar by location and day: kWh produced, charged, and covered by the sun. Production is hourly."""
    sun = {(row["chargingLocationId"], moment_of(row["startTime"])): row["energy"] for row in told["solar_energy"]}
    charged: dict[tuple[str, datetime], float] = defaultdict(float)
    covered: dict[tuple[str, datetime], float] = defaultdict(float)
    for session in told["sessions"]:
        for hour, energy, part in charging_hours(session):
            key = (session["chargingLocationId"], hour)
            if key in sun:
                charged[key] += energy
                covered[key] += min(energy, sun[key] * part)
    days: dict[tuple[str, date], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for (place, hour), energy in sun.items():
        day = days[place, hour.astimezone(addresses.zone(place)).date()]
        day["energy_kwh"] += energy
        day["charged_kwh"] += charged[place, hour]
        day["estimated_solar_kwh"] += min(covered[place, hour], energy)
    return days


def as_row(session: Item) -> Item:
    """A session's JSON by the lake's names, as far as plug-ins need them."""
    same = {"id": "id", "status": "status", "userId": "user_id", "vehicleId": "vehicle_id"}
    same |= {"chargingLocationId": "charging_location_id"}
    times = {"startTime": "start_time", "endTime": "end_time"}
    return {name: session[path] for path, name in same.items()} | {
        name: moment_of(session[path]) if session[path] else None for path, name in times.items()
    }


def unmanaged_reason(session: Item, told: Told) -> str | None:
    """Why a session was not steered, for a tenant whose settings are never against it."""
    if session["isManaged"]:
        return None
    if session["chargingLocationId"] is None:
        return "unknown_location"
    (car,) = (row for row in told["vehicles"] if row["id"] == session["vehicleId"])
    if not {"StartStopCharging", "GeoLocation"} <= set(car["capabilities"]):
        return "missing_capability"
    start = moment_of(session["startTime"])
    for other in told["sessions"]:
        if other["status"] == "ForceEnded" and other["userId"] == session["userId"] and other["id"] != session["id"]:
            is_soon = timedelta(0) <= start - moment_of(other["endTime"]) <= timedelta(minutes=10)
            places = {other["chargingLocationId"], session["chargingLocationId"]} - {None}
            if is_soon and len(places) == 1:
                return "after_forced_end"
    return None


def demo_costs(session: Item, segments: list[tuple[Any, ...]]) -> tuple[Decimal, Decimal]:
    """Costs and savings by the demo tenant's rule: a steered session takes the cheapest hours of its plug-in, any other
    charges at once; savings are against charging at once.
    """
    at_once = cost_in_order(session, segments)
    cheapest = cost_in_order(session, sorted(segments, key=lambda segment: segment[3]))
    costs = cheapest if session["isManaged"] else at_once
    return costs, at_once - costs


def cost_in_order(session: Item, segments: list[tuple[Any, ...]]) -> Decimal:
    """What the energy costs if it is taken from the segments in this order, at the car's power or what is needed."""
    energy = Decimal(str(session["chargedEnergy"]))
    hours = [Decimal((end - start) // timedelta(milliseconds=1)) / 3_600_000 for start, end, *_ in segments]
    needed = min(energy / Decimal(str(session["chargeSpeed"])), sum(hours))
    if not needed:
        return energy * segments[0][3]
    cost, left = Decimal(0), needed
    for (*_, price, _), length in zip(segments, hours, strict=True):
        cost += min(left, length) / needed * energy * price
        left = max(left - length, Decimal(0))
    return cost


def other_costs(session: Item, segments: list[tuple[Any, ...]]) -> Decimal:
    """Costs by the second tenant's rule: energy at the mean of the prices that followed each other."""
    prices = [price for price, _ in groupby(price for _, _, _, price, _ in segments)]
    return Decimal(str(session["chargedEnergy"])) * sum(prices, Decimal(0)) / len(prices)
