"""The door of API keys: made and shown once, listed, revoked. For operators alone, since a key may do what they may."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from webhooks.authentication import MayOperate
from webhooks.key_bodies import KeyBody, KeyFilters, KeyMade
from webhooks.models import ApiKey
from webhooks.rest import Conflict, Door
from webhooks.serializers import Reason
from webhooks.services import keys


class ApiKeyDoor(ListModelMixin, RetrieveModelMixin, Door[ApiKey]):
    owned_by = None
    queryset = ApiKey.objects.select_related("subscriber").prefetch_related("sources")
    serializer_class = KeyBody
    filters = KeyFilters
    kind = "apikey"

    def get_permissions(self) -> list[Any]:
        return [MayOperate()]

    @extend_schema(request=KeyBody, responses={201: KeyMade})
    def create(self, request: Request) -> Response:
        """Make an API key. The answer shows the key itself, this once."""
        wanted = self.read(KeyBody)
        key, plain = keys.create_api_key(actor=self.actor, **wanted.validated_data)
        return Response({**KeyBody(self.again(key.pk)).data, "key": plain}, status=status.HTTP_201_CREATED)

    @extend_schema(request=Reason, responses={200: KeyBody})
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, pk: str) -> Response:
        """Revoke an API key. It opens nothing from then on, whoever still holds it."""
        key = self.get_object()
        wanted = self.read(Reason)
        if not keys.revoke_api_key(key_id=key.pk, actor=self.actor, **wanted.validated_data):
            raise Conflict("It was revoked before.")
        return Response(KeyBody(self.get_object()).data)
