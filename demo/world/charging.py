"""When a car takes its energy while it is plugged in, and what that costs.

A managed session takes the cheapest moments of the plug-in at the car's power, an unmanaged one charges at once.
Savings are measured against charging at once at the same tariff.
Does not belong here: prices (tariffs.py), who is managed (sessions.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from demo.world.tariffs import Segment, Tariff, segments
from demo.world.times import HOUR_MS

MONEY_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Bill:
    """costs, savings: NOK. Savings are zero where there is nothing to steer: one price, or no management."""

    costs: float
    savings: float


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


def bill(tariff: Tariff, start_ms: int, end_ms: int, energy_kwh: float, power_kw: float, *, managed: bool) -> Bill:
    """What a finished session costs, and what steering it saved; NOK with four decimals."""
    spans = segments(tariff, start_ms, end_ms)
    at_once = _cost(spans, energy_by_segment(spans, energy_kwh, power_kw, managed=False))
    if not managed or tariff.is_flat:
        return Bill(costs=at_once, savings=0.0)
    steered = _cost(spans, energy_by_segment(spans, energy_kwh, power_kw, managed=True))
    return Bill(costs=steered, savings=round(at_once - steered, MONEY_DECIMALS))


def _cost(spans: list[Segment], taken: list[float]) -> float:
    # Adding zero turns a rounded -0.0 into 0.0.
    return round(sum(span.price * kwh for span, kwh in zip(spans, taken, strict=True)), MONEY_DECIMALS) + 0.0
