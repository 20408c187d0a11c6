"""The words of the API: documented enum values in v2 spelling, and how v1 spelt them.

v2 enums are open strings, so these lists say what is documented, never what is allowed.
"""

from __future__ import annotations

SESSION_STATUS = ("Active", "Complete", "ForceEnded")
"""S. v1 also had `unknown`, which v2 does not list."""

FINAL_SESSION_STATUS = frozenset({"Complete", "ForceEnded"})
"""A session in any other status, also one nobody knows, may still change and is asked again."""

CALIBRATION_STATE = ("NoSession", "NotStarted", "InProgress", "Complete")
"""S. Has a value only while the session is active."""

VEHICLE_CAPABILITIES = (
    "ChargeState",
    "StateOfCharge",
    "Charge",
    "StartStopDischarging",
    "GeoLocation",
    "DesiredStateOfCharge",
    "Pairing",
    "DepartureTimes",
    "PullTelemetry",
    "PushTelemetry",
    "GeoFencing",
    "StartStopCharging",
    "Discharge",
)
"""S lists the v1 words; PascalCase by analogy (INF). `Discharge` stands only in the Android SDK (A)."""


def v1_spelling(word: str) -> str:
    """How v1 spelt a v2 word: `ForceEnded` -> `forceEnded`, `SMS` -> `sms`."""
    return word.lower() if word.isupper() else word[:1].lower() + word[1:]


def spelling_map(values: tuple[str, ...]) -> dict[str, str]:
    """Every known spelling of the given words -> their v2 spelling."""
    return {v1_spelling(word): word for word in values} | {word: word for word in values}
