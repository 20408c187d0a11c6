"""What holds for every test: no settings from the developer's own shell, no deadline on a busy machine."""

import os

from hypothesis import settings

for name in [name for name in os.environ if name.startswith(("SMART_CHARGING_", "CHARGELAKE_"))]:
    if name not in {"CHARGELAKE_REQUIRE_BROWSER", "CHARGELAKE_RENEW_SNAPSHOTS"}:
        del os.environ[name]

settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
