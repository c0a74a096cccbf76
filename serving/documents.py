"""The OpenAPI document: what FastAPI finds out by itself, and that every route may answer a problem instead."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from serving.problems import PROBLEM
from serving.roles import OPEN
from serving.schema import Problem

BEARER = {"type": "http", "scheme": "bearer", "description": "an API key, where keys are asked for"}
MAY = {
    "400": "the body is not JSON as it should be",
    "401": "a good key is needed",
    "403": "the key has none of the roles that may, or the customer objects",
    "404": "nobody and nothing of that name",
    "408": "the body took too long to come",
    "409": "what is asked cannot follow what is there",
    "413": "more than the limits say",
    "422": "the request does not fit",
    "429": "too many requests",
    "500": "the service failed",
    "503": "not now",
}


def document_of(app: FastAPI) -> dict[str, Any]:
    """The document of an application."""
    said: dict[str, Any] = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    schemas = said["components"]["schemas"]
    schemas["Problem"] = Problem.model_json_schema()
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    said["components"]["securitySchemes"] = {"key": BEARER}
    content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path, operations in said["paths"].items():
        for operation in operations.values():
            operation["responses"] |= {status: {"description": why, "content": content} for status, why in MAY.items()}
            if path not in OPEN:
                operation["security"] = [{"key": []}]
    return said
