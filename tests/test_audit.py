"""What the audit of locked packages says: a known vulnerability fails, what nobody looked at is a warning."""

import runpy
from pathlib import Path

judge = runpy.run_path(str(Path(__file__).parents[1] / ".ci" / "audit.py"))["judge"]

FINE = {"name": "wrapt", "version": "2.5.2", "vulns": []}
SKIPPED = {"name": "yarl", "skip_reason": "Dependency not found on PyPI and could not be audited: yarl (1.25.1)"}
BAD = {
    "name": "zipp",
    "version": "0.1",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["0.2"], "aliases": [], "description": ""}],
}


def test_a_known_vulnerability_fails_also_where_others_could_not_be_looked_up():
    lines, is_fine = judge({"dependencies": [FINE, SKIPPED, BAD], "fixes": []})
    assert not is_fine
    assert lines[0] == "zipp 0.1: PYSEC-1, fixed in 0.2"


def test_what_nobody_looked_at_does_not_seem_to_be_fine():
    assert judge({"dependencies": [SKIPPED, SKIPPED], "fixes": []}) == (
        [
            "warning: 2 of 2 packages could not be audited: the package index that answers here serves no advisories for them"
        ],
        True,
    )
    assert judge({"dependencies": [FINE], "fixes": []}) == (["1 packages audited, no known vulnerability"], True)
