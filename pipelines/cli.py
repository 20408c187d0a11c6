"""The `chargelake` command: reads arguments, calls pipelines, warehouse and assets, shows what came of it.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 done with rows, windows or parents set aside.
Does not belong here: logic. How things look is in views.py, views_sync.py and console.py. Imports stand inside the
verbs, so that `--help` and `status` answer at once.
"""

from __future__ import annotations

import atexit
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from pipelines import cli_quarantine, console, views, views_sync
from pipelines.errors import ChargelakeError, ConfigurationError
from pipelines.quick_start import load_arrow_without_pandas

if TYPE_CHECKING:
    from pipelines.settings import LakeSettings, SyncSettings
    from pipelines.sync import Order

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Keeps an analyst's warehouse true to a Smart Charging API v2 tenant.",
)
demo_app = typer.Typer(help="A demo tenant on real charging sessions: run the whole pipeline against it, or serve it.")
app.add_typer(demo_app, name="demo")
app.add_typer(cli_quarantine.app, name="quarantine")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")]

Deep = Annotated[
    bool, typer.Option("--deep", help="The weekly form: long re-reads, audit of closed months, full listings.")
]

INTERRUPTED = 130
EXIT_CODES = {"complete": 0, "failed": 1, "partial": 3}


@app.command()
def sync(
    collections: Annotated[
        Optional[str], typer.Option(help="Only these, separated by commas; all when left out.")
    ] = None,
    until: Annotated[
        Optional[str], typer.Option(help="Upper end of every window, ISO 8601; the API's clock when left out.")
    ] = None,
    deep: Deep = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be asked, why, and in how many requests. Writes nothing.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Pull what is new from the API into the lake."""
    load_arrow_without_pandas()
    from pipelines.sync import Order, instant_of

    end = None if until is None else instant_of("--until", until)
    order = Order(_chosen(collections), until=end, deep=deep)
    if dry_run:
        _forecast(order, json)
    else:
        _sync(order, json)


@app.command()
def resync(
    collection: Annotated[str, typer.Option(help="Which one to read again.")],
    from_: Annotated[str, typer.Option("--from", help="Begin of the range, ISO 8601.")],
    to: Annotated[str, typer.Option("--to", help="End of the range, ISO 8601.")],
    json: AsJson = False,
) -> None:
    """Read a range again and keep what differs. Moves no watermark."""
    load_arrow_without_pandas()
    from pipelines.sync import Order, Window, instant_of

    lower, upper = instant_of("--from", from_), instant_of("--to", to)
    if lower >= upper:
        raise ConfigurationError(f"--from {from_} must lie before --to {to}")
    window = Window(lower, upper)
    _sync(Order(_chosen(collection), ranges=dict.fromkeys(_chosen(collection), window)), json)


@app.command()
def build(
    full_refresh: Annotated[bool, typer.Option("--full-refresh", help="Build every model anew.")] = False,
    json: AsJson = False,
) -> None:
    """Build the DuckDB models from the lake."""
    load_arrow_without_pandas()
    from pipelines.settings import LakeSettings, load
    from warehouse.build import build as build_models

    with console.working("building the models"):
        report = build_models(load(LakeSettings), full_refresh=full_refresh)
    views.show_build(report, as_json=json)


@app.command()
def publish(json: AsJson = False) -> None:
    """Publish the built models as a new generation, and point current.duckdb at it."""
    load_arrow_without_pandas()
    from pipelines.settings import LakeSettings, load
    from warehouse.publish import publish as publish_models

    with console.working("publishing"):
        generation = publish_models(load(LakeSettings))
    views.show_published(generation, as_json=json)


@app.command()
def nightly(deep: Deep = False, json: AsJson = False) -> None:
    """Do the whole night through Dagster: sync, build, publish."""
    load_arrow_without_pandas()
    from assets.night import run_night
    from pipelines.settings import LakeSettings, SyncSettings, load

    with console.sync_progress() as progress:
        night = run_night(progress, deep=deep)
    views.show_night(night, as_json=json)
    _after_deletions(load(SyncSettings), load(LakeSettings), as_json=None if json else False)
    raise typer.Exit(night.exit_code)


@app.command()
def maintain(json: AsJson = False) -> None:
    """Put the lake's small files together, and remove what no reader needs. The weekly job does it, too."""
    load_arrow_without_pandas()
    from pipelines.lake.maintenance import maintain as maintain_lake
    from pipelines.occupancy import sharing
    from pipelines.settings import LakeSettings, load

    settings = load(LakeSettings)
    with console.working("maintaining the lake"), sharing(settings.home.absolute()):
        done = list(maintain_lake(settings.lake_root))
    views.show_maintenance(done, as_json=json)
    raise typer.Exit(1 if any(table.left for table in done) else 0)


@app.command()
def status(json: AsJson = False) -> None:
    """What the lake holds, up to when it is complete, and what was set aside."""
    load_arrow_without_pandas()
    from pipelines.settings import LakeSettings, load
    from pipelines.status import lake_status

    views.show_status(lake_status(load(LakeSettings)), as_json=json)


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help='For example "select count(*) from marts.fct_sessions".')],
    json: AsJson = False,
) -> None:
    """Ask the published warehouse, read-only."""
    load_arrow_without_pandas()
    from pipelines.settings import LakeSettings, load
    from warehouse.query import query as run_query

    columns, rows = run_query(sql, file=load(LakeSettings).published_file)
    console.show_rows(columns, rows, as_json=json)


