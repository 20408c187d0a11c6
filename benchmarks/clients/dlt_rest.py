"""dlt's rest_api source to Parquet files, as its documentation has it. Runs in the environment of `make bench`.

    python -m benchmarks.clients.dlt_rest plain|incremental|fan-out FOLDER

plain: every page of the sessions, by number. incremental: the same with a cursor over startTime, which goes on where
the last run of this folder ended. fan-out: the sessions and, for each, its tariffs; with resources in parallel.
Does not belong here: anything of chargelake's.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.parse
import urllib.request
from typing import Any

os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}

import dlt
from dlt.sources.rest_api import rest_api_source

from benchmarks.clients.taken import telling

CURSOR = {"type": "incremental", "cursor_path": "startTime", "initial_value": "2000-01-01T00:00:00.000Z"}


def main(form: str, folder: str) -> None:
    pipeline = dlt.pipeline(
        f"peer_{form.replace('-', '_')}",
        pipelines_dir=f"{folder}/pipelines",
        destination=dlt.destinations.filesystem(f"file://{folder}/data"),
        dataset_name="tenant",
    )
    with telling() as told:
        pipeline.run(rest_api_source(_source(form)), loader_file_format="parquet")
        counts = pipeline.last_trace.last_normalize_info.row_counts
        told["rows"] = counts.get("tariffs" if form == "fan-out" else "sessions", 0)


def _source(form: str) -> Any:
    params: dict[str, Any] = {"pageSize": 100}
    if form == "incremental":
        params["startTimeFrom"] = CURSOR
    sessions = {
        "name": "sessions",
        "primary_key": "id",
        "endpoint": {"path": "sessions", "params": params, "data_selector": "items"},
    }
    tariffs = {
        "name": "tariffs",
        "parallelized": True,
        "endpoint": {
            "path": "users/{resources.sessions.userId}/sessions/{resources.sessions.id}/tariffs",
            "paginator": "single_page",
            "data_selector": "$[*]",
        },
    }
    return {
        "client": {
            "base_url": os.environ["SMART_CHARGING_BASE_URL"] + "/",
            "headers": _headers(),
            "paginator": {
                "type": "page_number",
                "base_page": 1,
                "page_param": "pageIndex",
                "total_path": "totalPages",
            },
        },
        "resources": [sessions, tariffs] if form == "fan-out" else [sessions],
    }


def _headers() -> dict[str, str]:
    """A token for as long as the measurement lasts."""
    form = {
        "grant_type": "client_credentials",
        "client_id": os.environ["SMART_CHARGING_CLIENT_ID"],
        "client_secret": os.environ["SMART_CHARGING_CLIENT_SECRET"],
        "audience": os.environ["SMART_CHARGING_AUDIENCE"],
    }
    body = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(os.environ["SMART_CHARGING_TOKEN_URL"], body) as answer:
        token = json.load(answer)["access_token"]
    return {"Authorization": f"Bearer {token}", "ApiKey": os.environ["SMART_CHARGING_API_KEY"]}


if __name__ == "__main__":
    main(*sys.argv[1:])
