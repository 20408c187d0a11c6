"""Every setting, from the environment, validated before the first request.

Secrets are SecretStr and never show. Does not belong here: reading a setting anywhere else.
"""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipelines.errors import ConfigurationError

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

Hours = Annotated[float, Field(ge=0, le=24 * 366)]
Days = Annotated[float, Field(ge=0, le=366)]


CorrectionDays = Annotated[
    float, Field(ge=0, le=366, description="Sessions are corrected without a trace so long after start or end")
]


class LakeSettings(BaseSettings):
    """Where things are, and how local time is told. Enough for everything but talking to the API."""

    model_config = SettingsConfigDict(env_prefix="CHARGELAKE_", frozen=True, extra="ignore")

    home: Path = Field(default=Path("data"), description="Folder of lake, warehouse and Dagster's records")
    lake: str = Field(default="", description="Folder or object-store URL of the lake; default HOME/lake")
    time_zone: str = Field(default="Europe/Amsterdam", description="IANA name; schedule and local dates")
    correction_days: CorrectionDays = 7
    generations_kept: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=3, description="Published files kept beside the current one"
    )
    publish_personal: bool = Field(default=False, description="Publish names, e-mail, street, coordinates too")

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("expected an IANA name such as Europe/Amsterdam") from None
        return value

    @field_validator("home", "lake")
    @classmethod
    def _plain_path(cls, value: Path | str) -> Path | str:
        place = str(value)
        if "://" not in place and (odd := sorted(set(str(Path(place).absolute())) & set("[]%#?*"))):
            raise ValueError(f"expected a path without {' '.join(odd)}, which Delta and DuckDB read as patterns")
        return value

    @cached_property
    def lake_root(self) -> str:
        """Folder or URL of the lake, without a trailing slash."""
        return self.lake.rstrip("/") or str(self.home.absolute() / "lake")

    @property
    def warehouse_folder(self) -> Path:
        return self.home.absolute() / "warehouse"

    @property
    def published_file(self) -> Path:
        """The symlink that dashboards open."""
        return self.warehouse_folder / "current.duckdb"

    @property
    def build_file(self) -> Path:
        """The private database in which dbt builds; holds personal data."""
        return self.warehouse_folder / "build" / "build.duckdb"

    @property
    def dagster_folder(self) -> Path:
        return self.home.absolute() / "dagster"


