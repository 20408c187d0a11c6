"""Looks the locked packages up in the advisories that the package index serves, by pip-audit.

A known vulnerability fails. An index that serves no advisories, or cannot be reached, is a warning that says so: what
nobody looked at must not seem to be fine, and a closed network must not stop everybody.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 180
AUDIT = (
    "--requirement",
    "requirements.lock",
    "--no-deps",
    "--disable-pip",
    "--progress-spinner",
    "off",
    "--format",
    "json",
)


def judge(document: dict[str, Any]) -> tuple[list[str], bool]:
    """What to say of pip-audit's document, and whether it is fine."""
    packages = document["dependencies"]
    skipped = [package for package in packages if "skip_reason" in package]
    lines = [
        f"{package['name']} {package['version']}: {found['id']}, fixed in {' or '.join(found['fix_versions']) or '-'}"
        for package in packages
        for found in package.get("vulns", ())
    ]
    is_fine = not lines
    if skipped:
        lines.append(
            f"warning: {len(skipped)} of {len(packages)} packages could not be audited: the package index that answers"
            " here serves no advisories for them"
        )
    if is_fine and len(skipped) < len(packages):
        lines.append(f"{len(packages) - len(skipped)} packages audited, no known vulnerability")
    return lines, is_fine


def main() -> int:
    """0: fine, or nobody could look. 1: a known vulnerability."""
    command = [str(Path(sys.executable).with_name("pip-audit")), *AUDIT]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)  # noqa: S603 - our own
        document = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        print("warning: nothing was audited: the service of advisories cannot be reached from here")
        return 0
    lines, is_fine = judge(document)
    print("\n".join(lines))
    return 0 if is_fine else 1


if __name__ == "__main__":
    sys.exit(main())
