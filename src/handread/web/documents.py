"""Pieces of the OpenAPI document that FastAPI cannot tell from the code: bodies of several forms, problems."""

from __future__ import annotations

import http
from typing import Any

from pydantic import BaseModel

from handread.web import schemas
from handread.web.problems import MEDIA_TYPE

REFERENCE = "#/components/schemas/{model}"


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route that answers so."""
    content = {MEDIA_TYPE: {"schema": {"$ref": REFERENCE.format(model="Problem")}}}
    return {status: {"description": http.HTTPStatus(status).phrase, "content": content} for status in statuses}


def request_body(json_model: type[BaseModel], form_model: type[BaseModel] | None = None) -> dict[str, Any]:
    """`openapi_extra` of a route that takes `json_model`, or a form of pictures with the fields of `form_model`."""
    content: dict[str, Any] = {"application/json": {"schema": {"$ref": REFERENCE.format(model=json_model.__name__)}}}
    if form_model is not None:
        fields = form_model.model_json_schema()["properties"]
        pictures = {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "format": "binary"},
            "description": "The files: PNG, JPEG, WebP, TIFF, BMP, GIF.",
        }
        content["multipart/form-data"] = {
            "schema": {
                "type": "object",
                "properties": {"pictures": pictures, **fields},
                "required": ["pictures"],
                "additionalProperties": False,
            }
        }
    return {"requestBody": {"required": True, "content": content}}


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """`document` with the models that only `request_body` and `problem_responses` name."""
    found = document.setdefault("components", {}).setdefault("schemas", {})
    for model in (schemas.ReadRequest, schemas.BatchRequest, schemas.Correction, schemas.Problem):
        schema = model.model_json_schema(ref_template=REFERENCE)
        found.update(schema.pop("$defs", {}))
        found[model.__name__] = schema
    return document
