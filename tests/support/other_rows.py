"""What the second tenant holds, and what of it lies under one user, address, car or session.

Each method whose name starts with `rows_of_` gives JSON items for the ids of one path. Does not belong here: which path
that is and what an answer looks like (other_under.py).
"""

from collections import defaultdict

from support.other_tenant import OtherTenant, stamp
from support.other_world import (
    DAY,
    DYNAMIC,
    ESTIMATED,
    HOUR,
    chance,
    floor,
    kinds_of,
    moment,
    money,
    price,
    price_step,
    sun,
)

ACTUAL = 20 * HOUR
"""So far ahead prices are known."""
FORECAST = 7 * DAY


class Holdings(OtherTenant):
    def __init__(self, *, rich=True, contract_name="energySupplierDetails", vanished=(), **options):
        super().__init__(**options)
        self.rich, self.contract_name, self.vanished = rich, contract_name, set(vanished)
        self.tariffs, self.solar, self.contracts, self.reward_rates = {}, {}, {}, {}
        self.chargers, self.charge_settings, self.messages = {}, {}, {}
        self.session_tariffs, self.session_settings, self.rewards = {}, {}, {}
        self.payouts, self.claimed = {}, {}

    def remove_user(self, user):
        """The user is deleted with everything."""
        del self.rows["users"][user]
        self.messages.pop(user, None)
        for collection in ("vehicles", "charging-locations", "sessions"):
            for row in self._of_user(collection, user):
                del self.rows[collection][row["id"]]

    def _of_user(self, collection, user):
        return [row for row in self.rows[collection].values() if row["userId"] == user]

    def rows_of_user(self, ids):
        return [self.rows["users"][ids["userId"]]]

    def rows_of_locations(self, ids):
        return [
            row
            for place in self._of_user("charging-locations", ids["userId"])
            for row in self.rows_of_location({"chargingLocationId": place["id"]})
        ]

    def rows_of_location(self, ids):
        name = ids["chargingLocationId"]
        more = {
            self.contract_name: self.contracts.get(name),
            "tariffDetails": self.tariffs.get(name),
            "chargers": self.rows_of_chargers(ids),
        }
        return [self.rows["charging-locations"][name] | (more if self.rich else {})]

    def rows_of_location_tariffs(self, ids):
        return one(self.tariffs, ids["chargingLocationId"])

    def rows_of_utility_contracts(self, ids):
        return one(self.contracts, ids["chargingLocationId"])

    def rows_of_reward_rates(self, ids):
        return one(self.reward_rates, ids["chargingLocationId"])

    def rows_of_dynamic_tariffs(self, ids, since=None, until=None):
        """From the address's first hour to a week ahead, at least those that start between the bounds."""
        name = ids["chargingLocationId"]
        if kinds_of(self.tariffs.get(name)) != DYNAMIC:
            return []
        # Only the tariff's layer is told to do without a currency where it is dynamic; a slot's price has one.
        currency, step, known = money(self.rows["charging-locations"][name])[0], price_step(name), self.now + ACTUAL
        return [
            {
                "startTime": stamp(at), "endTime": stamp(at + step), "price": price(name, at, is_forecast=at >= known),
                "currency": currency, "dataType": "Forecast" if at >= known else "Actual",
            }
            for at in self._slots(name, step, self.now + FORECAST - step, since, until)
        ]  # fmt: skip

    def rows_of_solar_energy(self, ids, since=None, until=None):
        """From the address's first hour to the last full one, at least those that start between the bounds."""
        name = ids["chargingLocationId"]
        if name not in self.solar:
            return []
        return [
            {
                "startTime": stamp(at), "endTime": stamp(at + HOUR),
                "energy": sun(name, self.solar[name], at, is_estimate=at > self.now - ESTIMATED),
            }
            for at in self._slots(name, HOUR, self.now - HOUR, since, until)
        ]  # fmt: skip

    def _slots(self, name, step, last, since, until):
        first = floor(moment(self.rows["charging-locations"][name]["createdAt"]), HOUR)
        at = first if since is None else max(first, floor(since, step))
        last = last if until is None else min(last, until)
        while at <= last:
            yield at
            at += step

    def rows_of_chargers(self, ids):
        return [
            row
            for name, charger in self.chargers.items()
            if charger["chargingLocationId"] == ids["chargingLocationId"]
            for row in self.rows_of_charger({"chargerId": name})
        ]

    def rows_of_charger(self, ids):
        state = self.rows_of_charger_states(ids)
        return [self.chargers[ids["chargerId"]] | {"chargerState": state[0] if state else None}]

    def rows_of_all_chargers(self, ids):
        return [
            row
            for place in self._of_user("charging-locations", ids["userId"])
            for row in self.rows_of_chargers({"chargingLocationId": place["id"]})
        ]

    def rows_of_charger_states(self, ids):
        """The latest reading; some never sent one."""
        name = ids["chargerId"]
        if chance(name, "silent") < 0.1:
            return []
        at = self.now - HOUR * chance(name, "delay")
        state = self._charge_state("chargerId", name)
        power = 7.4 if state == "Charging" else 0.0
        return [
            {
                "chargeState": state,
                "chargePower": None if chance(name, "meter") < 0.2 else power,
                "timeStamp": stamp(at),
            }
        ]

    def _charge_state(self, field, name):
        is_active = any(row[field] == name and row["endTime"] is None for row in self.rows["sessions"].values())
        words = ("Charging", "Charging", "Stopped") if is_active else ("Disconnected", "Disconnected", "Complete")
        return words[int(3 * chance(name, self.now.date()))]

    def rows_of_vehicles(self, ids):
        return [
            row
            for car in self._of_user("vehicles", ids["userId"])
            for row in self.rows_of_vehicle({"vehicleId": car["id"]})
        ]

    def rows_of_vehicle(self, ids):
        state = self.rows_of_vehicle_states(ids)
        more = {"chargeState": state[0] if state else None} if self.rich else {}
        return [self.rows["vehicles"][ids["vehicleId"]] | more]

    def rows_of_vehicle_states(self, ids):
        """The latest telemetry; a car that is not connected sent its last long ago, some never sent any."""
        name = ids["vehicleId"]
        car = self.rows["vehicles"][name]
        if chance(name, "silent") < 0.1:
            return []
        at = self.now - HOUR * chance(name, "delay") if car["isConnected"] else moment(car["createdAt"])
        level = int(100 * chance(name, stamp(at))) if "StateOfCharge" in car["capabilities"] else None
        return [
            {
                "batteryLevel": level, "range": None if level is None else 4 * level,
                "chargeState": self._charge_state("vehicleId", name) if car["isConnected"] else "Disconnected",
                "updatedAt": stamp(at),
            }
        ]  # fmt: skip

    def rows_of_charge_settings(self, ids):
        return one(self.charge_settings, ids["vehicleId"])

    def rows_of_last_session(self, ids):
        rows = [row for row in self.rows["sessions"].values() if row["vehicleId"] == ids["vehicleId"]]
        return [max(rows, key=lambda row: (row["startTime"], row["id"]))] if rows else []

    def rows_of_sessions(self, ids):
        return self._of_user("sessions", ids["userId"])

    def rows_of_session(self, ids):
        return one(self.rows["sessions"], ids["sessionId"])

    def rows_of_session_tariffs(self, ids):
        return self.session_tariffs.get(ids["sessionId"], [])

    def rows_of_session_settings(self, ids):
        is_active = self.rows["sessions"][ids["sessionId"]]["endTime"] is None
        return self.session_settings.get(ids["sessionId"], []) if is_active else []

    def rows_of_financials(self, ids):
        """Of sessions that ended."""
        same = ("vehicleId", "chargingLocationId", "startTime", "endTime", "chargedEnergy", "chargeCosts", "savings")
        return [
            {"sessionId": row["id"]} | {name: row[name] for name in (*same, "currency")}
            for row in self.rows_of_sessions(ids)
            if row["endTime"] is not None
        ]

    def rows_of_messages(self, ids):
        return list(self.messages.get(ids["userId"], {}).values())

    def rows_of_message(self, ids):
        return one(self.messages.get(ids["userId"], {}), ids["messageId"])

    def rows_of_rewards(self, ids):
        return [self.rewards[row["id"]] for row in self.rows_of_sessions(ids) if row["id"] in self.rewards]

    def rows_of_reward_balances(self, ids):
        amounts = defaultdict(lambda: [0, 0])
        for row in self.rows_of_rewards(ids):
            amounts[row["currency"]][row["isPaidOut"]] += round(row["amount"] * 10_000)
        return [
            {
                "currency": currency, "totalAmount": (left + paid) / 10_000,
                "paidOutAmount": paid / 10_000, "balance": left / 10_000,
            }
            for currency, (left, paid) in amounts.items()
        ]  # fmt: skip

    def rows_of_payouts(self, ids):
        return [row for row in self.payouts.values() if row["userId"] == ids["userId"]]

    def rows_of_every_payout(self, ids):
        return [row for row in self.payouts.values() if row["userId"] in self.rows["users"].keys() - self.vanished]


def one(rows, name):
    return [rows[name]] if name in rows else []
