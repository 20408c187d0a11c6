"""What a kWh costs at a location, at any moment: the one place that everything about money agrees with.

Belongs here: kinds of tariffs, their weekly intervals, and the price segments of a span of time.
Does not belong here: what a session costs (charging.py), JSON (render.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

from demo.world.draw import Draw
from demo.world.holidays import is_holiday
from demo.world.prices import spot_price
from demo.world.times import HOUR_MS, MINUTE_MS, local

CURRENCY = "NOK"
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WORKDAYS, WEEKEND = DAYS[:5], DAYS[5:]


@dataclass(frozen=True, slots=True)
class Interval:
    """A part of the local day, in whole hours [from_hour, to_hour), on some weekdays. type: v2 spelling."""

    from_hour: int
    to_hour: int
    days: tuple[str, ...]
    type: str


@dataclass(frozen=True, slots=True)
class Tariff:
    """prices: NOK per kWh by type, 0 for Dynamic. slot_minutes: of a dynamic price. intervals cover the week."""

    prices: Mapping[str, float]
    intervals: tuple[Interval, ...]
    holiday_intervals: tuple[Interval, ...] | None = None
    off_peak_only: bool = False
    slot_minutes: int = 60

    @property
    def is_dynamic(self) -> bool:
        return "Dynamic" in self.prices

    @property
    def is_flat(self) -> bool:
        return "Standard" in self.prices


@dataclass(frozen=True, slots=True)
class Segment:
    """A span of time with one price, NOK per kWh."""

    start_ms: int
    end_ms: int
    type: str
    price: float


def _all_day(days: tuple[str, ...], type_: str) -> Interval:
    return Interval(0, 24, days, type_)


def _split_day(days: tuple[str, ...], marks: str) -> tuple[Interval, ...]:
    """Intervals of a day written as 24 letters: P peak, O off-peak, S super-off-peak."""
    words = {"P": "Peak", "O": "OffPeak", "S": "SuperOffPeak"}
    edges = [0, *(hour for hour in range(1, 24) if marks[hour] != marks[hour - 1]), 24]
    return tuple(Interval(start, end, days, words[marks[start]]) for start, end in pairwise(edges))


DOUBLE = (*_split_day(WORKDAYS, "O" * 7 + "P" * 16 + "O"), _all_day(WEEKEND, "OffPeak"))
TRIPLE = (
    *_split_day(WORKDAYS, "S" * 5 + "O" + "P" * 4 + "O" * 6 + "P" * 5 + "O" * 3),
    *_split_day(WEEKEND, "S" * 6 + "O" * 18),
)


def flat_tariff(price: float) -> Tariff:
    """One price, NOK per kWh, for all hours."""
    return Tariff({"Standard": price}, (_all_day(DAYS, "Standard"),))


def draw_tariff(draw: Draw, location: str, garage: str) -> Tariff | None:
    """The tariff of a location; None where nobody told the tenant."""
    kind = draw.fraction("tariff", location)
    base = round(0.9 + 0.6 * draw.fraction("tariff price", location), 4)
    if kind < 0.10:
        return None
    if kind < 0.30:
        return flat_tariff(base)
    holidays = (_all_day(DAYS, "OffPeak"),) if draw.chance(0.5, "holiday", location) else None
    off_peak_only = draw.chance(0.2, "off-peak only", location)
    if kind < 0.50:
        prices = {"Peak": round(base * 1.3, 4), "OffPeak": round(base * 0.8, 4)}
        return Tariff(prices, DOUBLE, holidays, off_peak_only)
    if kind < 0.62:
        prices = {"Peak": round(base * 1.4, 4), "OffPeak": base, "SuperOffPeak": round(base * 0.6, 4)}
        return Tariff(prices, TRIPLE, holidays, off_peak_only)
    slot_minutes = 15 if draw.chance(0.12, "quarter hours", garage) else 60
    return Tariff({"Dynamic": 0.0}, (_all_day(DAYS, "Dynamic"),), slot_minutes=slot_minutes)


def slots(tariff: Tariff, start_ms: int, end_ms: int) -> list[Segment]:
    """The price of every hour (or quarter) over [start, end), in order and without gaps; one of no length where
    start is end.
    """
    slot_ms = tariff.slot_minutes * MINUTE_MS
    found = []
    for slot in range(start_ms // slot_ms * slot_ms, max(end_ms, start_ms + 1), slot_ms):
        type_ = _type_at(tariff, slot)
        price = spot_price(slot, tariff.slot_minutes) if tariff.is_dynamic else tariff.prices[type_]
        found.append(Segment(max(slot, start_ms), min(slot + slot_ms, end_ms), type_, price))
    return found


def segments(tariff: Tariff, start_ms: int, end_ms: int) -> list[Segment]:
    """The same, with neighbouring slots of one type as one segment, unless the price is dynamic."""
    found: list[Segment] = []
    for slot in slots(tariff, start_ms, end_ms):
        if found and found[-1].type == slot.type and not tariff.is_dynamic:
            found[-1] = replace(found[-1], end_ms=slot.end_ms)
        else:
            found.append(slot)
    return found


def _type_at(tariff: Tariff, hour_ms: int) -> str:
    if len(tariff.prices) == 1:
        return next(iter(tariff.prices))
    day_is_holiday, weekday, hour = _wall(hour_ms)
    intervals = (tariff.holiday_intervals if day_is_holiday else None) or tariff.intervals
    return next(i.type for i in intervals if i.from_hour <= hour < i.to_hour and weekday in i.days)


@cache
def _wall(hour_ms: int) -> tuple[bool, str, int]:
    """Whether it is a public holiday, weekday and hour that clocks in Oslo show. Oslo is whole hours from UTC."""
    wall = local(hour_ms - hour_ms % HOUR_MS)
    return is_holiday(wall.date()), DAYS[wall.weekday()], wall.hour
