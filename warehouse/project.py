"""Where the dbt project is, where dbt may write, and the environment it runs in: one place for all callers.

The project itself is never written to (it may be installed read-only): parsed state, artefacts and logs go under
CHARGELAKE_HOME. Does not belong here: running dbt (warehouse/dbt.py), what is built (build.py).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path

from pipelines.errors import WarehouseError
from pipelines.settings import LakeSettings, SyncSettings, load

PROJECT_FOLDER = Path(__file__).resolve().parent
"""Holds dbt_project.yml and profiles.yml; both dbt's project and profiles directory."""

PUBLIC_SCHEMAS = ("marts", "ops")
"""Schemas that are always published."""

PERSONAL_SCHEMA = "personal"
"""Published only where CHARGELAKE_PUBLISH_PERSONAL says so."""

_PARTS = ("dbt_project.yml", "profiles.yml", "models", "macros", "seeds", "tests")


def dbt_folder(settings: LakeSettings) -> Path:
    """Everything that dbt writes beside the build database."""
    return settings.warehouse_folder / "dbt"


def target_folder(settings: LakeSettings) -> Path:
    """The target-path of builds: parsed state, compiled SQL, results."""
    return dbt_folder(settings) / "target"


def log_folder(settings: LakeSettings) -> Path:
    """The log-path of every run."""
    return dbt_folder(settings) / "logs"


def dbt_executable() -> str:
    """The dbt of this environment, not the first one on PATH."""
    beside = Path(sys.executable).parent / "dbt"
    found = str(beside) if beside.exists() else shutil.which("dbt")
    if not found:
        raise WarehouseError(f"expected dbt beside {sys.executable}; install chargelake's dependencies (dbt-duckdb)")
    return found


def environment(settings: LakeSettings) -> dict[str, str]:
    """What dbt's process needs in its environment beside the usual.

    Unit tests are left out of builds, unless dbt's own variable says what shall be.

    The build file is named from the target folder, where dbt works: its path is part of what dbt parses, and so the
    parsed project stays good when the home is moved.
    """
    return {
        "CHARGELAKE_BUILD_FILE": os.path.relpath(settings.build_file.resolve(), target_folder(settings).resolve()),
        "CHARGELAKE_TIME_ZONE": settings.time_zone,
        "CHARGELAKE_CORRECTION_DAYS": repr(float(settings.correction_days)),
        "CHARGELAKE_SOLAR_OVERLAP_DAYS": repr(solar_revision_days()),
        "DBT_PROJECT_DIR": str(PROJECT_FOLDER),
        "DBT_PROFILES_DIR": str(PROJECT_FOLDER),
        "DBT_TARGET_PATH": str(target_folder(settings)),
        "DBT_LOG_PATH": str(log_folder(settings)),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
        "DBT_EXCLUDE_RESOURCE_TYPES": os.environ.get("DBT_EXCLUDE_RESOURCE_TYPES", "unit_test"),
        "DBT_USE_COLORS": "false",
    }


def solar_revision_days() -> float:
    """How far back every night reads solar energy again, days: inside that, figures are provisional."""
    return float(load(SyncSettings).solar_overlap_days)


def process_environment(settings: LakeSettings) -> dict[str, str]:
    """The whole environment of a dbt process: this one's without the API's secrets, and `environment`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SMART_CHARGING_")}
    return inherited | environment(settings)


def project_files() -> list[Path]:
    """Every file of the dbt project, in a fixed order."""
    files: list[Path] = []
    for part in _PARTS:
        path = PROJECT_FOLDER / part
        files += sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return files


def project_fingerprint() -> str:
    """Changes when any file of the dbt project changes."""
    digest = hashlib.sha256()
    for path in project_files():
        digest.update(str(path.relative_to(PROJECT_FOLDER)).encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def model_tables(*schemas: str) -> list[str]:
    """The tables that the project builds in these schemas, as `schema.name`. A folder of models is a schema."""
    return sorted(
        f"{schema}.{path.stem}" for schema in schemas for path in (PROJECT_FOLDER / "models" / schema).glob("*.sql")
    )
