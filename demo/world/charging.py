"""When a car takes its energy while it is plugged in, and what that costs.

A managed session takes the cheapest moments of the plug-in at the car's power, an unmanaged one charges at once.
Savings are measured against charging at once at the same tariff.
Does not belong here: prices (tariffs.py), who is managed (sessions.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from demo.world.people import Location
from demo.world.solar import Panels
from demo.world.tariffs import Segment, Tariff, slots
from demo.world.times import HOUR_MS

MONEY_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Bill:
    """costs, savings: NOK with four decimals, None where the tariff is not known; savings are zero where there is
    nothing to steer (one price, or no management). solar_kwh: what came from the location's own panels, None where
    there are none.
    """

    costs: float | None
    savings: float | None
    solar_kwh: float | None


def charge_hours(energy_kwh: float, power_kw: float, plugged_hours: float) -> float:
    """How long the car charges: at its power, or faster where the plug-in was too short for that."""
    return min(energy_kwh / power_kw, plugged_hours)


def energy_by_segment(spans: list[Segment], energy_kwh: float, power_kw: float, *, managed: bool) -> list[float]:
    """How many kWh are taken in each of the spans of one plug-in; they sum up to the energy."""
    lengths = [(span.end_ms - span.start_ms) / HOUR_MS for span in spans]
    hours = charge_hours(energy_kwh, power_kw, sum(lengths))
    taken = [0.0] * len(spans)
    if not hours:
        taken[0] = energy_kwh
        return taken
    order = sorted(range(len(spans)), key=lambda i: spans[i].price) if managed else range(len(spans))
    left = hours
    for i in order:
        share = min(lengths[i], left)
        taken[i] = energy_kwh * share / hours
        left -= share
        if left <= 0:
            break
    return taken


UNKNOWN = Tariff({"Standard": 0.0}, ())
"""Stands for a tariff that nobody told: no hour is better than another."""


def bill(location: Location, start_ms: int, end_ms: int, energy_kwh: float, power_kw: float, *, managed: bool) -> Bill:
    """What a finished session at a location costs, what steering it saved, and what the sun gave."""
    tariff = location.tariff or UNKNOWN
    spans = slots(tariff, start_ms, end_ms)
    at_once = energy_by_segment(spans, energy_kwh, power_kw, managed=False)
    taken = energy_by_segment(spans, energy_kwh, power_kw, managed=True) if managed and not tariff.is_flat else at_once
    solar_kwh = None if location.panels is None else _solar_kwh(spans, taken, location.panels)
    if location.tariff is None:
        return Bill(None, None, solar_kwh)
    costs = _cost(spans, taken)
    return Bill(costs, round(_cost(spans, at_once) - costs, MONEY_DECIMALS), solar_kwh)


def _solar_kwh(spans: list[Segment], taken: list[float], panels: Panels) -> float:
    """In each span the sun gives what it can, at most what the car takes."""
    used = 0.0
    for span, kwh in zip(spans, taken, strict=True):
        if kwh:
            hour_ms = span.start_ms - span.start_ms % HOUR_MS
            used += min(kwh, panels.kwh(hour_ms) * (span.end_ms - span.start_ms) / HOUR_MS)
    return round(used, 3)


def _cost(spans: list[Segment], taken: list[float]) -> float:
    # Adding zero turns a rounded -0.0 into 0.0.
    return round(sum(span.price * kwh for span, kwh in zip(spans, taken, strict=True)), MONEY_DECIMALS) + 0.0
