"""What the hub itself remembers: how often somebody tried to log in. No name and no address is kept in clear."""

from django.db import models


class LoginTries(models.Model):
    """One name, or one address, in its present window.

    In the database, since that is all that several processes and machines share; a cache in memory would let
    each of them be tried anew.
    """

    # A digest: people type passwords into the field for names.
    key = models.UUIDField(primary_key=True)
    since = models.DateTimeField(help_text="When the present window began.")
    tries = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "login tries"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.tries} since {self.since:%Y-%m-%d %H:%M}"
