"""Says in JSON Schema what the API's own fields take and give. It describes, and reads nothing."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension

from webhooks.authentication import ApiKeyAuthentication
from webhooks.ids import PREFIXES
from webhooks.rest import ById, PublicId, Read, Since, When
from webhooks.serializers import BySlug

HEX = "0192a3b4c5d67e8f9a0b1c2d3e4f5061"
_NULLABLE = "allow_null"


class _Field(OpenApiSerializerFieldExtension):
    def maybe_null(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {**schema, "nullable": True} if getattr(self.target, _NULLABLE, False) else schema


class PublicIdExtension(_Field):
    target_class = PublicId
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return _id(self.target.kind)


class ByIdExtension(_Field):
    target_class = ById
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return _id(self.target.kind)


class BySlugExtension(_Field):
    target_class = BySlug
    priority = 1  # before ById, which it is one of

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return {"type": "string", "example": "shop"}


class ReadExtension(_Field):
    target_class = Read
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return {"type": "string"}


class WhenExtension(_Field):
    target_class = When
    match_subclasses = True
    priority = 1

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return {
            "type": "string",
            "example": "24h" if isinstance(self.target, Since) else "2026-01-31T12:00:00Z",
        }


class ApiKeyScheme(OpenApiAuthenticationExtension):
    target_class = ApiKeyAuthentication
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "weir_<role>_<random>",
            "description": "An API key, made on the console or by `manage.py api_key create`, and shown once.",
        }


def _id(kind: str) -> dict[str, Any]:
    return {"type": "string", "example": f"{PREFIXES[kind]}_{HEX}"}
