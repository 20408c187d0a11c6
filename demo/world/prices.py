"""Day-ahead prices of the tenant's time: real Belgian hours, moved by multiples of 52 weeks, in NOK.

The last whole year of the source repeats for ever, so every moment has a price, whatever day the tenant lives in,
with weekdays kept and the season about right. Negative hours occur.
Does not belong here: who pays them (tariffs.py).
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache

from demo.world.draw import Draw
from demo.world.source import source_price
from demo.world.times import DAY_MS, HOUR_MS, MINUTE_MS, local, wall_ms

NOK_PER_EUR = 11.5
FIRST_DAY = date(2023, 7, 3)
CYCLE_DAYS = 364
PUBLISHED_AT_HOUR = 13
"""Local time at which the prices of the next local day are known."""
FORECAST_DAYS = 7

QUARTERS = (0.08, 0.03, -0.03, -0.08)
"""How far the four quarters lie from their hour, as a part of its price."""


def spot_price(slot_ms: int, slot_minutes: int) -> float:
    """NOK per kWh of the slot that begins at this instant; 60 or 15 minutes."""
    hour_ms = slot_ms - slot_ms % HOUR_MS
    price = _hour_price(hour_ms)
    if slot_minutes == 60:
        return price
    return round(price + abs(price) * QUARTERS[(slot_ms - hour_ms) // (15 * MINUTE_MS)], 4)


@cache
def _hour_price(hour_ms: int) -> float:
    wall = local(hour_ms)
    day = FIRST_DAY + timedelta(days=(wall.date() - FIRST_DAY).days % CYCLE_DAYS)
    eur = source_price(day, wall.hour)
    if eur is None:
        # The hour that spring skipped in the source need not be skipped on the tenant's day.
        eur = source_price(day, wall.hour - 1)
        assert eur is not None, "the source's year has no other gap"
    return round(eur * NOK_PER_EUR, 4)


def forecast_price(slot_ms: int, slot_minutes: int, draw: Draw) -> float:
    """What was expected of the slot before its price was known: off by up to a fifth, and never quite right."""
    price = spot_price(slot_ms, slot_minutes)
    error = 0.05 + 0.15 * draw.fraction("forecast", slot_ms)
    sign = 1 if draw.chance(0.5, "forecast sign", slot_ms) else -1
    return round(price + sign * max(error * abs(price), 0.001), 4)


def known_until(now_ms: int) -> int:
    """The end of the last slot whose real price is known: today's local day, after 13:00 tomorrow's."""
    wall = local(now_ms)
    days = 2 if wall.hour >= PUBLISHED_AT_HOUR else 1
    return wall_ms(wall.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None) + timedelta(days=days))


def forecast_until(now_ms: int) -> int:
    """The end of the last slot that is forecast, a whole hour."""
    return (now_ms + FORECAST_DAYS * DAY_MS) // HOUR_MS * HOUR_MS
