"""Dagster's page as a person sees it: the global lineage graph, in Chromium, from a server on this machine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from assets.definitions import build_definitions
from assets.instance import prepare_home
from assets.surroundings import Surroundings
from pipelines.settings import LakeSettings

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("parsed_project")]

WORKSPACE = Path(__file__).parent.parent / "workspace.yaml"
START_SECONDS = 120


def chromium() -> str:
    """A Chromium of this machine; the test is skipped without one, unless one is required."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None and os.environ.get("CHARGELAKE_REQUIRE_BROWSER") == "1":
        pytest.fail("CHARGELAKE_REQUIRE_BROWSER=1, but there is no chromium on PATH: apt-get install chromium")
    if found is None:
        pytest.skip("no chromium on PATH (apt-get install chromium)")
    return found


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return LakeSettings(home=tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def page_address(settings, tmp_path_factory):
    """The web server as README starts it: this home's records, workspace.yaml, no setting of the tenant."""
    chromium()
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SMART_", "CHARGELAKE_"))}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log"
    with log.open("w") as said:
        server = subprocess.Popen(
            [Path(sys.executable).parent / "dagster-webserver", "-h", "127.0.0.1", "-p", str(port), "-w", WORKSPACE],
            env=clean | {"CHARGELAKE_HOME": str(settings.home), "DAGSTER_HOME": str(prepare_home(settings))},
            cwd=WORKSPACE.parent,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_SECONDS
        while not answers(f"{address}/server_info"):
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the web server did not start:\n{log.read_text()}")
            time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=30)


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


def test_the_lineage_graph_shows_every_asset(page_address, settings, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    definitions = build_definitions(Surroundings(lake=lambda: settings))
    groups = defaultdict(set)
    for spec in definitions.resolve_all_asset_specs():
        groups[spec.group_name].add(spec.key.path[-1])
    asked = set()

    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        # only what fits into the window is drawn, and a group of thirty models is tall
        page = browser.new_page(viewport={"width": 4800, "height": 15_000})
        page.on("request", lambda request: asked.add(urlsplit(request.url).hostname))
        page.goto(f"{page_address}/asset-groups")
        with shot_of_failure(page, tmp_path):
            for group in groups:
                playwright.expect(graph(page).get_by_text(group, exact=True).first).to_be_visible(timeout=60_000)
        for group, names in groups.items():
            # only this group's assets are drawn one by one, so that a name found is the one looked for
            page.goto(f"{page_address}/asset-groups?expanded={quote(f'global@global:{group}')}")
            with shot_of_failure(page, tmp_path):
                for name in names:
                    playwright.expect(graph(page).get_by_text(name, exact=True).first).to_be_visible(timeout=30_000)
        browser.close()

    assert len(groups) >= 7
    assert asked - {None, ""} == {"127.0.0.1"}, "the page asks other machines"


@contextmanager
def shot_of_failure(page, folder: Path) -> Iterator[None]:
    """What the page looked like. Only where something is missing: a page of this size takes ten seconds to draw."""
    try:
        yield
    except AssertionError:
        page.screenshot(path=folder / "page.png")
        raise


def graph(page):
    """The drawing; the list of names beside it does not count."""
    return page.locator("svg foreignObject")
