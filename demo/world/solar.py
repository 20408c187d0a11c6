"""Solar panels: where there are some, and what they give in an hour.

The sun's height over Trondheim gives the course of day and year, chance the weather of a day. What is told at first is
an estimate; it is revised once, a day after the local day is over.
Does not belong here: how it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from math import cos, pi, radians, sin

from demo.world.draw import Draw
from demo.world.times import HOUR_MS, from_ms, local, wall_ms

SHARE_OF_LOCATIONS = 0.4
REVISED_AFTER = timedelta(days=2)
"""Counted from the local day's begin."""

LATITUDE, LONGITUDE = radians(63.43), 10.4


@dataclass(frozen=True, slots=True)
class Panels:
    """The panels of one location. peak_kw: their power in full sun. revised: by local day, how much more they gave
    than was told of it once it was over.
    """

    draw: Draw
    peak_kw: float
    revised: Mapping[date, float] = field(default_factory=dict)

    def kwh(self, hour_ms: int) -> float:
        """What they gave in the hour that begins at this instant, in the end."""
        day = _day(hour_ms)
        weather = (0.15 + 0.85 * _weather(self.draw, day)) * self.revised.get(day, 1)
        return round(self.peak_kw * 0.85 * _sun(hour_ms) * weather, 3)

    def told_kwh(self, hour_ms: int, now_ms: int) -> float:
        """What the tenant says about the hour at a moment: at first an estimate."""
        final = self.kwh(hour_ms)
        if now_ms >= revised_ms(hour_ms):
            return final
        return round(final * (0.8 + 0.15 * self.draw.fraction("solar estimate", hour_ms)), 3)


def draw_panels(draw: Draw, location_id: str) -> Panels | None:
    """The panels of a location; None where there are none."""
    if not draw.chance(SHARE_OF_LOCATIONS, "solar", location_id):
        return None
    return Panels(draw, round(3 + 7 * draw.fraction("solar peak", location_id), 1))


@cache
def _day(hour_ms: int) -> date:
    """The local day of an hour."""
    return local(hour_ms).date()


@cache
def _weather(draw: Draw, day: date) -> float:
    """The same at all places."""
    return draw.fraction("weather", day)


@cache
def revised_ms(hour_ms: int) -> int:
    """When the hour's estimate is replaced by what it really was."""
    midnight = local(hour_ms).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    return wall_ms(midnight + REVISED_AFTER)


@cache
def _sun(hour_ms: int) -> float:
    """The sine of the sun's height in the middle of the hour; 0 by night."""
    moment = from_ms(hour_ms + HOUR_MS // 2)
    declination = radians(-23.44) * cos(2 * pi * (moment.timetuple().tm_yday + 10) / 365.25)
    solar_hour = moment.hour + moment.minute / 60 + LONGITUDE / 15
    height = sin(LATITUDE) * sin(declination) + cos(LATITUDE) * cos(declination) * cos(pi * (solar_hour - 12) / 12)
    return max(height, 0.0)
