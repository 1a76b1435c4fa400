"""Answers whether this process lives and whether the hub can do its work. It changes nothing."""

from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooSlow

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from deliveries.dispatcher import seats

PATIENCE_S = 2.0  # a probe that waits longer than its own limit learns nothing

# One thread, so that a database that hangs costs one stuck thread and not one per probe.
_asker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="weir-readyz")


@require_safe
@never_cache
def livez(request: HttpRequest) -> HttpResponseBase:
    return HttpResponse("alive\n", content_type="text/plain")


@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponseBase:
    reason = _why_not_ready()
    return JsonResponse({"ready": not reason, "reason": reason}, status=503 if reason else 200)


def _why_not_ready() -> str | None:
    asked = _asker.submit(_what_is_missing)
    try:
        return asked.result(timeout=PATIENCE_S)
    except TooSlow:
        return _give_up(asked)
    except Error:
        return "The database does not answer."


def _what_is_missing() -> str | None:
    try:
        return None if seats.alive() else "No dispatcher has been seen lately."
    except Error:
        if connection.connection is None or _is_migrated():  # without one, there is nobody to ask
            raise
        return "The database is not migrated: run `manage.py migrate`."
    finally:
        connection.close()  # this thread serves no request, so nobody else would ever look after it


def _is_migrated() -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def _give_up(asked: Future[str | None]) -> str:
    asked.cancel()
    return f"The database did not answer within {PATIENCE_S:g} s."
