"""The car models that the tenant supports. Real brands and models; what they can do is invented.

Does not belong here: who drives one (people.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from demo.world.draw import stable_id

_READS = ("ChargeState", "StateOfCharge", "Charge", "GeoLocation")
_STEERS = (*_READS, "StartStopCharging", "PullTelemetry")


@dataclass(frozen=True, slots=True)
class CarModel:
    """battery_kwh: usable. power_kw: at an alternating-current charger."""

    brand: str
    model: str
    version: str | None
    battery_kwh: float
    power_kw: float
    capabilities: tuple[str, ...]

    @property
    def id(self) -> str:
        return stable_id("car model", f"{self.brand}/{self.model}/{self.version}")

    @property
    def can_be_managed(self) -> bool:
        return {"StartStopCharging", "GeoLocation"} <= set(self.capabilities)

    @property
    def tells_level(self) -> bool:
        return "StateOfCharge" in self.capabilities

    @property
    def sends_pushes(self) -> bool:
        return "PushTelemetry" in self.capabilities


CAR_MODELS = (
    CarModel("Audi", "e-tron", "55 quattro", 86, 11.0, (*_STEERS, "DepartureTimes")),
    CarModel("BMW", "i3", "120 Ah", 38, 11.0, (*_STEERS, "DepartureTimes", "DesiredStateOfCharge")),
    CarModel("BMW", "i4", "eDrive40", 81, 11.0, (*_STEERS, "DepartureTimes", "DesiredStateOfCharge")),
    CarModel("Hyundai", "Kona Electric", "64 kWh", 64, 7.2, (*_STEERS, "DesiredStateOfCharge")),
    CarModel("Jaguar", "I-PACE", "EV400", 85, 7.4, ("ChargeState", "StateOfCharge", "Charge", "PullTelemetry")),
    CarModel("Kia", "e-Niro", "64 kWh", 64, 7.2, _STEERS),
    CarModel("Mercedes-Benz", "EQC", "400 4MATIC", 80, 7.4, (*_READS, "PullTelemetry")),
    CarModel("Nissan", "LEAF", "40 kWh", 36, 6.6, (*_READS, "PullTelemetry")),
    CarModel("Nissan", "LEAF", "e+ 62 kWh", 56, 6.6, (*_STEERS, "StartStopDischarging")),
    CarModel("Polestar", "2", None, 75, 11.0, (*_READS, "StartStopCharging", "PushTelemetry")),
    CarModel("Renault", "ZOE", "R135", 52, 22.0, (*_STEERS, "Pairing")),
    CarModel("Tesla", "Model 3", "Long Range", 75, 11.0, (*_STEERS, "PushTelemetry", "DesiredStateOfCharge")),
    CarModel("Tesla", "Model S", "100D", 95, 16.5, (*_STEERS, "PushTelemetry", "DesiredStateOfCharge")),
    CarModel("Tesla", "Model Y", None, 75, 11.0, (*_STEERS, "PushTelemetry", "DesiredStateOfCharge")),
    CarModel("Volkswagen", "e-Golf", None, 32, 7.2, (*_STEERS, "DepartureTimes")),
    CarModel("Volkswagen", "ID.4", "Pro", 77, 11.0, (*_STEERS, "DepartureTimes", "DesiredStateOfCharge")),
    CarModel("Volvo", "XC40 Recharge", "Twin", 75, 11.0, (*_STEERS, "PushTelemetry")),
)
