"""Says what is wrong with a source and its secrets, by field, before it is saved. It saves nothing."""

from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.utils import timezone

from webhooks.deciders.business_keys import check_business_keys
from webhooks.deciders.identify import check_place
from webhooks.deciders.options import check_options
from webhooks.deciders.pinning import check_pinnable, checked_certificate
from webhooks.deciders.schemes import UnknownScheme, scheme
from webhooks.deciders.verify import check_secret
from webhooks.models import Source


def check_source(source: Source, secrets: Iterable[str], *, certificate: str | None = None) -> None:
    """Raises ValidationError: what is wrong with each field, so that a person mends all of it in one go.

    `certificate` is to be pinned, and is no part of the source before it is known to be one; empty: to be unpinned.
    """
    errors: dict[str, list[str]] = {}
    try:
        source.full_clean()
    except ValidationError as error:
        errors |= error.message_dict
    for field in ("id_from", "type_from"):
        errors |= _flaw_of_place(field, getattr(source, field))
    errors |= _flaw_of_options(source)
    errors |= _flaw_of_business_keys(source)
    errors |= _flaw_of_secrets(source.scheme, list(secrets))
    errors |= _flaw_of_certificate(source, certificate)
    if errors:
        raise ValidationError(errors)


def _flaw_of_place(field: str, place: str) -> dict[str, list[str]]:
    try:
        if place:
            check_place(place)
    except ValueError as error:
        return {field: [str(error)]}
    return {}


def _flaw_of_options(source: Source) -> dict[str, list[str]]:
    try:
        check_options(scheme(source.scheme), source.options)
    except UnknownScheme:
        return {}  # which is told of the scheme itself
    except ValueError as error:
        return {"options": [str(error)]}
    return {}


def _flaw_of_business_keys(source: Source) -> dict[str, list[str]]:
    try:
        check_business_keys(source.business_keys)
    except ValueError as error:
        return {"business_keys": [str(error)]}
    return {}


def _flaw_of_certificate(source: Source, certificate: str | None) -> dict[str, list[str]]:
    """One that was pinned before may have expired since; then, too, a person may change the rest of the source."""
    try:
        if certificate:
            checked_certificate(scheme(source.scheme), certificate, timezone.now())
        elif certificate is None and source.pinned_certificate:
            check_pinnable(scheme(source.scheme))
    except UnknownScheme:
        return {}  # which is told of the scheme itself
    except ValueError as error:
        return {"pinned_certificate": [str(error)]}
    return {}


def _flaw_of_secrets(slug: str, secrets: list[str]) -> dict[str, list[str]]:
    try:
        row = scheme(slug)
    except UnknownScheme as error:
        return {"scheme": [str(error)]}
    if row.needs_secret and not secrets:
        return {"secret": [f"The scheme {slug} needs a secret."]}
    try:
        for secret in secrets:
            check_secret(scheme=row, secret=secret)
    except ValueError as error:
        return {"secret": [str(error)]}
    return {}
