"""Reads moments as seconds inside a statement, on both databases alike, so that steps of time can be told there."""

from typing import Any

from django.db.models import BigIntegerField, Func


class Second(Func):
    """The seconds since 1970 of a moment."""

    output_field = BigIntegerField()
    template = "EXTRACT(EPOCH FROM %(expressions)s)::bigint"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "CAST(strftime('%%%%s', %(expressions)s) AS integer)"
        return self.as_sql(compiler, connection, template=template, **context)
