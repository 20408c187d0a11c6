"""Dagster: assets, checks, jobs, the schedule and the instance. Calls pipelines and warehouse, and says what they did.

Does not belong here: logic. Whatever is worth a test without Dagster lives in pipelines or warehouse.
"""
