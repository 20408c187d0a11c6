"""How data gets from the Smart Charging API into the lake. Knows nothing of Dagster or dbt."""
