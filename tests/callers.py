"""People and services that come to the hub's doors: with an API key, or with a browser."""

from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from webhooks.models import ApiKey
from webhooks.services.keys import create_api_key


class Caller(APIClient):
    """Speaks JSON to the REST API."""

    default_format = "json"
    authorization = ""  # the header that it sends


def with_key(role: str = "operator", **owner: Any) -> Caller:
    """As it is once it was used: noting that costs a question now and then, which no test should count."""
    row, key = create_api_key(role=role, name=role, **owner)
    ApiKey.objects.filter(pk=row.pk).update(last_used_at=timezone.now())
    caller = Caller()
    caller.authorization = f"Bearer {key}"
    caller.credentials(HTTP_AUTHORIZATION=caller.authorization)
    return caller


def browser(*permissions: str, is_superuser: bool = False, name: str = "ada") -> Client:
    """Of somebody on the staff who has these permissions (`app.codename`) and no others."""
    user = User.objects.create_user(name, is_staff=True, is_superuser=is_superuser)
    for permission in permissions:
        app, codename = permission.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    client = Client()
    client.force_login(user)
    return client
