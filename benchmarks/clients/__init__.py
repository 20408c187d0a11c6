"""Who is measured: each a process that does one piece of work against a tenant and tells what it took.

Does not belong here: starting them and comparing (benchmarks/compare.py).
"""
