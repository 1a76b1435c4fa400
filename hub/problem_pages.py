"""The pages that a problem's `type` leads to: what it means, and what to do. Anybody may read them."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from hub.failures import to_be_read
from webhooks.deciders.problems import PROBLEMS


@to_be_read
def contents(request: HttpRequest) -> HttpResponse:
    return render(request, "hub/problems.html", {"problems": PROBLEMS.values()})


@to_be_read
def one(request: HttpRequest, slug: str) -> HttpResponse:
    problem = PROBLEMS.get(slug)
    if problem is None:
        raise Http404
    parts = {"meaning": _parts(problem.meaning), "remedy": _parts(problem.remedy)}
    return render(request, "hub/problem.html", {"problem": problem, **parts})


def _parts(text: str) -> list[tuple[str, bool]]:
    """Its pieces in turn, and of each whether it is code, which stands between backticks."""
    return [(piece, bool(place % 2)) for place, piece in enumerate(text.split("`"))]
