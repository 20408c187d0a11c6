"""The read API as the demo tenant understands it: operations, parameters, schemas, and the OpenAPI document of them.

The one source of what the tenant routes, accepts and answers; written from the public facts and apart from
`pipelines/contract`, so that a wrong belief on one side meets the other.
"""
