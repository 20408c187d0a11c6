"""Messages to users: about sessions, cars and contracts. Types are v2's words, and one that no source lists.

Does not belong here: when a message is visible (demo/tables.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from demo.world.contracts import is_invalid
from demo.world.draw import Draw, stable_id
from demo.world.people import Household
from demo.world.render import Item
from demo.world.sessions import Session
from demo.world.times import DAY_MS, HOUR_MS, MINUTE_MS, iso

WORDS = {
    "EndSession": ("Charging is done", "Your car has been charged."),
    "ReceivedNoPower": ("No power", "Your car was plugged in but got hardly any power."),
    "SessionImpossible": ("Target not reached", "There was not enough time to reach your target."),
    "InvalidCredentials": ("Sign in again", "The connection to your car's maker was lost."),
    "InvalidUtilityContract": ("Contract unknown", "Your energy supplier does not know this contract."),
    "WinterTip": ("Winter is coming", "A cold battery charges slowly."),
}


@dataclass(frozen=True, slots=True)
class Message:
    """dismissed_ms: None where it never is."""

    id: str
    user_id: str
    type: str
    channel: str
    created_ms: int
    dismissed_ms: int | None


def build_messages(draw: Draw, household: Household, sessions: Sequence[Session]) -> Iterator[Message]:
    """Every message that the user ever gets. sessions: the user's, in order of start."""
    user_id = household.user.id
    for session in sessions:
        message = message_of(draw, session)
        if message is not None:
            yield message
    last_ms = max((session.end_ms or session.start_ms for session in sessions), default=household.user.created_ms)
    if not household.vehicle.is_connected:
        yield new_message(draw, user_id, "InvalidCredentials", household.vehicle.id, last_ms + 2 * HOUR_MS)
    for location in household.locations.values():
        if is_invalid(draw, location):
            yield new_message(draw, user_id, "InvalidUtilityContract", location.id, location.created_ms + DAY_MS)
    if draw.chance(0.4, "tip", user_id):
        yield new_message(draw, user_id, "WinterTip", user_id, household.user.created_ms + 20 * DAY_MS)


def message_of(draw: Draw, session: Session) -> Message | None:
    """What the user is told after the end of a session; None where that is nothing."""
    type_ = _about(draw, session)
    if session.end_ms is None or type_ is None:
        return None
    return new_message(draw, session.user_id, type_, session.id, session.end_ms + 5 * MINUTE_MS)


def _about(draw: Draw, session: Session) -> str | None:
    if session.energy_kwh < 0.2:
        return "ReceivedNoPower"
    if draw.chance(0.02, "impossible", session.id):
        return "SessionImpossible"
    return "EndSession" if draw.chance(0.1, "told of end", session.id) else None


def new_message(draw: Draw, user_id: str, type_: str, about: str, created_ms: int) -> Message:
    """about: what for, by which it is told apart from others of its type."""
    what = f"{type_}/{about}"
    dismissed_ms = created_ms + draw.whole(10 * DAY_MS, "dismissed after", what) + HOUR_MS
    return Message(
        id=stable_id("message", what),
        user_id=user_id,
        type=type_,
        channel=draw.one_of(("PushNotification", "PushNotification", "Email", "SMS", "Banner"), "channel", what),
        created_ms=created_ms,
        dismissed_ms=dismissed_ms if draw.chance(0.8, "is dismissed", what) else None,
    )


def message_item(message: Message, now_ms: int) -> Item:
    title, body = WORDS[message.type]
    is_dismissed = message.dismissed_ms is not None and message.dismissed_ms <= now_ms
    return {
        "id": message.id,
        "userId": message.user_id,
        "type": message.type,
        "notificationType": message.channel,
        "title": title,
        "body": body,
        "createdAt": iso(message.created_ms),
        "isDismissed": is_dismissed,
        "dismissedAt": iso(message.dismissed_ms) if is_dismissed and message.dismissed_ms is not None else None,
    }
