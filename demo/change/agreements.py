"""What is overwritten without a trace: tariffs, contracts, rewards, settings; and what things tell of themselves.

Does not belong here: sessions that were charged by a wrong tariff (corrections.py).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from demo.change.model import Change
from demo.change.occasion import Occasion
from demo.world.contracts import contract_item, reward_rate
from demo.world.messages import WORDS, Message, message_item, new_message
from demo.world.people import Location
from demo.world.solar import REVISED_AFTER
from demo.world.tariffs import Tariff, draw_tariff
from demo.world.times import DAY_MS, local


def new_tariff(at: Occasion) -> Change | None:
    """Other prices or another kind of tariff. A dynamic one stays: what it had told of would be gone."""
    choices = [location for location in at.locations() if location.tariff is None or not location.tariff.is_dynamic]
    location = at.pick(choices, "where")
    tariff = None if location is None else _other_tariff(at, location)
    if location is None or tariff is None:
        return None
    overwritten = replace(location, tariff=tariff, tariff_since_ms=at.now_ms)
    return at.change("new_tariff", overwritten, places=[("location_tariffs", location.id)])


def _other_tariff(at: Occasion, location: Location) -> Tariff | None:
    drawn = (draw_tariff(at.draw, f"{location.id}/{number}", location.id) for number in range(20))
    return next((tariff for tariff in drawn if tariff is not None and tariff != location.tariff), None)


def new_contract(at: Occasion) -> Change | None:
    """Another energy contract, a first one, or none any more."""
    location = at.pick(at.locations(), "where")
    if location is None:
        return None
    draw = at.scene.world.draw
    before = contract_item(draw, location)
    versions = (replace(location, contract_version=location.contract_version + number) for number in range(1, 20))
    overwritten = next(version for version in versions if contract_item(draw, version) != before)
    return at.change("new_contract", overwritten, places=[("utility_contracts", location.id)])


def new_reward_rate(at: Occasion) -> Change | None:
    """What a kWh earns from now on; what was earned before stays."""
    location = at.pick(at.locations(), "where")
    if location is None:
        return None
    draw = at.scene.world.draw
    before = reward_rate(draw, location, managed=True)
    versions = (replace(location, rate_version=location.rate_version + number) for number in range(1, 100))
    overwritten = next(version for version in versions if reward_rate(draw, version, managed=True) != before)
    return at.change("new_reward_rate", overwritten, places=[("reward_rates", location.id)])


def new_settings(at: Occasion) -> Change | None:
    """The user wants the car to be charged otherwise."""
    household = at.pick(at.drivers(), "who")
    if household is None:
        return None
    vehicle = household.vehicle
    overwritten = replace(vehicle, settings_version=vehicle.settings_version + 1)
    return at.change("new_settings", overwritten, places=[("charge_settings", vehicle.id)])


def vehicle_reading(at: Occasion) -> Change | None:
    """A car tells of itself out of turn."""
    household = at.pick(at.drivers(), "who")
    if household is None:
        return None
    vehicle = household.vehicle
    return at.change("vehicle_reading", replace(vehicle, told_ms=at.now_ms), places=[("vehicle_states", vehicle.id)])


def charger_reading(at: Occasion) -> Change | None:
    """A charger tells of itself out of turn."""
    world = at.scene.world
    location = at.pick([location for location in at.locations() if world.charger_id(location)], "where")
    if location is None or location.charger_id is None:
        return None
    place = ("charger_states", location.charger_id)
    return at.change("charger_reading", replace(location, told_ms=at.now_ms), places=[place])


def revised_sun(at: Occasion) -> Change | None:
    """A day that was over gave more than was told of it."""
    begun_ms = at.now_ms - 4 * DAY_MS
    choices = [location for location in at.locations() if location.panels and location.created_ms < begun_ms]
    location = at.pick(choices, "where")
    if location is None or location.panels is None:
        return None
    day = local(at.now_ms).date() - REVISED_AFTER - timedelta(days=at.draw.whole(2, "day"))
    factor = location.panels.revised.get(day, 1) * (1.05 + 0.2 * at.draw.fraction("factor"))
    panels = replace(location.panels, revised={**location.panels.revised, day: factor})
    return at.change("revised_sun", replace(location, panels=panels), places=[("solar_energy", location.id)])


def message(at: Occasion) -> Change | None:
    """The user is told something."""
    user_id = at.pick(at.user_ids(), "who")
    if user_id is None:
        return None
    created_ms = at.now_ms - at.draw.whole(DAY_MS, "created")
    type_ = at.draw.one_of(list(WORDS), "type")
    return at.change("new_message", new_message(at.draw, user_id, type_, at.name, created_ms))


def dismissed_message(at: Occasion) -> Change | None:
    """The user has read something."""
    world, now_ms = at.scene.world, at.now_ms
    shown = [world.messages[user_id] for user_id in at.user_ids()]
    waiting = [message for own in shown for message in own.values() if _is_waiting(message, now_ms)]
    message = at.pick(waiting, "which")
    return None if message is None else at.change("dismissed_message", replace(message, dismissed_ms=now_ms))


def _is_waiting(message: Message, now_ms: int) -> bool:
    return message.created_ms <= now_ms and not message_item(message, now_ms)["isDismissed"]
