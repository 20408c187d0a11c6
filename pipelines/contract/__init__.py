"""The API as data: every resource's path, filters, key, fields and words.

The only place with names of the API. A resource's whole story is found here by its name.
Does not belong here: how to ask, read, store or model it.
"""

from __future__ import annotations

from pipelines.contract.endpoints import ENDPOINTS, Endpoint
from pipelines.contract.fan_outs import FAN_OUTS, FanOut
from pipelines.contract.hierarchy import LINKS, PARENTS, Link, links_under
from pipelines.contract.model import Answer, Change, Field, Kind, Question, Resource, column_name
from pipelines.contract.tenant_lists import (
    CHARGING_LOCATIONS,
    SESSIONS,
    SUPPORTED_CAR_MODELS,
    USERS,
    VEHICLES,
)
from pipelines.contract.under_locations import (
    CHARGER_STATES,
    CHARGERS,
    DYNAMIC_TARIFFS,
    LOCATION_TARIFFS,
    REWARD_RATES,
    SOLAR_ENERGY,
    UTILITY_CONTRACTS,
)
from pipelines.contract.under_users import FINANCIALS, MESSAGES, PAYOUTS, REWARD_BALANCES, REWARDS
from pipelines.contract.under_vehicles import CHARGE_SETTINGS, SESSION_SETTINGS, SESSION_TARIFFS, VEHICLE_STATES

MAX_PAGE_SIZE = 100
"""The API's limit on `pageSize` (S)."""

LISTS: dict[str, Resource] = {
    resource.name: resource for resource in (USERS, VEHICLES, CHARGING_LOCATIONS, SESSIONS, SUPPORTED_CAR_MODELS)
}
"""What a tenant can ask for as a whole, parents before children."""

RESOURCES: dict[str, Resource] = LISTS | {
    resource.name: resource
    for resource in (
        LOCATION_TARIFFS,
        UTILITY_CONTRACTS,
        CHARGERS,
        CHARGER_STATES,
        VEHICLE_STATES,
        CHARGE_SETTINGS,
        REWARD_RATES,
        SESSION_SETTINGS,
        SESSION_TARIFFS,
        PAYOUTS,
        FINANCIALS,
        REWARDS,
        REWARD_BALANCES,
        MESSAGES,
        DYNAMIC_TARIFFS,
        SOLAR_ENERGY,
    )
}
"""Every lake table that holds data of the tenant, parents before children, in the order in which they are asked."""

__all__ = [
    "ENDPOINTS",
    "FAN_OUTS",
    "LINKS",
    "LISTS",
    "MAX_PAGE_SIZE",
    "PARENTS",
    "RESOURCES",
    "Answer",
    "Change",
    "Endpoint",
    "FanOut",
    "Field",
    "Kind",
    "Link",
    "Question",
    "Resource",
    "column_name",
    "links_under",
]
