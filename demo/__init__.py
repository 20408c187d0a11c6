"""A demo tenant: a real HTTP server that behaves like the API, on real charging sessions.

It is the newcomer's first run and the tests' opponent, so it shares no declaration with `pipelines`: what both sides
believe about the API is written down twice, from the public facts.
Does not belong here: anything that a real tenant's night needs.
"""
