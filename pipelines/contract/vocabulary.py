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

CHARGE_STATE = ("Complete", "Charging", "Disconnected", "Stopped")
"""S, of cars and chargers. v1 also had `unknown`."""

TARIFF_TYPE = ("Standard", "Peak", "OffPeak", "SuperOffPeak", "Dynamic")
"""S. Intervals of a location's tariff may still be in v1's spelling."""

PRICE_DATA_TYPE = ("Actual", "Forecast")
"""S."""
FORECAST, DYNAMIC = "Forecast", "Dynamic"
"""A price that is still to become an actual; a tariff that has such prices."""

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
"""A has v1's lower case; how v2 answers spell them is not documented, PascalCase by analogy."""

SESSION_SETTING_TYPE = ("boostCharging", "currentBatteryLevel")
"""D and C, of requests; no source shows another spelling."""

PAYOUT_STATUS = ("Pending", "Retry", "Failed", "Draft", "PaidOut", "Rejected")
"""D."""
FINAL_PAYOUT_STATUS = frozenset({"PaidOut", "Failed", "Rejected"})
"""A payout in any other status is still on its way."""

NOTIFICATION_TYPES = ("PushNotification", "Email", "SMS", "Banner")
"""S."""

MESSAGE_TYPES = (
    "StartSession",
    "EndSession",
    "InvalidCredentials",
    "CarNotFound",
    "CarNotReachable",
    "ZeInteractiveToBeActivated",
    "ZeInteractiveCannotBeActivated",
    "ZeInteractiveExpiresSoon",
    "ReadyForPairing",
    "SessionImpossible",
    "CheckCarActivation",
    "ReceivedNoPower",
    "GeoLocationDisabled",
    "AudiNotPaired",
    "AudiPairingNotComplete",
    "InvalidUtilityContract",
    "ReconnectUtilityContract",
    "InvalidCredentialsBanner",
    "MyRenaultAccessRevoked",
    "AudiRemoteAccessDisabled",
    "AudiRemoteAccessDisabledBanner",
)
"""S lists the v1 words; PascalCase by analogy (INF)."""


def v1_spelling(word: str) -> str:
    """How v1 spelt a v2 word: `ForceEnded` -> `forceEnded`, `SMS` -> `sms`."""
    return word.lower() if word.isupper() else word[:1].lower() + word[1:]


def spelling_map(values: tuple[str, ...]) -> dict[str, str]:
    """Every known spelling of the given words -> their v2 spelling."""
    return {v1_spelling(word): word for word in values} | {word: word for word in values}
