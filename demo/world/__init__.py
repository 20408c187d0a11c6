"""The tenant's things, built from the source files and a seed. Pure: no HTTP, no clock of its own.

Every question about a moment takes that moment as an argument (epoch milliseconds, UTC).
Does not belong here: paths, paging, tokens (the sibling modules of `demo`).
"""
