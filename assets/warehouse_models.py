"""The dbt project as assets: every model an asset, every dbt test a check, dbt's sources the lake's tables.

dbt runs as a process that the warehouse starts, and dagster-dbt reads what it says: DbtCliResource would hand it
the API's secrets, ask a registry for newer versions before each run, and keep a folder of artefacts for every run.
Does not belong here: what a build is (warehouse/build.py).
"""

import json
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dagster import (
    AssetCheckEvaluation,
    AssetCheckResult,
    AssetExecutionContext,
    AssetKey,
    AssetMaterialization,
    AssetObservation,
    AssetsDefinition,
    AssetSpec,
    MetadataValue,
    Output,
    ResourceParam,
)
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtCliInvocation, DbtProject, dbt_assets
from packaging.version import Version

from assets.lake_tables import key_of
from assets.policies import FRESHNESS, WRITER_POOL
from assets.surroundings import Surroundings, clear_failures
from pipelines.errors import WarehouseError
from pipelines.lake.schemas import OPERATIONS
from warehouse.build import BuildReport, Preparation, prepare, record
from warehouse.dbt import finish_dbt, start_dbt
from warehouse.files import exclusive
from warehouse.project import PERSONAL_SCHEMA, PROJECT_FOLDER, PUBLIC_SCHEMAS, target_folder

MARTS = "marts"
AFTER_ALL_TABLES = "-1000"
"""The step's priority: records of all tables are in the models, also of tables that no model reads."""

DbtEvent = Output[Any] | AssetMaterialization | AssetObservation | AssetCheckResult | AssetCheckEvaluation


class Translator(DagsterDbtTranslator):
    """Keys are [schema, name]; a schema is a group. The source `lake` has the keys of the lake's assets."""

    def __init__(self) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_source_metadata=False))

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        return spec.replace_attributes(freshness_policy=FRESHNESS) if spec.key.path[0] == MARTS else spec

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        return str(dbt_resource_props["description"])

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        sql = dbt_resource_props.get("raw_code")
        shown = {"sql": MetadataValue.md(f"```sql\n{sql}\n```")} if sql else {}
        return {**super().get_metadata(dbt_resource_props), **shown}

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        return str(dbt_resource_props["schema"])


def warehouse_models(manifest_file: Path) -> AssetsDefinition:
    """All models, seeds and tests of the project, built by one process."""
    manifest: dict[str, Any] = json.loads(manifest_file.read_bytes())

    @dbt_assets(
        manifest=manifest,
        dagster_dbt_translator=Translator(),
        name="warehouse_models",
        pool=WRITER_POOL,
        op_tags={"dagster/priority": AFTER_ALL_TABLES},
    )
    def warehouse_models(
        context: AssetExecutionContext, surroundings: ResourceParam[Surroundings]
    ) -> Iterator[DbtEvent]:
        began = time.monotonic()
        settings = surroundings.lake()
        with clear_failures(), exclusive(settings) as lock:
            preparation = prepare(settings)
            _note_records(context, preparation)
            with start_dbt(
                settings, "--log-format", "json", "build", *_selection(context, manifest), inherit=[lock]
            ) as process:
                invocation = DbtCliInvocation(
                    process=process,
                    manifest=manifest,
                    dagster_dbt_translator=Translator(),
                    project_dir=PROJECT_FOLDER,
                    target_path=target_folder(settings),
                    raise_on_error=False,
                    cli_version=Version(version("dbt-core")),
                    context=context,
                )
                for event in invocation.stream():
                    if isinstance(event, Output):
                        context.add_output_metadata(_what_it_read(preparation), output_name=event.output_name)
                    yield event
                nodes = finish_dbt(settings, "build", process.returncode, str(invocation.get_error() or ""))
            _record(context, surroundings)
        surroundings.built(
            BuildReport(preparation.versions, preparation.is_full, tuple(nodes), time.monotonic() - began)
        )

    return warehouse_models


def published_models(models: AssetsDefinition) -> list[AssetKey]:
    """The models from which the published file is made."""
    return sorted(key for key in models.keys if key.path[0] in {*PUBLIC_SCHEMAS, PERSONAL_SCHEMA})


def _note_records(context: AssetExecutionContext, preparation: Preparation) -> None:
    """Tables of records are written by every sync and belong to no step; the graph learns here up to when they are."""
    for name in OPERATIONS:
        if preparation.versions[name] is not None:
            context.log_event(AssetMaterialization(key_of(name), metadata={"version": preparation.versions[name]}))


def _what_it_read(preparation: Preparation) -> dict[str, Any]:
    return {"build_id": preparation.build_id, "is_full": preparation.is_full, "lake_versions": preparation.versions}


def _record(context: AssetExecutionContext, surroundings: Surroundings) -> None:
    """Note that the build is whole. A run of only some models may leave it in parts; then nothing is published."""
    try:
        record(surroundings.lake())
    except WarehouseError as error:
        if not context.is_subset:
            raise
        context.log.warning("Not to be published yet: %s", error)


def _selection(context: AssetExecutionContext, manifest: Mapping[str, Any]) -> list[str]:
    """What to tell dbt for the assets and checks that a person chose in the page; none for all of them."""
    if not context.is_subset:
        return []
    specs = context.assets_def.specs_by_key
    ids = [specs[key].metadata["dagster_dbt/unique_id"] for key in context.selected_asset_keys]
    ids += [
        context.assets_def.get_spec_for_check_key(key).metadata["dagster_dbt/unique_id"]
        for key in context.selected_asset_check_keys
    ]
    names = [".".join(manifest["nodes"][unique_id]["fqn"]) for unique_id in ids]
    return ["--indirect-selection", "empty", "--select", *(f"fqn:{name}" for name in sorted(names))]
