"""What lies under the second tenant's users: addresses with tariffs and sun, cars, sessions, messages, money.

Prices and sun are pure functions of an address and an hour, so nothing of them is stored. Does not belong here: paths
and answers (other_under.py), what a day changes (other_nights.py).
"""

import math
from datetime import datetime, timedelta
from zlib import crc32
from zoneinfo import ZoneInfo

from support.lake_tariffs import public_holidays
from support.other_tenant import location_row, new_id, session, stamp, user_row, vehicle_row

COUNTRIES = {
    "NL": ("EUR", "Europe/Amsterdam", None, 0.05),
    "NO": ("NOK", "Europe/Oslo", "NO1", 0.6),
    "GB": ("GBP", "Europe/London", None, 0.04),
}
"""Currency, time zone, price area, reward per kWh."""
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LAYOUTS = {
    ("Standard",): (("00:00", "24:00", 0, 7, "standard"),),
    ("Peak", "OffPeak"): (
        ("07:00", "23:00", 0, 5, "peak"),
        ("00:00", "07:00", 0, 5, "offPeak"),
        ("23:00", "24:00", 0, 5, "offPeak"),
        ("00:00", "24:00", 5, 7, "offPeak"),
    ),
    ("Peak", "OffPeak", "SuperOffPeak"): (
        ("00:00", "05:00", 0, 7, "superOffPeak"),
        ("05:00", "06:30", 0, 5, "offPeak"),
        ("06:30", "22:30", 0, 5, "peak"),
        ("22:30", "24:00", 0, 5, "offPeak"),
        ("05:00", "24:00", 5, 7, "offPeak"),
    ),
    ("Dynamic",): ((None, None, 0, 7, "dynamic"),),
}
STANDARD, PEAK, SUPER, DYNAMIC = LAYOUTS
BY_TURNS = (STANDARD, DYNAMIC, PEAK, None, SUPER, STANDARD, PEAK)
"""Tariffs of one address after another; None: unknown."""
MESSAGE_TYPES = ("StartSession", "EndSession", "CarNotReachable", "InvalidUtilityContract", "TyrePressureLow")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ESTIMATED = 2 * DAY
"""So long the sun of an hour is an estimate."""


def moment(text):
    return datetime.fromisoformat(text)


def chance(*words):
    """A number in [0, 1) that belongs to the words."""
    return crc32("/".join(map(str, words)).encode()) / 2**32


def floor(at, step):
    return at - timedelta(seconds=at.timestamp() % step.total_seconds())


def price_step(location):
    return HOUR if chance(location, "step") < 0.5 else HOUR / 4


def price(location, at, *, is_forecast=False):
    """Currency per kWh; the forecast is always off by a little."""
    second = int(at.timestamp())
    actual = round(0.2 + 0.1 * math.sin(second / 86400 * math.tau) + 0.15 * chance(location, second) - 0.05, 5)
    return round(actual + 0.0005 + 0.03 * chance(location, second, "forecast"), 5) if is_forecast else actual


def sun(location, peak_power, at, *, is_estimate=False):
    """kWh of the hour; the estimate is too high by day."""
    height = math.sin((at.hour - 5) / 15 * math.pi)
    if not 5 < at.hour < 20:
        return 0.0
    energy = peak_power * height * (0.2 + 0.8 * chance(location, int(at.timestamp())))
    return round(energy * 1.1 + 0.01 if is_estimate else energy, 3)


def tariffs(location, kinds, currency, rng):
    spelt, level = rng.choice([str.lower, str.title]), rng.uniform(0.2, 0.5)
    holiday = {"startTime": "00:00", "endTime": "24:00", "daysOfWeek": [], "tariffType": LAYOUTS[kinds][-1][-1]}
    return {
        "chargingLocationId": location,
        "offPeakChargingOnly": len(kinds) > 1 and rng.random() < 0.3,
        "tariffs": [
            {"currency": currency, "price": round(level * (1 - 0.3 * number), 4), "type": kind}
            if kinds != DYNAMIC
            else {"currency": rng.choice([currency, ""]), "price": 0, "type": kind}
            for number, kind in enumerate(kinds)
        ],
        "tariffIntervals": [
            {"startTime": start, "endTime": end, "daysOfWeek": list(map(spelt, DAYS[first:last])), "tariffType": kind}
            for start, end, first, last, kind in LAYOUTS[kinds]
        ],
        "holidayTariffIntervals": [holiday] if rng.random() < 0.3 else None,
    }


