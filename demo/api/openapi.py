"""The OpenAPI 3.1 document of the read API, made from the declarations.

`x-inferred` marks guesses, `x-evidence` says where an operation is publicly known from, `x-demo-served` whether the
demo tenant answers it.
Does not belong here: any path or field (operations.py, schemas.py).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from demo.api.model import PREFIX, TOKEN_PATH, JsonSchema, Operation, Parameter, Shape
from demo.api.operations import OPERATIONS
from demo.api.schemas import SCHEMAS

JSON = "application/json"
ISSUER = "https://demo.chargelake.example"
"""Stands for the address of the tenant, which only its operator knows; paths are relative to it."""


def openapi_document(served: Collection[str]) -> dict[str, Any]:
    """The document; `served` holds the ids of the operations that are answered."""
    paths: dict[str, Any] = {TOKEN_PATH: {"post": _token_operation()}}
    for operation in OPERATIONS:
        paths[PREFIX + operation.path] = {"get": _operation(operation, is_served=operation.id in served)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Smart Charging API v2, read side",
            "version": "2.0",
            "description": "As publicly known. What is marked x-inferred is a guess that no public source confirms.",
        },
        "servers": [{"url": "/"}],
        "security": [{"token": [], "key": []}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "token": {
                    "type": "oauth2",
                    "flows": {"clientCredentials": {"tokenUrl": ISSUER + TOKEN_PATH, "scopes": {}}},
                },
                "key": {"type": "apiKey", "in": "header", "name": "ApiKey"},
            },
        },
    }


def answer_schema(operation: Operation) -> JsonSchema:
    """The schema of a good answer's whole body."""
    item = {"$ref": f"#/components/schemas/{operation.item}"}
    if operation.shape is Shape.OBJECT:
        return item
    items = {"type": "array", "items": item}
    if operation.shape is Shape.ARRAY:
        return items
    size = next(parameter.schema for parameter in operation.parameters if parameter.name == "pageSize")
    properties: JsonSchema = {
        "pageIndex": {"type": "integer", "minimum": 1},
        "pageSize": {"type": "integer", "minimum": 1, "maximum": size["maximum"]},
        "totalPages": {"type": "integer", "minimum": 0},
        "totalCount": {"type": "integer", "minimum": 0},
        "items": items,
    }
    return {"type": "object", "properties": properties, "required": list(properties)}


def _operation(operation: Operation, *, is_served: bool) -> dict[str, Any]:
    placeholders = re.findall(r"{(\w+)}", operation.path)
    responses = {
        "200": _answer("Success", answer_schema(operation)),
        "400": _problem("A parameter is malformed, missing or not known"),
        "401": _problem("Token or key is missing or wrong"),
        "403": {"description": "No permission"},
    }
    if placeholders:
        responses["404"] = _problem("What the path names does not exist")
    responses["405"] = _problem("Not a read")
    responses["504"] = {"description": "Internal api timeout"}
    return {
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": [*map(_path_parameter, placeholders), *map(_query_parameter, operation.parameters)],
        "responses": responses,
        "x-evidence": operation.evidence,
        "x-inferred": operation.is_inferred,
        "x-demo-served": is_served,
    }


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}


def _query_parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": "query",
        "required": parameter.is_required,
        "description": parameter.description,
        "schema": parameter.schema,
        "x-inferred": parameter.is_inferred,
    }


def _token_operation() -> dict[str, Any]:
    text = {"type": "string"}
    fields = {
        "grant_type": {"const": "client_credentials"},
        "client_id": text,
        "client_secret": text,
        "audience": {**text, "description": "Identifies the environment."},
    }
    form = {"type": "object", "properties": fields, "required": list(fields)}
    error = {"$ref": "#/components/schemas/TokenError"}
    return {
        "operationId": "requestToken",
        "summary": "A token for the tenant's own client",
        "security": [],
        "requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": form}}},
        "responses": {
            "200": _answer("Success", {"$ref": "#/components/schemas/Token"}),
            "400": _answer("A field is missing, or the grant type is another", error),
            "401": _answer("Unknown client or wrong secret", error),
            "403": _answer("Unknown audience", error),
            "405": _problem("Not a POST"),
        },
        "x-evidence": "D:quickstart-guide",
        "x-inferred": False,
        "x-demo-served": True,
    }


def _answer(description: str, schema: JsonSchema) -> dict[str, Any]:
    return {"description": description, "content": {JSON: {"schema": schema}}}


def _problem(description: str) -> dict[str, Any]:
    return _answer(description, {"$ref": "#/components/schemas/Problem"})
