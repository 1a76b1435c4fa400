"""Opens the REST API to holders of an API key (`Authorization: Bearer …`). It never looks at sessions."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from webhooks.models import ApiKey, Role
from webhooks.services.keys import authenticate, source_ids_of


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyHolder:
    """Whoever holds a key: what `request.user` is behind the API. `str()` names them in the audit.

    `subscriber_id` is whom the key of a subscriber belongs to. `source_ids` are those a publisher is bound to;
    empty: any.
    """

    pk: UUID
    role: str
    name: str
    subscriber_id: UUID | None = None
    source_ids: frozenset[UUID] = frozenset()
    is_authenticated: ClassVar[bool] = True

    @property
    def is_subscriber(self) -> bool:
        return self.role == Role.SUBSCRIBER

    def __str__(self) -> str:
        return self.name


class ApiKeyAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[KeyHolder, ApiKey] | None:
        plain = plain_key(request)
        if plain is None:
            return None
        key = authenticate(plain)
        if key is None:
            raise AuthenticationFailed("This API key is unknown, expired or revoked.")
        return _holder(key), key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="weir"'


def plain_key(request: Request | HttpRequest) -> str | None:
    """What the request says its key is; None where it comes without one."""
    scheme, _, plain = str(request.META.get("HTTP_AUTHORIZATION", "")).partition(" ")
    return plain.strip() if scheme.lower() == "bearer" else None


def _holder(key: ApiKey) -> KeyHolder:
    return KeyHolder(
        pk=key.pk,
        role=key.role,
        name=str(key),
        subscriber_id=key.subscriber_id,
        source_ids=source_ids_of(key),
    )


class _MayAs(BasePermission):
    """Lets the named roles in. Without a key the answer is 401, with the wrong one 403."""

    roles: ClassVar[frozenset[str]] = frozenset()
    message = "This API key's role does not allow this."

    def has_permission(self, request: Request, view: APIView) -> bool:
        return getattr(request.user, "role", None) in self.roles


class MayRead(_MayAs):
    roles = frozenset({Role.OPERATOR, Role.VIEWER})


class MayOperate(_MayAs):
    roles = frozenset({Role.OPERATOR})


class MayPublish(_MayAs):
    roles = frozenset({Role.OPERATOR, Role.PUBLISHER})


class MayOwn(_MayAs):
    """Subscribers, at what is theirs; the door narrows to that."""

    roles = frozenset({Role.SUBSCRIBER})
