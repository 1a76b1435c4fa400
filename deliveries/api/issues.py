"""The door of issues: dead letters that failed alike, looked at, acknowledged, ignored and opened again.

None is resolved by anybody's word: it is when no dead letter of it waits, by a replay or a discard.
"""

from datetime import UTC, datetime

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.models import Issue
from deliveries.services.issues import move_issue
from webhooks.rest import Conflict, Door

from .issue_bodies import IssueBody, IssueFilters, IssueMove, IssueTold, told


class IssueDoor(Door[Issue]):
    owned_by = None
    # A subscription's headers are sealed, and unsealing them for every row is slow and for nothing.
    queryset = Issue.objects.select_related("subscription__lane").defer("subscription__headers")
    serializer_class = IssueBody
    filters = IssueFilters
    kind = "issue"

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(told(page or []))

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(told([self.get_object()])[0])

    @extend_schema(request=IssueMove, responses={200: IssueTold})
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, pk: str) -> Response:
        """Acknowledge an issue. It says that somebody is at it."""
        return self._move("acknowledge")

    @extend_schema(request=IssueMove, responses={200: IssueTold})
    @action(detail=True, methods=["post"])
    def ignore(self, request: Request, pk: str) -> Response:
        """Ignore an issue. For 24 hours it is set aside; then it is open again, unless no dead letter of it waits."""
        return self._move("ignore")

    @extend_schema(request=IssueMove, responses={200: IssueTold})
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, pk: str) -> Response:
        """Reopen an issue. What was acknowledged or ignored is taken back."""
        return self._move("reopen")

    def _move(self, verb: str) -> Response:
        issue = self.get_object()
        wanted = self.read(IssueMove)
        verdict = move_issue(
            issue_id=issue.pk, verb=verb, actor=self.actor, now=datetime.now(UTC), **wanted.validated_data
        )
        if not verdict.is_done:
            raise Conflict(verdict.sentence)
        return Response({**told([self.get_object()])[0], "detail": verdict.sentence})
