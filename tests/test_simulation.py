"""Nights of changes, faults and crashes on a clock of their own: in the end the lake is the tenant's truth, and still."""

import pytest
from support.simulation import ALL_FAULTS, HONEST, Simulation


@pytest.mark.parametrize("seed", [10, pytest.param(5, marks=pytest.mark.thorough)])
def test_after_nights_of_faults_and_crashes_the_lake_is_the_tenants(tmp_path, seed):
    nights = Simulation(seed, tmp_path, users=3, newest_sessions=6, changes=15, rate=0.1, maintain_rate=0.5)
    for _ in range(2):
        nights.night()
    nights.settle()
    assert nights.wrong() == {}
    before = nights.versions()
    nights.run(deep=True, until=nights.until)
    assert nights.versions() == before, "a second run at the same moment writes nothing"
    assert nights.figures["crashes"]
    assert nights.figures["tables put together"]
    assert sum(nights.injected().values()) > 5
    assert len(nights.changed) > 10


def test_after_a_night_of_lies_and_of_two_syncs_at_once_good_weather_mends_it_all(tmp_path):
    nights = Simulation(
        18,
        tmp_path,
        users=3,
        newest_sessions=4,
        changes=15,
        faults=ALL_FAULTS,
        rate=0.15,
        malformed=0.03,
        crash_rate=0.0,
        pair_rate=1.0,
    )
    nights.run()
    nights.night()
    nights.settle(nights=2)
    assert nights.wrong() == {}
    before = nights.versions()
    nights.run(deep=True, until=nights.until)
    assert nights.versions() == before
    assert nights.figures["pairs"]
    assert nights.malformed_rows()
    assert set(nights.injected()) - set(HONEST), "some answers lied"


def test_a_seed_gives_the_same_nights_again(tmp_path):
    told = []
    for place in ("first", "second"):
        nights = Simulation(3, tmp_path / place, users=3, newest_sessions=4, changes=10, rate=0.1)
        nights.night()
        told.append((nights.figures, nights.changed, nights.injected()))
    assert told[0] == told[1]
