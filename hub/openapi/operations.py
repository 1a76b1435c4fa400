"""Describes each operation of a door: its summary, its headers, and every way in which it may be refused.

What all doors share is said here once; a door says by `extend_schema` what it takes and gives, and by the first
sentence of a method's docstring what that does.
"""

import re
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from webhooks.deciders.wording import with_article
from webhooks.ids import words_of
from webhooks.rest.problems import MEDIA_TYPE
from webhooks.rest.repeats import HEADER as IDEMPOTENCY_KEY

_USUAL = {
    "list": "List {many}",
    "retrieve": "Read one {one}",
    "create": "Make {a_one}",
    "partial_update": "Change {a_one}",
}
_KINDS = {"rollup": "stat"}  # what the table of ids has no word for
_TRUTH = {"type": "string"}


class Described(AutoSchema):
    """Every door's, by REST_FRAMEWORK's DEFAULT_SCHEMA_CLASS."""

    view: Any  # a Door

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation:
            method = self.method.lower()
            operation["parameters"] = [*operation.get("parameters", []), *self._headers(method)]
            self._tell_headers(operation["responses"])
            for status, answer in operation["responses"].items():
                answer["description"] = answer["description"] or _DONE.get(status, "As asked.")
            is_narrowed = any(each["in"] == "query" for each in operation["parameters"])
            for status in self._refusals(method, is_narrowed):
                operation["responses"].setdefault(str(status), problem(status))
            self.resolve_serializer(ProblemBody, "response")
            operation["responses"] = dict(sorted(operation["responses"].items()))
        return operation

    def get_tags(self) -> list[str]:
        return [_plural(_words(self.view.kind))]

    def get_summary(self) -> str:
        one = _words(self.view.kind)
        if self.view.action in _USUAL and not self._said():
            return _USUAL[self.view.action].format(one=one, a_one=with_article(one), many=_plural(one))
        return self._said().partition("\n")[0].split(". ")[0].rstrip(".:")

    def get_description(self) -> str:  # type: ignore[override]  # DRF's own generator asks otherwise
        return self._said()

    def get_request_serializer(self) -> Any:
        return None if self.method == "GET" else super().get_request_serializer()

    def get_override_parameters(self) -> list[Any]:
        return [self.view.filters] if self._is_list() and self.view.filters().fields else []

    def get_filter_backends(self) -> list[Any]:
        return []

    def _said(self) -> str:
        """What a method says of itself; the mixins say nothing that helps."""
        method = getattr(type(self.view), self.view.action, None)
        is_ours = method is not None and not method.__module__.startswith("rest_framework")
        return re.sub(r"[ \t]*\n[ \t]*", "\n", (method.__doc__ or "").strip()) if is_ours else ""

    def _is_list(self) -> bool:
        return bool(self.view.action == "list")

    def _is_of_one(self) -> bool:
        return "{" in self.path

    def _resolve_path_parameters(self, variables: list[str]) -> list[dict[str, Any]]:
        return [_path_parameter(each, self.view.kind) for each in variables]

    def _headers(self, method: str) -> list[dict[str, Any]]:
        if method == "post":
            return [_header(IDEMPOTENCY_KEY, _REPEATS, {"type": "string", "minLength": 1, "maxLength": 257})]
        if method == "patch":
            return [
                _header("If-Match", "The ETag that you read; 412 where it has been changed since.", _TRUTH)
            ]
        if self._is_of_one():
            return [_header("If-None-Match", "The ETag of your copy; 304 where it is still good.", _TRUTH)]
        return []

    def _tell_headers(self, responses: dict[str, Any]) -> None:
        tagged = self._is_of_one() and self.method in ("GET", "PATCH")
        for status, response in responses.items():
            if status.startswith("2"):
                headers = response.setdefault("headers", {})
                headers |= {"RateLimit-Policy": _ref("RateLimitPolicy"), "RateLimit": _ref("RateLimit")}
                is_made = status == "201" and self.view.kind != "event"
                if tagged or is_made:
                    headers["ETag"] = _ref("ETag")
                if is_made:
                    headers["Location"] = _ref("Location")
                if self.method == "POST":
                    headers["Idempotent-Replayed"] = _ref("IdempotentReplayed")
        if self._is_of_one() and self.method == "GET":
            responses["304"] = {"description": "Your copy is still good.", "headers": {"ETag": _ref("ETag")}}

    def _refusals(self, method: str, is_narrowed: bool) -> list[int]:
        refusals = {401, 403, 429, 500, 503}
        if self._is_of_one():
            refusals.add(404)
        if method != "get":
            refusals |= {400, 413, 415}
        if method == "post":
            refusals |= {409, 422}
        if method == "patch":
            refusals |= {409, 412}
        if is_narrowed:
            refusals.add(400)
        return sorted(refusals)


