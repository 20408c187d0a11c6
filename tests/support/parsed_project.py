"""The dbt project, parsed once: dbt takes it over from here instead of parsing it anew in every home.

That is what dbt does in a home of its own from the second build on; models that read another setting are parsed again.
"""

from __future__ import annotations

from pathlib import Path

from pipelines.settings import LakeSettings
from warehouse.dbt import manifest_file

VARIABLE = "DBT_PARTIAL_PARSE_FILE_PATH"
"""Tells dbt where to take it from; `warehouse.project` hands the environment on."""

MODELS_ONLY = ("DBT_EXCLUDE_RESOURCE_TYPES", "test unit_test")
"""The variable that leaves dbt's tests out of builds, and how. They take a third of each."""


def parse_project(home: Path) -> None:
    manifest_file(LakeSettings(home=home))


def parsed_file(home: Path) -> Path:
    """What dbt keeps of it in a home where it was parsed."""
    return manifest_file(LakeSettings(home=home)).with_name("partial_parse.msgpack")
