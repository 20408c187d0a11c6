"""Money, messages and solar energy for lakes of tests, and what the marts must make of the money, in plain Python.

Rows are made from a seed and meant to be odd: unknown tariffs, rewards in other currencies or without financials,
figures that differ from the session's, keys that go and come back. Solar truth is in lake_solar.py.
"""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from support.lake_data import FINAL, PERSONAL_VALUES, TENANT_ZONE, ZONES, Lake, Row, Tenant, at, run_record

from pipelines.contract import RESOURCES

Key = tuple[Any, ...]


def current(lake: Lake, table: str) -> dict[Key, Row]:
    """The current row of every key that is not deleted."""
    rows: dict[Key, Row] = {}
    for row in lake.versions[table]:
        key = tuple(row[name] for name in RESOURCES[table].key_columns)
        if key not in rows or row["_synced_at"] > rows[key]["_synced_at"]:
            rows[key] = row
    return {key: row for key, row in rows.items() if not row["_deleted"]}


def zone_of(lake: Lake, location_id: str | None) -> ZoneInfo:
    place = lake.current("charging_locations").get(location_id or "", {})
    country = (place.get("address_country") or "").strip().upper()
    return ZoneInfo(ZONES.get(country, TENANT_ZONE))


def content(row: Row) -> Row:
    """What a row says, without the columns of the lake."""
    return {name: value for name, value in row.items() if not name.startswith("_")}


class Money:
    """Makes rows of what hangs under users, fitting to the sessions of a lake."""

    def __init__(self, tenant: Tenant, seed: int = 11) -> None:
        self.random = random.Random(seed)
        self.tenant = tenant

    def financials(self, sessions: list[Row]) -> list[Row]:
        ended = [session for session in sessions if session["end_time"]]
        return [self.financials_of(session) for session in ended if self.random.random() < 0.93]

    def financials_of(self, session: Row) -> Row:
        same = ("vehicle_id", "charging_location_id", "start_time", "end_time", "charged_energy", "charge_costs")
        row = {"user_id": session["user_id"], "session_id": session["id"], "savings": session["savings"]}
        row |= {name: session[name] for name in same} | {"currency": session["currency"]}
        odd = self.random.random()
        if odd < 0.05:
            row |= {"charge_costs": Decimal("7.25"), "savings": Decimal("-0.125"), "currency": "NOK"}
        elif odd < 0.08:
            row |= {"currency": None}
        elif odd < 0.11:
            row |= {"vehicle_id": None, "charging_location_id": None, "end_time": None}
        return row

    def rewards(self, sessions: list[Row]) -> list[Row]:
        return [
            {
                "user_id": session["user_id"],
                "session_id": session["id"],
                "start_time": session["start_time"],
                "amount": Decimal(self.random.randrange(10**6)).scaleb(-4),
                "currency": self.random.choice([session["currency"], "NOK", "EUR", "GBP"]),
                "is_paid_out": self.random.random() < 0.4,
            }
            for session in sessions
            if self.random.random() < 0.7
        ]

    def payouts(self, first: datetime, last: datetime) -> list[Row]:
        return [
            {
                "id": self.tenant.identifier(),
                "user_id": self.random.choice(self.tenant.users)["id"],
                "amount": Decimal(self.random.randrange(10**7)).scaleb(-5),
                "currency": self.random.choice(["NOK", "EUR"]),
                "status": self.random.choice(["Pending", "PaidOut", "PaidOut", "Failed"]),
                "created_at": first + (last - first) * self.random.random(),
            }
            for _ in range(40)
        ]

    def messages(self, first: datetime, last: datetime) -> list[Row]:
        kinds = ["InvalidCredentials", "CarNotReachable", "EndSession", "NewKind"]
        return [
            {
                "id": self.tenant.identifier(),
                "user_id": self.random.choice(self.tenant.users)["id"],
                "type": self.random.choice(kinds),
                "notification_type": self.random.choice(["SMS", "Email"]),
                "title": PERSONAL_VALUES["title"],
                "body": PERSONAL_VALUES["body"],
                "created_at": first + (last - first) * self.random.random(),
                "is_dismissed": False,
            }
            for _ in range(30)
        ]


def money_night(lake: Lake, tenant: Tenant) -> Money:
    """To be called after first_night: everything about money and messages, as read that night."""
    money, read = Money(tenant), at("2026-11-01T00:40")
    sessions = sorted(lake.current("sessions").values(), key=lambda row: row["id"])
    lake.append("financials", money.financials(sessions), read)
    lake.append("rewards", money.rewards(sessions), read)
    lake.append("payouts", money.payouts(at("2026-01-01"), at("2026-11-01")), read)
    lake.append("messages", money.messages(at("2026-01-01"), at("2026-11-01")), read)
    owed = {"total_amount": Decimal(90), "paid_out_amount": Decimal(40), "balance": Decimal(50)}
    lake.append("reward_balances", [{"user_id": tenant.users[0]["id"], "currency": "NOK"} | owed], read)
    rate = {"charging_location_id": tenant.locations[0]["id"], "managed_rate": Decimal("0.15"), "currency": "NOK"}
    lake.append("reward_rates", [rate], read)
    settings = {"vehicle_id": tenant.vehicles[0]["id"], "is_smart_charging_enabled": True, "time_zone": "Europe/Oslo"}
    lake.append("charge_settings", [settings], read)
    names = ("financials", "rewards", "solar_energy")
    lake.append("_runs", [run_record(at("2026-11-01"), name) for name in names], read)
    return money


