"""What hangs under a user: money and messages (facts.md's rows 26 to 31).

`userId` comes from the path of the request. Names marked INF are guesses that no public source gives.
Does not belong here: which paths bring these rows and when they are asked (endpoints.py, fan_outs.py).
"""

from __future__ import annotations

from pipelines.contract.model import Answer, Field, Kind, Resource
from pipelines.contract.vocabulary import MESSAGE_TYPES, NOTIFICATION_TYPES, PAYOUT_STATUS

USER = Field("userId", Kind.UUID, "S", required=True)
"""The user of the path."""

FINANCIALS = Resource(
    name="financials",
    path="/users/{userId}/financials",
    answer=Answer.ARRAY,
    evidence="S, R:getfinancialsbyuserid",
    key=("userId", "sessionId"),
    under=("userId",),
    time="startTime",
    description="What each finished session cost and saved.",
    fields=(
        USER,
        Field("sessionId", Kind.UUID, "INF", required=True),
        Field("vehicleId", Kind.UUID, "INF"),
        Field("chargingLocationId", Kind.UUID, "INF"),
        Field("startTime", Kind.INSTANT, "INF"),
        Field("endTime", Kind.INSTANT, "INF"),
        Field("chargedEnergy", Kind.NUMBER, "INF", unit="kWh"),
        Field("chargeCosts", Kind.MONEY, "INF"),
        Field("savings", Kind.MONEY, "INF"),
        Field("currency", Kind.TEXT, "INF"),
    ),
)

MESSAGES = Resource(
    name="messages",
    path="/users/{userId}/messages",
    answer=Answer.PAGED,
    evidence="S",
    under=("userId",),
    description="Messages to users, and whether they were dismissed.",
    fields=(
        Field("id", Kind.UUID, "INF", required=True),
        USER,
        Field("type", Kind.ENUM, "S", values=MESSAGE_TYPES),
        Field("notificationType", Kind.ENUM, "S", values=NOTIFICATION_TYPES),
        Field("title", Kind.TEXT, "INF", personal=True),
        Field("body", Kind.TEXT, "INF", personal=True),
        Field("createdAt", Kind.INSTANT, "INF"),
        Field("isDismissed", Kind.FLAG, "INF"),
        Field("dismissedAt", Kind.INSTANT, "INF"),
    ),
)

REWARDS = Resource(
    name="rewards",
    path="/users/{userId}/rewards",
    answer=Answer.PAGED,
    evidence="R:getuserrewards",
    key=("userId", "sessionId"),
    under=("userId",),
    time="startTime",
    description="What each session earned its user, and whether it was paid out.",
    fields=(
        USER,
        Field("sessionId", Kind.UUID, "INF", required=True),
        Field("startTime", Kind.INSTANT, "INF"),
        Field("amount", Kind.MONEY, "INF"),
        Field("currency", Kind.TEXT, "INF"),
        Field("isPaidOut", Kind.FLAG, "INF"),
    ),
)

REWARD_BALANCES = Resource(
    name="reward_balances",
    path="/users/{userId}/rewards/balance",
    answer=Answer.ARRAY,
    evidence="R:getuserrewardsbalance",
    key=("userId", "currency"),
    under=("userId",),
    description="What a user has earned, was paid and is still owed, per currency.",
    fields=(
        USER,
        Field("currency", Kind.TEXT, "INF", required=True),
        Field("totalAmount", Kind.MONEY, "INF"),
        Field("paidOutAmount", Kind.MONEY, "INF"),
        Field("balance", Kind.MONEY, "INF"),
    ),
)

PAYOUTS = Resource(
    name="payouts",
    path="/payouts",
    answer=Answer.PAGED,
    evidence="D:customer-journey",
    description="Rewards on their way to users' bank accounts.",
    fields=(
        Field("id", Kind.UUID, "INF", required=True),
        Field("userId", Kind.UUID, "D", required=True),
        Field("amount", Kind.MONEY, "D"),
        Field("currency", Kind.TEXT, "D"),
        Field("status", Kind.ENUM, "D", values=PAYOUT_STATUS),
        Field("createdAt", Kind.INSTANT, "INF"),
    ),
)
