"""What a day changes at the second tenant, and what is corrected where no list shows it."""

from datetime import timedelta

from support.other_tenant import new_id, stamp
from support.other_world import (
    DAY,
    DYNAMIC,
    HOUR,
    add_charger,
    add_location,
    add_message,
    add_session,
    add_user,
    finish,
    kinds_of,
    moment,
    money,
    reward,
    tariffs,
)

OPEN = ("Pending", "Retry", "Draft")
NEXT = {
    "Pending": ("PaidOut", "PaidOut", "Retry", "Failed"),
    "Retry": ("PaidOut", "Retry", "Failed"),
    "Draft": ("PaidOut", "Rejected"),
}


def places_of(tenant, user):
    return [row for row in tenant.rows["charging-locations"].values() if row["userId"] == user]


def any_of(rng, rows, count=1):
    rows = list(rows)
    return rng.sample(rows, min(count, len(rows)))


def ask_for_payouts(tenant, rng, at):
    """A payout of what every user has left in every currency."""
    left = {}
    for name, row in tenant.rewards.items():
        ended = name in tenant.rows["sessions"] and tenant.rows["sessions"][name]["endTime"]
        if ended and ended < stamp(at) and name not in tenant.claimed:
            left.setdefault((tenant.rows["sessions"][name]["userId"], row["currency"]), []).append(row)
    for (user, currency), rows in left.items():
        amount = round(sum(row["amount"] for row in rows), 4)
        if amount > 0:
            name = new_id(rng)
            tenant.payouts[name] = {
                "id": name, "userId": user, "amount": amount, "currency": currency,
                "status": "Draft" if amount > 50 else "Pending", "createdAt": stamp(at),
            }  # fmt: skip
            tenant.claimed |= {row["sessionId"]: name for row in rows}


def advance_payouts(tenant, rng, share):
    """Some open payouts go one step further, at least one is paid."""
    waiting = [row for row in tenant.payouts.values() if row["status"] in OPEN]
    for row in waiting:
        if row is waiting[0] or rng.random() < share:
            row["status"] = "PaidOut" if row is waiting[0] else rng.choice(NEXT[row["status"]])
            claims = [name for name, payout in tenant.claimed.items() if payout == row["id"]]
            for name in claims:
                if row["status"] == "PaidOut" and name in tenant.rewards:
                    tenant.rewards[name]["isPaidOut"] = True
                elif row["status"] not in OPEN and row["status"] != "PaidOut":
                    del tenant.claimed[name]


def night(tenant, rng):
    tenant.now += DAY
    new_and_ended_sessions(tenant, rng)
    corrected_sessions(tenant, rng)
    edits(tenant, rng)
    arrivals(tenant, rng)
    for user in any_of(rng, tenant.messages, 5):
        add_message(tenant, rng, user, tenant.now - DAY * rng.random())
    dismiss(tenant, rng, (row for rows in tenant.messages.values() for row in rows.values()), 3)
    advance_payouts(tenant, rng, 0.25)
    if tenant.now.day == 1:
        ask_for_payouts(tenant, rng, tenant.now - HOUR)