@app.command()
def erase(
    user: Annotated[
        Optional[str], typer.Option(help="Id of the person. Left out: only end an erasure that was interrupted.")
    ] = None,
    deleted: Annotated[
        bool,
        typer.Option("--deleted", help="All whom the tenant has deleted, as CHARGELAKE_ON_USER_DELETED says."),
    ] = False,
    lift: Annotated[
        bool, typer.Option("--lift", help="Let one who was erased come back with the next sync. Erases nothing.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Remove a person from the lake, the warehouse and all records, prove it, and keep them from coming back."""
    from pipelines.settings import LakeSettings, SyncSettings, load
    from warehouse.erase import erase as erase_person
    from warehouse.erase import lift as lift_suppression

    settings = load(LakeSettings)
    if lift:
        views.show_lifted(lift_suppression(settings, user or ""), as_json=json)
        return
    if deleted:
        _after_deletions(load(SyncSettings), settings, as_json=json)
        return
    with console.working("erasing"):
        report = erase_person(settings, user)
    views.show_erasure(report, as_json=json)


@app.command()
def check(json: AsJson = False) -> None:
    """Try the settings: can the tenant be reached, are the credentials good, can the lake be written?"""
    load_arrow_without_pandas()
    from pipelines.check import check_reach
    from pipelines.settings import ApiSettings, LakeSettings, SyncSettings, load

    console.show_facts(check_reach(load(ApiSettings), load(SyncSettings), load(LakeSettings)), as_json=json)


@demo_app.callback(invoke_without_command=True)
def demo(context: typer.Context) -> None:
    """Start a demo tenant, run the night against it, show what an analyst would see, and stop it."""
    if context.invoked_subcommand is None:
        from demo.tour import tour

        raise typer.Exit(tour())


@demo_app.command()
def serve(
    port: Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=65535)] = 8765,
    today: Annotated[Optional[str], typer.Option(help="The tenant's day, YYYY-MM-DD.")] = None,
    state: Annotated[Optional[Path], typer.Option(help="File that keeps the tenant's clock.")] = None,
    token_lifetime: Annotated[int, typer.Option(help="Seconds.", min=1)] = 300,
    bounds: Annotated[str, typer.Option(help="Of time filters: half-open, inclusive or exclusive.")] = "half-open",
    copies: Annotated[int, typer.Option(help="How often the tenant holds its 97 users.", min=1)] = 1,
) -> None:
    """Serve the demo tenant's API on this machine until interrupted."""
    from demo.run import serve as serve_tenant

    serve_tenant(port=port, today=today, state=state, token_lifetime=token_lifetime, bounds=bounds, copies=copies)


def run() -> None:
    """The entry point: `main`, and then out without taking the interpreter down.

    Threads of Arrow, Delta and DuckDB may be on their way into the interpreter while it is taken down; on a loaded
    machine one command in a hundred that had done its work ended as aborted for that (134 instead of 0).
    """
    try:
        main()
    except SystemExit as stop:
        atexit._run_exitfuncs()  # noqa: SLF001  the interpreter would have
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except BrokenPipeError:
            os._exit(1)
        os._exit(int(stop.code or 0))


def main() -> None:
    """Errors become one message and an exit code."""
    os.umask(0o077)
    try:
        app()
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            console.complain("Interrupted. What was committed is kept; run again to go on.")
        raise
    except ConfigurationError as error:
        console.complain(str(error))
        sys.exit(2)
    except ChargelakeError as error:
        console.complain(str(error))
        sys.exit(1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _sync(order: Order, as_json: bool) -> None:
    from pipelines.settings import ApiSettings, LakeSettings, SyncSettings, load
    from pipelines.sync import run_sync

    api, settings, lake = load(ApiSettings), load(SyncSettings), load(LakeSettings)
    with console.sync_progress() as progress:
        report = run_sync(order, api=api, sync=settings, lake=lake, progress=progress)
    views_sync.show_run(report, as_json=as_json)
    _after_deletions(settings, lake, as_json=None if as_json else False)
    raise typer.Exit(EXIT_CODES[report.status.value])


def _after_deletions(sync: SyncSettings, lake: LakeSettings, *, as_json: bool | None = None) -> None:
    """What a deletion means for stored data, where it is more than a mark. as_json: None to say nothing."""
    if sync.on_user_deleted == "mark":
        return
    from warehouse.erase import erase_deleted

    report = erase_deleted(lake, anonymise=sync.on_user_deleted == "anonymise")
    if report is not None and as_json is not None:
        views.show_erasure(report, as_json=as_json)


def _forecast(order: Order, as_json: bool) -> None:
    from pipelines.settings import ApiSettings, LakeSettings, SyncSettings, load
    from pipelines.sync.dry_run import dry_run

    night = dry_run(order, api=lambda: load(ApiSettings), sync=load(SyncSettings), lake=load(LakeSettings))
    views_sync.show_forecast(night, as_json=as_json)


def _chosen(collections: str | None) -> tuple[str, ...]:
    from pipelines.contract import RESOURCES

    if collections is None:
        return tuple(RESOURCES)
    return tuple(name.strip() for name in collections.split(",") if name.strip())


if __name__ == "__main__":
    run()
