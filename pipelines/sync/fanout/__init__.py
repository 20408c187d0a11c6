"""Asking once for each user, location, vehicle or session: whom, how, and when an answer is the truth.

marks.py says what is remembered, reasons.py and choosing.py whom to ask, forms.py, paged.py and rich.py how, writing.py
what becomes of it; fan_out.py runs a plan, unit.py is the way in.
Does not belong here: the tenant's own lists (the modules beside this package).
"""

from __future__ import annotations

from pipelines.sync.fanout.marks import known_until
from pipelines.sync.fanout.unit import forget_pending, plan_unit, run_unit

__all__ = ["forget_pending", "known_until", "plan_unit", "run_unit"]
