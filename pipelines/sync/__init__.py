"""What to ask the API for, and when an answer is the truth: windows, watermarks, atomic answers, setting aside.

Does not belong here: HTTP (pipelines/client), parsing (pipelines/normalise), storage (pipelines/lake).
"""

from __future__ import annotations

from pipelines.sync.report import CollectionReport, RunReport, Status
from pipelines.sync.run import Order, ask_clock, instant_of, run_sync, sync_with
from pipelines.sync.windows import Window

__all__ = [
    "CollectionReport",
    "Order",
    "RunReport",
    "Status",
    "Window",
    "ask_clock",
    "instant_of",
    "run_sync",
    "sync_with",
]