def kinds_of(tariff):
    return tuple(part["type"] for part in tariff["tariffs"]) if tariff else ()


def money(location):
    """Currency, time zone, price area, reward per kWh at an address."""
    return COUNTRIES[location["address"]["country"]]


def session_tariffs(location, tariff, start, end):
    """The prices that applied from start to end, one row for as long as nothing changes."""
    currency, zone, *_ = money(location)
    kinds, zone = kinds_of(tariff), ZoneInfo(zone)
    step = price_step(location["id"]) if kinds == DYNAMIC else HOUR / 2
    prices = {part["type"].lower(): (part["type"], part["price"]) for part in tariff["tariffs"]}
    rows, at = [], floor(start, step)
    while at < end:
        if kinds == DYNAMIC:
            kind, cost = "Dynamic", price(location["id"], at)
        else:
            local = at.astimezone(zone)
            day, time = local.weekday(), local.strftime("%H:%M")
            layout = LAYOUTS[kinds]
            if tariff["holidayTariffIntervals"] and (location["address"]["country"], local.date()) in public_holidays():
                layout = (("00:00", "24:00", 0, 7, layout[-1][-1]),)
            kind, cost = next(
                prices[word.lower()]
                for since, until, first, last, word in layout
                if first <= day < last and since <= time < until
            )
        if rows and (rows[-1]["tariffType"], rows[-1]["price"]) == (kind, cost):
            rows[-1]["endTime"] = stamp(at + step)
        else:
            rows.append(
                {
                    "startTime": stamp(at), "endTime": stamp(at + step),
                    "tariffType": kind, "price": cost, "currency": currency,
                }
            )  # fmt: skip
        at += step
    return rows


def add_user(tenant, rng, created, *, messages):
    """A user with everything; returns the cars."""
    user = user_row(new_id(rng), len(tenant.rows["users"]), created, rng)
    user["defaultCountry"] = rng.choice(["NL", "NL", "NO", "GB"])
    tenant.put("users", user)
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
        add_location(tenant, rng, user, created)
    tenant.messages[user["id"]] = {}
    for _ in range(messages):
        add_message(tenant, rng, user["id"], created + (tenant.now - created) * rng.random())
    cars = [vehicle_row(new_id(rng), user["id"], created, rng) for _ in range(1 + (rng.random() < 0.15))]
    for car in cars:
        tenant.put("vehicles", car)
        if rng.random() < 0.8:
            tenant.charge_settings[car["id"]] = charge_settings(user, rng)
    return cars


def add_location(tenant, rng, user, created):
    number, name = len(tenant.rows["charging-locations"]), new_id(rng)
    location = location_row(name, user["id"], number, created)
    country = user["defaultCountry"] if rng.random() < 0.9 else "NL"
    currency, _, area, rate = COUNTRIES[country]
    location["address"] |= {"country": country, "area": area}
    tenant.put("charging-locations", location)
    if kinds := BY_TURNS[number % len(BY_TURNS)]:
        tenant.tariffs[name] = tariffs(name, kinds, currency, rng)
    if rng.random() < 0.6:
        add_charger(tenant, rng, name)
    if rng.random() < 0.4:
        tenant.solar[name] = round(rng.uniform(2, 9), 1)
    if rng.random() < 0.7:
        tenant.contracts[name] = {
            "chargingLocationId": name, "name": rng.choice(["Groen & Co", None]), "energySupplierId": new_id(rng),
            "contractNumber": f"C{rng.randrange(10**6):06}", "meterCode": rng.choice([f"871{number:015}", None]),
            "status": "Valid",
        }  # fmt: skip
    if rng.random() < 0.9:
        less = round(rate / 4, 4) if rng.random() < 0.5 else None
        tenant.reward_rates[name] = {"currency": currency, "managedRate": rate, "unmanagedRate": less}