_REPEATS = (
    "Makes the request safe to repeat: for 24 hours the same key with the same request gets the first answer again "
    "and has no second effect. 1 to 255 printable ASCII characters, bare or in quotes."
)

COMPONENTS: dict[str, Any] = {
    "headers": {
        "ETag": {
            "description": "The version that was shown, for If-Match and If-None-Match.",
            "schema": _TRUTH,
        },
        "Location": {"description": "Where the thing is that was made.", "schema": _TRUTH},
        "RateLimitPolicy": {
            "description": "How many requests (q) the key has in how many seconds (w). Absent where there is no limit.",
            "schema": _TRUTH,
        },
        "RateLimit": {
            "description": "About how many are left (r), and for how many seconds (t).",
            "schema": _TRUTH,
        },
        "IdempotentReplayed": {
            "description": "`true` where this is the answer to an earlier request with the same Idempotency-Key.",
            "schema": _TRUTH,
        },
        "RetryAfter": {"description": "Seconds to wait.", "schema": {"type": "integer"}},
        "WWWAuthenticate": {"description": "How to knock.", "schema": _TRUTH},
    }
}

_DONE = {"201": "It was made.", "202": "It is under way."}
_MEANINGS = {
    400: "What was sent cannot be read or cannot be; `errors` names the fields.",
    401: "There is no API key, or it does not open.",
    403: "The key's role does not allow this.",
    404: "There is no such thing, or it is not the key's owner's.",
    409: "Its present state does not allow this; or the same request is under way, and Retry-After says when to ask.",
    412: "It has been changed since the version that If-Match names.",
    413: "The body is too large.",
    415: "The body is not JSON by its Content-Type.",
    422: "The Idempotency-Key came before, with another request; or a replay chooses too much to look at in time.",
    429: "Too often; Retry-After says how long to wait.",
    500: "The hub made a mistake; its log knows it by the `instance`.",
    503: "The database does not answer; Retry-After says when to come again.",
}
_WAITS = {"Retry-After": "RetryAfter"}
_TOLD_HEADERS = {401: {"WWW-Authenticate": "WWWAuthenticate"}, 409: _WAITS, 429: _WAITS, 503: _WAITS}


def problem(status: int) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    headers = {name: _ref(component) for name, component in _TOLD_HEADERS.get(status, {}).items()}
    return {"description": _MEANINGS[status], "content": {MEDIA_TYPE: {"schema": schema}}} | (
        {"headers": headers} if headers else {}
    )


@extend_schema_serializer(component_name="Problem")
class ProblemBody(serializers.Serializer[Any]):
    """A refusal (RFC 9457)."""

    type = serializers.CharField(help_text="The address of a page about this kind of problem.")
    title = serializers.CharField(
        help_text="The kind of problem in a few words; always the same for one type."
    )
    status = serializers.IntegerField(help_text="The status of the answer.")
    detail = serializers.CharField(help_text="What it was this time, in a sentence.")
    instance = serializers.CharField(
        help_text="The name of this one answer, by which the hub's log knows its mistakes."
    )
    code = serializers.CharField(help_text="What to decide by: the last part of the type.")
    errors = serializers.DictField(  # type: ignore[assignment]
        required=False, help_text="Each field that was wrong with its sentences; `body` is the whole of it."
    )


def _path_parameter(name: str, kind: str) -> dict[str, Any]:
    kind = kind if name in ("pk", "id") else name.removesuffix("_pk").removesuffix("_id")
    what = {"source": " or slug", "eventtype": " or name"}.get(kind, "")
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": f"The id{what} of the {_words(kind)}.",
        "schema": {"type": "string", "pattern": "^[^/]+$"},
    }


def _header(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "description": description, "schema": schema}


def _ref(header: str) -> dict[str, str]:
    return {"$ref": f"#/components/headers/{header}"}


def _words(kind: str) -> str:
    return _KINDS.get(kind) or words_of(kind)


def _plural(word: str) -> str:
    return f"{word[:-1]}ies" if word.endswith("y") and word[-2] not in "aeio" else f"{word}s"
