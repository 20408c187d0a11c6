"""How data gets from the Smart Charging API into the lake. Knows nothing of Dagster or dbt."""

import os

# Read by Arrow when it is loaded. Its own allocator keeps what was freed; see pipelines/memory.py.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