def add_charger(tenant, rng, location):
    name = new_id(rng)
    tenant.chargers[name] = {
        "id": name, "chargingLocationId": location, "externalId": rng.choice([None, f"NL*EVB*{name[:6]}"]),
        "detail": {"brand": rng.choice(["Easee", "Zaptec"]), "model": rng.choice(["Home", None])},
    }  # fmt: skip


def add_message(tenant, rng, user, at):
    name, is_dismissed = new_id(rng), rng.random() < 0.3
    kind = rng.choice(MESSAGE_TYPES)
    tenant.messages[user][name] = {
        "id": name, "type": kind, "notificationType": rng.choice(["PushNotification", "Email", "SMS", "Banner"]),
        "title": f"About your car: {kind}", "body": rng.choice(['Håll "utkik" ☀', "See the app.", None]),
        "createdAt": stamp(at), "isDismissed": is_dismissed,
        "dismissedAt": stamp(at + (tenant.now - at) * rng.random()) if is_dismissed else None,
    }  # fmt: skip


def charge_settings(user, rng):
    return {
        "isSmartChargingEnabled": rng.random() < 0.9, "enableSmartChargingAt": None,
        "departureTimes": {day.lower(): rng.choice(["07:30", "06:00", None]) for day in DAYS},
        "timeZone": COUNTRIES[user["defaultCountry"]][1], "directChargingBatteryLevel": rng.randrange(0, 60, 5),
        "desiredBatteryLevel": rng.randrange(50, 101, 5), "defaultStartBatteryLevel": rng.choice([None, 40]),
        "isSolarChargingEnabled": rng.random() < 0.4, "isBidirectionalChargingEnabled": rng.choice([None, False]),
    }  # fmt: skip


def add_session(tenant, rng, car, places, start, end):
    """A session of the car at one of the user's places or elsewhere; active without an end."""
    known = [place["id"] for place in places if place["createdAt"] <= stamp(start)]
    row = session(new_id(rng), car, {car["userId"]: rng.choice(known) if known else None}, start, None, rng)
    at_hand = [
        name for name in tenant.chargers if tenant.chargers[name]["chargingLocationId"] == row["chargingLocationId"]
    ]
    row["chargerId"] = at_hand[0] if at_hand and rng.random() < 0.7 else None
    tenant.put("sessions", row)
    if end is not None:
        finish(tenant, rng, row, end)
    else:
        tenant.session_settings[row["id"]] = [
            setting
            for setting in (
                {"type": "boostCharging", "enabled": rng.random() < 0.5},
                {"type": "currentBatteryLevel", "currentSateOfCharge": rng.randrange(100)},
            )
            if rng.random() < 0.6
        ]


def finish(tenant, rng, row, end):
    """The session ends: costs and prices where the tariff is known, a reward where there is a rate."""
    row |= {
        "status": rng.choice(["Complete", "Complete", "Complete", "ForceEnded"]), "calibrationState": None,
        "endTime": stamp(end), "endBatteryLevel": rng.randrange(100), "chargedEnergy": round(rng.uniform(0, 60), 2),
    }  # fmt: skip
    tenant.session_settings.pop(row["id"], None)
    name = row["chargingLocationId"]
    location = tenant.rows["charging-locations"].get(name)
    if location and (tariff := tenant.tariffs.get(name)):
        parts = session_tariffs(location, tariff, moment(row["startTime"]), end)
        tenant.session_tariffs[row["id"]] = parts
        row |= {
            "chargeCosts": round(row["chargedEnergy"] * sum(part["price"] for part in parts) / len(parts), 4),
            "savings": 0.0 if kinds_of(tariff) == STANDARD else round(rng.uniform(-1, 5), 4),
            "currency": money(location)[0],
        }
    reward(tenant, row)


def reward(tenant, row):
    rate = tenant.reward_rates.get(row["chargingLocationId"])
    per_kwh = rate and rate["managedRate" if row["isManaged"] else "unmanagedRate"]
    if per_kwh is not None:
        tenant.rewards[row["id"]] = {
            "sessionId": row["id"], "startTime": row["startTime"], "amount": round(per_kwh * row["chargedEnergy"], 4),
            "currency": rate["currency"], "isPaidOut": False,
        }  # fmt: skip
