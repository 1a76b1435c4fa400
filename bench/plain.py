"""The yardstick of receiving: a plain Django view with one ORM insert. It verifies and deduplicates nothing."""

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()  # first, since a model cannot be made before Django is set up

from django.db import models  # noqa: E402
from django.http import HttpRequest, HttpResponse, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils import timezone  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402


class Receipt(models.Model):
    content_type = models.CharField(max_length=200)
    body = models.BinaryField()
    received_at = models.DateTimeField(default=timezone.now)
    objects: "models.Manager[Receipt]" = models.Manager()

    class Meta:
        app_label = "plain"

    def __str__(self) -> str:
        return str(self.pk)


@csrf_exempt
def receive(request: HttpRequest, slug: str) -> HttpResponse:
    receipt = Receipt.objects.create(content_type=request.content_type, body=request.body)
    return JsonResponse({"status": "accepted", "event": receipt.pk}, status=202)


urlpatterns = [path("in/<slug:slug>", receive)]
