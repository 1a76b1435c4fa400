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
    return render(request, "hub/problem.html", {"problem": problem})
