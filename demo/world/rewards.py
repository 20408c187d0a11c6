"""What users earn by charging, and what is paid out of it: rewards, payouts, balances.

Every finished session at a known location earns by the kWh. On the third of each month what was earned before the
month is paid, if it is enough; what fails or is rejected is tried again with the next month's. Money is counted in
hundredths of NOK, so that sums hold exactly.
Does not belong here: the rates (contracts.py), when a row is visible (demo/tables.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from demo.world.contracts import reward_rate
from demo.world.draw import Draw, stable_id
from demo.world.render import Item
from demo.world.sessions import Session
from demo.world.tariffs import CURRENCY
from demo.world.times import DAY_MS, HOUR_MS, iso, local, wall_ms

LEAST_PAYOUTS_HUNDREDTHS = (50_00, 50_00, 600_00)
"""From which amount on a user wants to be paid."""
CHECKED_ABOVE_HUNDREDTHS = 575_00
"""About 50 EUR: above that a person looks at the payout first."""
MONTHS_AHEAD = 3


@dataclass(frozen=True, slots=True)
class Reward:
    """Earned when its session ended. paid_ms: when payout_id paid it out; both None where none ever did."""

    session_id: str
    user_id: str
    start_ms: int
    earned_ms: int
    hundredths: int
    paid_ms: int | None = None
    payout_id: str | None = None


@dataclass(frozen=True, slots=True)
class Payout:
    """steps: the statuses that it takes, each with the moment from which it holds."""

    id: str
    user_id: str
    created_ms: int
    hundredths: int
    steps: tuple[tuple[int, str], ...]

    def status(self, now_ms: int) -> str:
        return [status for from_ms, status in self.steps if from_ms <= now_ms][-1]


@dataclass(frozen=True, slots=True)
class Account:
    """All that a user ever earns and is paid, as far as it is known by now.

    rewards: by session id. settled: what payouts that were made already pay, also for sessions that have gone since:
    of that nothing changes any more.
    """

    rewards: dict[str, Reward]
    payouts: Sequence[Payout]
    settled: dict[str, Reward]


NOTHING = Account({}, (), {})


def build_account(
    draw: Draw, user_id: str, sessions: Sequence[Session], past: Account = NOTHING, now_ms: int = 0
) -> Account:
    """The user's rewards and payouts. sessions: the user's. past: what was known before; payouts made by now stay."""
    payouts = [payout for payout in past.payouts if payout.created_ms <= now_ms]
    made = {payout.id for payout in payouts}
    settled = {id_: reward for id_, reward in (past.settled | past.rewards).items() if reward.payout_id in made}
    earned = {reward.session_id: reward for reward in _earned(draw, sessions)}
    rewards = {id_: replace(settled[id_], start_ms=reward.start_ms) for id_, reward in earned.items() if id_ in settled}
    unpaid = sorted(
        (reward for id_, reward in earned.items() if id_ not in settled), key=lambda reward: reward.earned_ms
    )
    least = draw.one_of(LEAST_PAYOUTS_HUNDREDTHS, "least payout", user_id)
    for due_ms, month_ms in _paydays(unpaid, now_ms) if draw.chance(0.8, "has bank account", user_id) else ():
        due = [reward for reward in unpaid if reward.earned_ms < month_ms]
        amount = sum(reward.hundredths for reward in due)
        if amount < least:
            continue
        payout = _payout(draw, user_id, due_ms, amount)
        payouts.append(payout)
        paid_ms, status = payout.steps[-1]
        if status == "PaidOut":
            rewards |= {reward.session_id: replace(reward, paid_ms=paid_ms, payout_id=payout.id) for reward in due}
            unpaid = unpaid[len(due) :]
    return Account(rewards | {reward.session_id: reward for reward in unpaid}, payouts, settled)


def _earned(draw: Draw, sessions: Iterable[Session]) -> Iterator[Reward]:
    for session in sessions:
        if session.end_ms is None or session.location is None:
            continue
        rate = reward_rate(draw, session.location, managed=session.is_managed)
        hundredths = round(100 * rate * session.energy_kwh)
        yield Reward(session.id, session.user_id, session.start_ms, session.end_ms, hundredths)


def _paydays(rewards: Sequence[Reward], now_ms: int) -> Iterator[tuple[int, int]]:
    """The moments of payment that are to come, and the begin of their months, over the months in which something was
    earned and some more.
    """
    if not rewards:
        return
    last = local(max(rewards[-1].earned_ms, now_ms) + 31 * MONTHS_AHEAD * DAY_MS)
    month = _next_month(local(max(rewards[0].earned_ms, now_ms - 31 * DAY_MS)).replace(tzinfo=None))
    while month <= last.replace(tzinfo=None):
        due_ms = wall_ms(month + timedelta(days=2, hours=6))
        if due_ms > now_ms:
            yield due_ms, wall_ms(month)
        month = _next_month(month)


def _next_month(moment: datetime) -> datetime:
    first = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)


def _payout(draw: Draw, user_id: str, due_ms: int, hundredths: int) -> Payout:
    what = f"{user_id}/{iso(due_ms)}"
    luck = draw.fraction("payout", what)
    steps = [(due_ms, "Pending")]
    if hundredths > CHECKED_ABOVE_HUNDREDTHS:
        steps = [(due_ms, "Draft"), (due_ms + 2 * DAY_MS, "Rejected" if luck < 0.2 else "Pending")]
    if steps[-1][1] == "Pending":
        begin_ms = steps[-1][0]
        if luck > 0.9:
            begin_ms += DAY_MS
            steps.append((begin_ms, "Retry"))
        steps.append((begin_ms + 20 * HOUR_MS, "Failed" if luck > 0.96 else "PaidOut"))
    return Payout(stable_id("payout", what), user_id, due_ms, hundredths, tuple(steps))


def reward_item(reward: Reward, now_ms: int) -> Item:
    return {
        "sessionId": reward.session_id,
        "startTime": iso(reward.start_ms),
        "amount": reward.hundredths / 100,
        "currency": CURRENCY,
        "isPaidOut": reward.paid_ms is not None and reward.paid_ms <= now_ms,
    }


def payout_item(payout: Payout, now_ms: int) -> Item:
    return {
        "id": payout.id,
        "userId": payout.user_id,
        "amount": payout.hundredths / 100,
        "currency": CURRENCY,
        "status": payout.status(now_ms),
        "createdAt": iso(payout.created_ms),
    }


def balance_items(rewards: Iterable[Item]) -> list[Item]:
    """Per currency, what the given reward items sum up to; nothing where nothing was earned."""
    total: dict[str, int] = {}
    paid: dict[str, int] = {}
    for reward in rewards:
        hundredths = round(100 * reward["amount"])
        total[reward["currency"]] = total.get(reward["currency"], 0) + hundredths
        paid[reward["currency"]] = paid.get(reward["currency"], 0) + (hundredths if reward["isPaidOut"] else 0)
    return [
        {
            "currency": currency,
            "totalAmount": hundredths / 100,
            "paidOutAmount": paid[currency] / 100,
            "balance": (hundredths - paid[currency]) / 100,
        }
        for currency, hundredths in sorted(total.items())
    ]
