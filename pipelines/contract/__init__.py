"""The API as data: every resource's path, filters, key, fields and words.

The only place with names of the API. A resource's whole story is found here by its name.
Does not belong here: how to ask, read, store or model it.
"""

from __future__ import annotations

from pipelines.contract.model import Answer, Change, Field, Kind, Question, Resource, column_name
from pipelines.contract.tenant_lists import (
    CHARGING_LOCATIONS,
    SESSIONS,
    SUPPORTED_CAR_MODELS,
    USERS,
    VEHICLES,
)

MAX_PAGE_SIZE = 100
"""The API's limit on `pageSize` (S)."""

RESOURCES: dict[str, Resource] = {
    resource.name: resource for resource in (USERS, VEHICLES, CHARGING_LOCATIONS, SESSIONS, SUPPORTED_CAR_MODELS)
}
"""Every lake table that holds data of the tenant, parents before children."""

__all__ = [
    "MAX_PAGE_SIZE",
    "RESOURCES",
    "Answer",
    "Change",
    "Field",
    "Kind",
    "Question",
    "Resource",
    "column_name",
]