class SyncSettings(BaseSettings):
    """How far windows reach back, how fast we may ask."""

    model_config = SettingsConfigDict(env_prefix="CHARGELAKE_", frozen=True, extra="ignore")

    max_concurrency: Annotated[int, Field(ge=1, le=256)] = Field(default=8, description="Requests in flight")
    max_requests_per_second: Annotated[float, Field(gt=0, le=100_000)] = Field(
        default=50, description="Upper bound of the request rate; the client slows down by itself"
    )
    max_tries: Annotated[int, Field(ge=1, le=20)] = Field(default=6, description="Tries of one request")
    timeout_seconds: Annotated[float, Field(gt=0, le=600)] = Field(default=60, description="Of one try")
    max_answer_megabytes: Annotated[int, Field(ge=1, le=1024)] = Field(default=64, description="Of one answer")
    safety_margin_seconds: Annotated[float, Field(ge=0, le=86_400)] = Field(
        default=60, description="A window ends this long before the API's now"
    )
    created_overlap_hours: Hours = Field(default=24, description="users, vehicles, charging locations")
    session_start_overlap_hours: Hours = Field(default=48, description="sessions by start; back-dated")
    session_end_overlap_hours: Annotated[float, Field(ge=48, le=24 * 366)] = Field(
        default=48, description="sessions by end; back-dated, so at least 48"
    )
    correction_days: CorrectionDays = 7
    deep_correction_days: Days = Field(default=35, description="The same reach in a deep run")
    rotation_nights: Annotated[int, Field(ge=1, le=366)] = Field(
        default=90, description="Within so many nights all of history is read again"
    )
    relist_rows: Annotated[int, Field(ge=0, le=10_000_000)] = Field(
        default=10_000, description="A list of up to so many rows is read in full every night, to see edits"
    )
    ask_all_parents: Annotated[int, Field(ge=0, le=10_000_000)] = Field(
        default=1_000, description="What no list shows is asked of up to so many parents every night; of more, in turn"
    )
    backfill_requests: Annotated[int, Field(ge=1, le=100_000_000)] = Field(
        default=50_000, description="Requests that one night spends on the history of one fan-out"
    )
    fan_out_group: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=2_000, description="Parents that are asked between two commits; what a kill costs at the most"
    )
    probe_nights: Annotated[int, Field(ge=1, le=366)] = Field(
        default=30, description="Within so many nights every location without solar energy is asked whether it has some"
    )
    price_overlap_days: Days = Field(default=1, description="Dynamic prices: so long before the watermark, every night")
    solar_overlap_days: Days = Field(default=4, description="Solar energy: the same; it is revised")
    unfinished_requests: Annotated[int, Field(ge=0, le=10_000_000)] = Field(
        default=1_000,
        description="Sessions that go on and that no window shows: so many are asked for one by one a night",
    )
    deletion_proofs: Annotated[int, Field(ge=0, le=10_000_000)] = Field(
        default=500, description="Rows that a list no longer shows: of so many a night asks whether they are gone"
    )
    on_user_deleted: Literal["mark", "anonymise", "erase"] = Field(
        default="mark",
        description="What becomes of a deleted user's rows: mark keeps them, anonymise takes names and ids out of them,"
        " erase removes them",
    )
    slice_rows: Annotated[int, Field(ge=100, le=1_000_000)] = Field(
        default=20_000, description="Rows of history that one commit carries, about"
    )

    def overlap(self, name: str) -> timedelta:
        """The overlap that a question names (contract.Question.overlap)."""
        return timedelta(hours=float(getattr(self, name)))


class ApiSettings(BaseSettings):
    """Which tenant, and who we are."""

    model_config = SettingsConfigDict(env_prefix="SMART_CHARGING_", frozen=True, extra="ignore")

    base_url: str = Field(description="for example https://smartcharging.example.com/api/v2")
    token_url: str = Field(description="the OAuth token endpoint")
    audience: str = Field(description="identifies the environment; issued with the client id", min_length=1)
    client_id: str = Field(min_length=1, description="issued per tenant")
    client_secret: SecretStr = Field(min_length=1, description="issued per tenant")
    api_key: SecretStr = Field(min_length=1, description="sent as ApiKey on every request")

    @field_validator("base_url", "token_url")
    @classmethod
    def _safe_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("expected an address such as https://host/path")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ValueError("expected https: credentials travel in every request (http only on loopback)")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("expected an address without user, password, query or fragment")
        return value.rstrip("/")

    @field_validator("base_url")
    @classmethod
    def _version_two(cls, value: str) -> str:
        if not re.search(r"/v2$", value):
            raise ValueError("expected an address that ends in /api/v2")
        return value

    @field_validator("client_id", "client_secret", "api_key", "audience")
    @classmethod
    def _printable(cls, value: str | SecretStr) -> str | SecretStr:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if not text.isascii() or not text.isprintable() or text != text.strip():
            raise ValueError("expected printable ASCII without spaces around it")
        return value


SettingsKind = TypeVar("SettingsKind", bound=BaseSettings)


def load(kind: type[SettingsKind]) -> SettingsKind:
    """The settings of one kind, from the environment.

    Raises ConfigurationError naming every bad or missing variable, one line each, never its value.
    """
    try:
        return kind()
    except ValidationError as error:
        prefix = kind.model_config.get("env_prefix", "")
        lines = []
        for problem in error.errors(include_input=False, include_url=False):
            name = str(problem["loc"][0])
            what = "is not set" if problem["type"] == "missing" else problem["msg"].removeprefix("Value error, ")
            hint = kind.model_fields[name].description or ""
            lines.append(f"{prefix}{name.upper()}: {what} ({hint})")
        raise ConfigurationError("\n".join(lines)) from None
