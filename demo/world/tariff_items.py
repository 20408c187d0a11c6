"""Tariffs, prices and solar energy of a location, and what a session was charged by, as JSON items.

Does not belong here: the tariffs themselves (tariffs.py, prices.py), solar panels (solar.py).
"""

from __future__ import annotations

from collections.abc import Iterator

from demo.world.draw import Draw
from demo.world.people import Location
from demo.world.prices import forecast_price, forecast_until, known_until, spot_price
from demo.world.render import Item
from demo.world.sessions import Session
from demo.world.tariffs import CURRENCY, Interval, Tariff, segments
from demo.world.times import HOUR_MS, MINUTE_MS, iso


def location_tariffs_item(draw: Draw, location: Location) -> Item | None:
    """The location's tariff; None where nobody told of one."""
    tariff = location.tariff
    if tariff is None:
        return None
    # The API is not known to spell days in one way.
    capital = draw.chance(0.3, "day casing", location.id)
    return {
        "chargingLocationId": location.id,
        "offPeakChargingOnly": tariff.off_peak_only,
        "tariffs": [
            {"currency": None if tariff.is_dynamic else CURRENCY, "price": price, "type": type_}
            for type_, price in tariff.prices.items()
        ],
        "tariffIntervals": [_interval(interval, tariff, capital=capital) for interval in tariff.intervals],
        "holidayTariffIntervals": None
        if tariff.holiday_intervals is None
        else [_interval(interval, tariff, capital=capital) for interval in tariff.holiday_intervals],
    }


def _interval(interval: Interval, tariff: Tariff, *, capital: bool) -> Item:
    is_untimed = tariff.is_dynamic
    return {
        "startTime": None if is_untimed else f"{interval.from_hour:02d}:00",
        "endTime": None if is_untimed else f"{interval.to_hour:02d}:00",
        "daysOfWeek": [day.capitalize() if capital else day for day in interval.days],
        "tariffType": interval.type[0].lower() + interval.type[1:],
    }


def dynamic_tariff_items(draw: Draw, location: Location, start_ms: int, end_ms: int, now_ms: int) -> Iterator[Item]:
    """The prices of the slots that begin in [start, end): from the location's first hour to a week ahead of now.

    Nothing where the tariff is not dynamic.
    """
    tariff = location.tariff
    if tariff is None or not tariff.is_dynamic:
        return
    step_ms = tariff.slot_minutes * MINUTE_MS
    known_ms = known_until(now_ms)
    first_ms = max(start_ms, first_price_ms(location))
    for slot_ms in range(-(-first_ms // step_ms) * step_ms, min(end_ms, forecast_until(now_ms)), step_ms):
        is_known = slot_ms < known_ms
        yield {
            "startTime": iso(slot_ms),
            "endTime": iso(slot_ms + step_ms),
            "price": spot_price(slot_ms, tariff.slot_minutes)
            if is_known
            else forecast_price(slot_ms, tariff.slot_minutes, draw),
            "currency": CURRENCY,
            "dataType": "Actual" if is_known else "Forecast",
        }


def first_price_ms(location: Location) -> int:
    """The hour in which the location was made, or got its tariff."""
    return _first_hour_ms(max(location.created_ms, location.tariff_since_ms))


def _first_hour_ms(created_ms: int) -> int:
    return created_ms // HOUR_MS * HOUR_MS


def solar_items(location: Location, start_ms: int, end_ms: int, now_ms: int) -> Iterator[Item]:
    """The hours that begin in [start, end) and are over; from the location's first hour on, nights included."""
    if location.panels is None:
        return
    first_ms = -(-max(start_ms, _first_hour_ms(location.created_ms)) // HOUR_MS) * HOUR_MS
    for hour_ms in range(first_ms, min(end_ms, now_ms - HOUR_MS + 1), HOUR_MS):
        yield {
            "startTime": iso(hour_ms),
            "endTime": iso(hour_ms + HOUR_MS),
            "energy": location.panels.told_kwh(hour_ms, now_ms),
        }


def session_tariff_items(session: Session) -> list[Item]:
    """The prices over a session that has ended, cut to it; none while it goes on or where none are known."""
    tariff = session.location.tariff if session.location else None
    if tariff is None or session.end_ms is None:
        return []
    return [
        {
            "startTime": iso(span.start_ms),
            "endTime": iso(span.end_ms),
            "price": span.price,
            "currency": CURRENCY,
            "tariffType": span.type,
        }
        for span in segments(tariff, session.start_ms, session.end_ms)
    ]


def financials_item(session: Item) -> Item:
    """What a session's own item says about its money."""
    same = ("vehicleId", "chargingLocationId", "startTime", "endTime", "chargedEnergy", "chargeCosts", "savings")
    return {"sessionId": session["id"], **{name: session[name] for name in same}, "currency": session["currency"]}
