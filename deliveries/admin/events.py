"""Events on the console, with the way to what became of them."""

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from webhooks.admin import EventAdmin
from webhooks.ids import public_id
from webhooks.models import Event


@admin.register(Event)
class RoutedEventAdmin(EventAdmin):
    readonly_fields = ("deliveries", *EventAdmin.readonly_fields)

    def deliveries(self, event: Event) -> SafeString:
        address = reverse("admin:deliveries_delivery_changelist")
        return format_html('<a href="{}?q={}">List</a>', address, public_id("event", event.pk))
