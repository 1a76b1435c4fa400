"""Refuses what bears a name that is taken, however close to each other two come. It checks nothing beforehand."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import QuerySet


@contextmanager
def unless_taken(holders: QuerySet[Any], field: str, sentence: str) -> Iterator[None]:
    """Around one insert or update. `holders` are those who would bear the name already. Raises ValidationError."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError:
        if not holders.exists():
            raise  # it is something else that does not hold
        raise ValidationError({field: [sentence]}) from None