def money_second_night(lake: Lake, money: Money) -> None:
    """To be called after second_night: new, corrected, deleted and revived rows, and payouts on their way."""
    read = at("2026-11-08T00:40")
    sessions = sorted(lake.current("sessions").values(), key=lambda row: row["id"])
    known = {row["session_id"] for row in lake.versions["financials"]}
    new = [session for session in sessions if session["id"] not in known]
    lake.append("financials", money.financials(new), read)
    lake.append("rewards", money.rewards(new), read)
    for table, odd in (("financials", "charge_costs"), ("rewards", "amount")):
        held = [content(row) for _, row in sorted(current(lake, table).items())]
        lake.append(table, [row | {odd: Decimal("3.000000001")} for row in held[:25]], read + timedelta(minutes=1))
        lake.append(table, held[15:40], read + timedelta(minutes=2), deleted=True)
        lake.append(table, held[30:34], read + timedelta(minutes=3))
    payouts = [content(row) for _, row in sorted(current(lake, "payouts").items())]
    paid = [row | {"status": "PaidOut"} for row in payouts if row["status"] == "Pending"]
    lake.append("payouts", paid, read)
    lake.append("payouts", payouts[:3], read + timedelta(minutes=1), deleted=True)
    lake.append("messages", money.messages(at("2026-11-01"), at("2026-11-08")), read)


def expected_financials(lake: Lake, known_until: datetime, correction_days: float = 7) -> dict[Key, Row]:
    """fct_financials by (user_id, session_id), without SQL."""
    sessions = {key: row for key, row in lake.current("sessions").items() if not row["_deleted"]}
    amounts, rewards = current(lake, "financials"), current(lake, "rewards")
    begins = known_until - timedelta(days=correction_days)
    facts: dict[Key, Row] = {}
    for key in amounts.keys() | rewards.keys():
        money, reward, session = amounts.get(key, {}), rewards.get(key, {}), sessions.get(key[1], {})
        location = money.get("charging_location_id") or session.get("charging_location_id")
        start = money.get("start_time") or reward.get("start_time") or session.get("start_time")
        end = money.get("end_time") or session.get("end_time")
        local = start.astimezone(zone_of(lake, location)).replace(tzinfo=None)
        if session:
            lasts = session["end_time"] is not None and session["end_time"] >= begins
            provisional = session["status"] not in FINAL or session["start_time"] >= begins or lasts
        else:
            provisional = start >= begins or (end is not None and end >= begins)
        benefits, currency = benefits_of(money, reward)
        energy, costs = money.get("charged_energy"), money.get("charge_costs")
        facts[key] = {
            "user_id": key[0],
            "session_id": key[1],
            "vehicle_id": money.get("vehicle_id") or session.get("vehicle_id"),
            "charging_location_id": location,
            "started_at": start,
            "ended_at": end,
            "time_zone": zone_of(lake, location).key,
            "start_local": local,
            "local_date": local.date(),
            "local_month": local.date().replace(day=1),
            "energy_kwh": energy,
            "charge_costs": costs,
            "savings": money.get("savings"),
            "currency": money.get("currency"),
            "price_per_kwh": float(costs) / energy if costs is not None and energy else None,
            "reward_amount": reward.get("amount"),
            "reward_currency": reward.get("currency"),
            "is_reward_paid_out": reward.get("is_paid_out"),
            "benefits": benefits,
            "benefits_currency": currency,
            "agrees_with_session": agrees(money, session) if money and session else None,
            "is_provisional": provisional,
            "synced_at": max(row["_synced_at"] for row in (money, reward) if row),
        }
    return facts


def benefits_of(money: Row, reward: Row) -> tuple[Decimal | None, str | None]:
    """What is known of savings and reward, where they are of one currency, and which that is."""
    savings, earned = money.get("savings"), reward.get("amount")
    if savings is None and money.get("currency") is None:
        return earned, reward.get("currency") if earned is not None else None
    same = money.get("currency") is not None and money.get("currency") == reward.get("currency")
    if savings is None:
        return (earned, reward["currency"]) if same and earned is not None else (None, None)
    return savings + (earned if same and earned is not None else 0), money.get("currency")


def agrees(money: Row, session: Row) -> bool:
    names = ("charged_energy", "charge_costs", "savings", "currency")
    both = [(money[name], session[name]) for name in names]
    return all(mine == theirs for mine, theirs in both if mine is not None and theirs is not None)


def expected_months(lake: Lake, facts: dict[Key, Row]) -> dict[Key, Row]:
    """agg_monthly_user_benefits by (user_id, local_month, currency): only what is there, amounts exact."""
    months: dict[Key, dict[str, Any]] = defaultdict(lambda: defaultdict(Decimal))
    for fact in facts.values():
        month = months[fact["user_id"], fact["local_month"], fact["currency"]]
        month["sessions"] += 1
        for name in ("charge_costs", "savings", "energy_kwh"):
            if fact[name] is not None:
                month[name] += Decimal(str(fact[name]))
        if fact["savings"] is not None:
            month["benefits"] += fact["savings"]
        if fact["reward_amount"] is not None:
            earned = months[fact["user_id"], fact["local_month"], fact["reward_currency"]]
            earned["rewards"] += fact["reward_amount"]
            earned["benefits"] += fact["reward_amount"]
            if fact["is_reward_paid_out"]:
                earned["rewards_paid_out"] += fact["reward_amount"]
    for payout in current(lake, "payouts").values():
        if payout["status"] == "PaidOut":
            month = months[payout["user_id"], month_of(payout["created_at"]), payout["currency"]]
            month["paid_out"] += payout["amount"]
    return {key: dict(month) for key, month in months.items()}


def month_of(moment: datetime) -> date:
    return moment.astimezone(ZoneInfo(TENANT_ZONE)).date().replace(day=1)