def new_and_ended_sessions(tenant, rng):
    """Starts and ends are back-dated, some to before the last night."""
    for row in list(tenant.rows["sessions"].values()):
        if row["endTime"] is None and rng.random() < 0.5:
            earliest = max(moment(row["startTime"]) + timedelta(minutes=6), tenant.now - 1.25 * DAY)
            finish(tenant, rng, row, earliest + max(tenant.now - earliest, timedelta()) * rng.random())
    cars = list(tenant.rows["vehicles"].values())
    for car in any_of(rng, cars, max(3, len(cars) // 4)):
        start = max(moment(car["createdAt"]), tenant.now - 1.25 * DAY * rng.random())
        end = start + timedelta(hours=rng.uniform(0.1, 20))
        add_session(tenant, rng, car, places_of(tenant, car["userId"]), start, end if end < tenant.now else None)


def corrected_sessions(tenant, rng):
    """Costs of sessions that ended within the last 6 days; of one the energy too, and with it an unpaid reward."""
    recent = [
        row
        for row in tenant.rows["sessions"].values()
        if row["chargeCosts"] is not None and row["endTime"] > stamp(tenant.now - 6 * DAY)
    ]
    for number, row in enumerate(any_of(rng, recent, 4)):
        row |= {"chargeCosts": round(row["chargeCosts"] + 0.01 + rng.random(), 4), "savings": round(rng.random(), 4)}
        if number == 0:
            row["chargedEnergy"] = round(row["chargedEnergy"] + 0.5, 2)
            if row["id"] not in tenant.claimed:
                reward(tenant, row)


def edits(tenant, rng):
    for user in any_of(rng, tenant.rows["users"].values()):
        user |= {"firstName": f"Renamed {rng.randrange(10**6)}", "updatedAt": stamp(tenant.now - HOUR)}
    for name in any_of(rng, [name for name in tenant.tariffs if name in tenant.rows["charging-locations"]]):
        overwrite_tariff(tenant, rng, name)
    for contract in any_of(rng, tenant.contracts.values()):
        contract |= {"contractNumber": f"C{rng.randrange(10**6):06}", "status": rng.choice(["Valid", "Invalid"])}
    for settings in any_of(rng, tenant.charge_settings.values()):
        settings["isSmartChargingEnabled"] ^= True
        settings["departureTimes"] = settings["departureTimes"] | {"monday": f"0{rng.randrange(10)}:15"}
    for name in any_of(rng, tenant.chargers):
        del tenant.chargers[name]
    for name in any_of(rng, tenant.rows["charging-locations"]):
        add_charger(tenant, rng, name)


def overwrite_tariff(tenant, rng, name):
    """Other prices, or, for every other one without layers, dynamic ones."""
    kinds = kinds_of(tenant.tariffs[name])
    if len(kinds) == 1 and rng.random() < 0.5:
        kinds = DYNAMIC
    currency = money(tenant.rows["charging-locations"][name])[0]
    tenant.tariffs[name] = tariffs(name, kinds, currency, rng)


def arrivals(tenant, rng):
    for user in any_of(rng, tenant.rows["users"].values()):
        add_location(tenant, rng, user, tenant.now - DAY * rng.random())
    created = tenant.now - DAY * rng.uniform(0.1, 0.9)
    for car in add_user(tenant, rng, created, messages=3):
        places = places_of(tenant, car["userId"])
        add_session(tenant, rng, car, places, created + 0.01 * DAY, created + 0.05 * DAY)
        add_session(tenant, rng, car, places, created + 0.08 * DAY, None)


def dismiss(tenant, rng, messages, count):
    for row in any_of(rng, [row for row in messages if not row["isDismissed"]], count):
        row |= {"isDismissed": True, "dismissedAt": stamp(tenant.now - HOUR * rng.random())}


def correct_old(tenant, rng):
    """What no nightly filter shows; returns what was touched."""
    before = stamp(tenant.now - 20 * DAY)
    old = [
        row
        for row in tenant.rows["sessions"].values()
        if row["id"] in tenant.session_tariffs and row["endTime"] and row["endTime"] < before
    ]
    sessions = sorted(old, key=lambda row: (row["endTime"], row["id"]))[-1:]
    for row in sessions:
        tenant.session_tariffs[row["id"]] = [
            part | {"price": round(part["price"] + 0.01, 5)} for part in tenant.session_tariffs[row["id"]]
        ]
    rates = any_of(rng, [name for name in tenant.reward_rates if name in tenant.rows["charging-locations"]])
    for name in rates:
        rate = tenant.reward_rates[name]
        rate["managedRate"] = round(rate["managedRate"] + 0.01, 4)
    messages = [row for rows in tenant.messages.values() for row in rows.values() if row["createdAt"] < before]
    waiting = {row["id"] for row in messages if not row["isDismissed"]}
    dismiss(tenant, rng, messages, 1)
    return {
        "session_tariffs": [row["id"] for row in sessions],
        "reward_rates": rates,
        "messages": [row["id"] for row in messages if row["isDismissed"] and row["id"] in waiting],
    }
