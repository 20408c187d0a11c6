"""What is agreed for a location besides its tariff: the energy contract, and what a kWh earns. As JSON items.

Does not belong here: prices of energy (tariffs.py), what was earned (rewards.py).
"""

from __future__ import annotations

from demo.world.draw import Draw, stable_id, version_of
from demo.world.people import AGREEMENT_ID, Location
from demo.world.render import Item
from demo.world.tariffs import CURRENCY

SUPPLIERS = ("Nordlys Kraft", "Fjordstrøm", "Bakke Energi")
MANAGED_NOK_PER_KWH = (0.8, 1.0, 1.2)
UNMANAGED_NOK_PER_KWH = 0.3


def contract_item(draw: Draw, location: Location) -> Item | None:
    """The energy contract; None where nobody told of one."""
    what = version_of(location.id, location.contract_version)
    if not draw.chance(0.85, "contract", what):
        return None
    supplier = draw.one_of(SUPPLIERS, "supplier", what)
    meter_code = f"7070575{draw.whole(10**11, 'meter', what):011d}"
    return {
        "chargingLocationId": location.id,
        "name": supplier,
        "energySupplierId": stable_id("energy supplier", supplier),
        "contractNumber": f"C-{draw.whole(900_000, 'contract number', what) + 100_000}",
        "meterCode": meter_code if draw.chance(0.7, "has meter", what) else None,
        "agreementIds": [AGREEMENT_ID],
        "status": "Invalid" if is_invalid(draw, location) else "Valid",
    }


def is_invalid(draw: Draw, location: Location) -> bool:
    """Whether the supplier does not know the contract."""
    return draw.chance(0.08, "contract status", version_of(location.id, location.contract_version))


def reward_rate(draw: Draw, location: Location, *, managed: bool) -> float:
    """NOK that a kWh earns at the location."""
    what = version_of(location.id, location.rate_version)
    return draw.one_of(MANAGED_NOK_PER_KWH, "reward rate", what) if managed else UNMANAGED_NOK_PER_KWH


def reward_rate_item(draw: Draw, location: Location) -> Item:
    return {
        "currency": CURRENCY,
        "managedRate": reward_rate(draw, location, managed=True),
        "unmanagedRate": reward_rate(draw, location, managed=False),
    }
