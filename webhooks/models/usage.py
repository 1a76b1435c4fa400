"""How many requests an API key has made in the present minute: what several web processes share."""

from django.db import models

from .party import ApiKey


class ApiUsage(models.Model):
    """One row for each key. Processes take requests from it in blocks, so that few of them write."""

    api_key = models.OneToOneField(ApiKey, on_delete=models.CASCADE, primary_key=True, related_name="+")
    minute = models.BigIntegerField(help_text="Minutes since 1970.")
    taken = models.PositiveIntegerField(default=0)

    class Meta:
        default_permissions = ()
        verbose_name_plural = "API usage"

    def __str__(self) -> str:
        return str(self.taken)
