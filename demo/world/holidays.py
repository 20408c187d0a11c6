"""Public holidays in Norway, where all of the tenant's locations are, worked out from the calendar's rules.

The warehouse has its own list; that prices agree on every holiday is a test of both.
Does not belong here: what a kWh costs on them (tariffs.py).
"""

from __future__ import annotations

from datetime import date
from functools import cache

FIXED = frozenset({(1, 1), (5, 1), (5, 17), (12, 25), (12, 26)})
"""(month, day)."""
AROUND_EASTER = frozenset({-3, -2, 0, 1, 39, 49, 50})
"""Days from Easter Sunday: Maundy Thursday to Easter Monday, Ascension Day, Whit Sunday and Monday."""


def is_holiday(day: date) -> bool:
    return (day.month, day.day) in FIXED or (day - easter(day.year)).days in AROUND_EASTER


@cache
def easter(year: int) -> date:
    """Easter Sunday by the Gregorian rule (Meeus, Jones, Butcher)."""
    century, of_century = divmod(year, 100)
    golden = year % 19
    epact = (19 * golden + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (of_century // 4) - epact - of_century % 4) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)
