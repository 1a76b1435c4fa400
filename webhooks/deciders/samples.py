"""One realistic request of each provider of the table, as data, unsigned. It signs nothing: `signing.py` does.

In a body `<id>`, `<n>`, `<s>`, `<ms>` and `<iso>` stand for a new id, a new number and the present time. A body that
is a mapping of texts with `form=True` is sent as a form, every other one as JSON.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    form: bool = False


_ORDER = {
    "id": "<id>",
    "type": "order.paid",
    "timestamp": "<iso>",
    "data": {"order": "<n>", "total": "49.90", "currency": "EUR"},
}
_DIDIT = {
    "event_id": "<id>",
    "webhook_type": "status.updated",
    "timestamp": "<s>",
    "created_at": "<s>",
    "environment": "sandbox",
    "session_id": "<id>",
    "status": "Approved",
    "workflow_id": "b1a9f0de-3c52-4a1c-8d0e-77aa1c1f2a10",
    "vendor_data": "customer-4711",
    "decision": {
        "status": "Approved",
        "id_verifications": [
            {
                "node_id": "id",
                "status": "Approved",
                "document_type": "Passport",
                "first_name": "José",
                "issuing_state": "ESP",
            }
        ],
    },
}
_ISSUE = {
    "object_kind": "issue",
    "user": {"name": "Ada", "username": "ada"},
    "project": {"id": 7, "path_with_namespace": "weir/demo"},
    "object_attributes": {"id": "<n>", "iid": 23, "title": "It leaks", "action": "open", "state": "opened"},
}

# Who signs samples has no certificate at the provider's address, so none is asked for there: a hub where it is not
# pinned refuses at once, instead of fetching.
_NO_CERTIFICATE = "https://certificate.invalid/sample.pem"

SAMPLES: Mapping[str, Sample] = MappingProxyType(
    {
        "none": Sample(body=_ORDER),
        "standard-webhooks": Sample(body=_ORDER),
        "svix": Sample(body=_ORDER),
        "generic-hmac": Sample(body=_ORDER),
        "api-key": Sample(body=_ORDER),
        "basic": Sample(body=_ORDER),
        "adyen": Sample(
            body={
                "live": "false",
                "notificationItems": [
                    {
                        "NotificationRequestItem": {
                            "additionalData": {},
                            "amount": {"currency": "EUR", "value": 4990},
                            "eventCode": "AUTHORISATION",
                            "eventDate": "<iso>",
                            "merchantAccountCode": "WeirECOM",
                            "merchantReference": "order-<n>",
                            "operations": ["CANCEL", "CAPTURE", "REFUND"],
                            "paymentMethod": "visa",
                            "pspReference": "<id>",
                            "reason": "033899:1111:03/2030",
                            "success": "true",
                        }
                    }
                ],
            }
        ),
        "adyen-platform": Sample(
            body={
                "environment": "test",
                "type": "balancePlatform.transfer.created",
                "timestamp": "<iso>",
                "data": {
                    "id": "<id>",
                    "balancePlatform": "WeirPlatform",
                    "amount": {"currency": "EUR", "value": 4990},
                    "status": "received",
                },
            }
        ),
        "aws-sns": Sample(
            body={
                "Type": "Notification",
                "MessageId": "<id>",
                "TopicArn": "",
                "Subject": "Alarm",
                "Message": '{"AlarmName":"queue-depth","NewStateValue":"ALARM"}',
                "Timestamp": "<iso>",
                "SignatureVersion": "2",
                "SigningCertURL": _NO_CERTIFICATE,
                "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
            },
            headers={"x-amz-sns-message-type": "Notification"},
            content_type="text/plain; charset=UTF-8",
        ),
        "bitbucket": Sample(
            body={
                "actor": {"display_name": "Ada"},
                "repository": {"full_name": "weir/demo"},
                "push": {
                    "changes": [
                        {
                            "new": {"type": "branch", "name": "main"},
                            "commits": [{"hash": "<id>", "message": "Mend the dam"}],
                        }
                    ]
                },
            },
            headers={
                "x-event-key": "repo:push",
                "x-request-uuid": "<id>",
                "x-hook-uuid": "7a3c",
                "x-attempt-number": "1",
            },
        ),
        "calendly": Sample(
            body={
                "event": "invitee.created",
                "created_at": "<iso>",
                "created_by": "https://api.calendly.com/users/AAAA",
                "payload": {
                    "uri": "https://api.calendly.com/scheduled_events/BBBB/invitees/<id>",
                    "email": "ada@example.com",
                    "name": "Ada",
                    "status": "active",
                },
            }
        ),
        "cloudevents": Sample(
            body={
                "specversion": "1.0",
                "id": "<id>",
                "source": "/shops/7",
                "type": "com.example.order.paid",
                "time": "<iso>",
                "datacontenttype": "application/json",
                "data": {"order": "<n>"},
            },
            content_type="application/cloudevents+json",
        ),
        "didit": Sample(body=_DIDIT),
        "didit-v2": Sample(body=_DIDIT),
        "didit-simple": Sample(body=_DIDIT),
        "discord": Sample(
            body={
                "version": 1,
                "application_id": "1234560123453231555",
                "type": 1,
                "event": {
                    "type": "APPLICATION_AUTHORIZED",
                    "timestamp": "<iso>",
                    "data": {"integration_type": 0, "user": {"id": "<n>", "username": "ada"}},
                },
            }
        ),
        "discord-interactions": Sample(
            body={
                "version": 1,
                "id": "<n>",
                "application_id": "1234560123453231555",
                "type": 2,
                "token": "sample",
                "data": {"id": "771825006014889984", "name": "status", "type": 1},
                "channel_id": "645027906669510667",
            }
        ),
        "github": Sample(
            body={
                "ref": "refs/heads/main",
                "before": "0" * 40,
                "after": "<id>",
                "repository": {"id": 35129377, "full_name": "weir/demo"},
                "pusher": {"name": "ada"},
                "commits": [{"id": "<id>", "message": "Mend the dam", "timestamp": "<iso>"}],
            },
            headers={
                "x-github-event": "push",
                "x-github-delivery": "<id>",
                "user-agent": "GitHub-Hookshot/sample",
            },
        ),
        "gitlab": Sample(
            body=_ISSUE,
            headers={"x-gitlab-event": "Issue Hook", "x-gitlab-instance": "https://gitlab.example.com"},
        ),
        "gitlab-token": Sample(
            body=_ISSUE,
            headers={
                "x-gitlab-event": "Issue Hook",
                "idempotency-key": "<id>",
                "x-gitlab-event-uuid": "<id>",
                "x-gitlab-webhook-uuid": "7a3c",
            },
        ),
        "hubspot": Sample(
            body=[
                {
                    "eventId": "<n>",
                    "subscriptionId": 12345,
                    "portalId": 62515,
                    "appId": 54321,
                    "occurredAt": "<ms>",
                    "subscriptionType": "contact.propertyChange",
                    "attemptNumber": 0,
                    "objectId": 746,
                    "propertyName": "email",
                    "propertyValue": "ada@example.com",
                }
            ]
        ),
        "intercom": Sample(
            body={
                "type": "notification_event",
                "id": "notif_<id>",
                "topic": "conversation.user.created",
                "app_id": "weir",
                "created_at": "<s>",
                "delivery_attempts": 1,
                "data": {"type": "notification_event_data", "item": {"type": "conversation", "id": "<n>"}},
            }
        ),
        "linear": Sample(
            body={
                "action": "create",
                "type": "Issue",
                "createdAt": "<iso>",
                "webhookTimestamp": "<ms>",
                "webhookId": "7a3c",
                "organizationId": "weir",
                "data": {
                    "id": "<id>",
                    "identifier": "DAM-42",
                    "title": "It leaks",
                    "state": {"name": "Todo"},
                },
            },
            headers={"linear-event": "Issue", "linear-delivery": "<id>"},
        ),
        "mailgun": Sample(
            body={
                "signature": {"timestamp": "<s>", "token": "<id>", "signature": ""},
                "event-data": {
                    "event": "delivered",
                    "id": "<id>",
                    "timestamp": "<s>",
                    "recipient": "ada@example.com",
                    "delivery-status": {"code": 250},
                },
            }
        ),
        "meta": Sample(
            body={
                "object": "whatsapp_business_account",
                "entry": [
                    {
                        "id": "102290129340398",
                        "changes": [
                            {
                                "field": "messages",
                                "value": {
                                    "messaging_product": "whatsapp",
                                    "metadata": {
                                        "display_phone_number": "15550783881",
                                        "phone_number_id": "106540352242922",
                                    },
                                    "messages": [
                                        {
                                            "from": "16505551234",
                                            "id": "wamid.<id>",
                                            "timestamp": "<s>",
                                            "type": "text",
                                            "text": {"body": "Does it come in another colour?"},
                                        }
                                    ],
                                },
                            }
                        ],
                    }
                ],
            }
        ),
        "microsoft-graph": Sample(
            body={
                "value": [
                    {
                        "id": "<id>",
                        "subscriptionId": "7f105c7d-2dc5-4530-97cd-4e7ae6534c07",
                        "clientState": "",
                        "changeType": "created",
                        "resource": "users/ada/messages/<id>",
                        "tenantId": "84bd8158-6d4d-4958-8b9f-9d6445542f95",
                    }
                ]
            }
        ),
        "paddle": Sample(
            body={
                "event_id": "evt_<id>",
                "event_type": "transaction.completed",
                "occurred_at": "<iso>",
                "notification_id": "ntf_<id>",
                "data": {
                    "id": "txn_<id>",
                    "status": "completed",
                    "currency_code": "EUR",
                    "customer_id": "ctm_01",
                },
            }
        ),
        "paypal": Sample(
            body={
                "id": "WH-<id>",
                "event_version": "1.0",
                "create_time": "<iso>",
                "resource_type": "capture",
                "event_type": "PAYMENT.CAPTURE.COMPLETED",
                "resource": {
                    "id": "<id>",
                    "status": "COMPLETED",
                    "amount": {"currency_code": "EUR", "value": "49.90"},
                },
            },
            headers={
                "paypal-transmission-id": "<id>",
                "paypal-auth-algo": "SHA256withRSA",
                "paypal-cert-url": _NO_CERTIFICATE,
            },
        ),
        "sendgrid": Sample(
            body=[
                {
                    "email": "ada@example.com",
                    "timestamp": "<s>",
                    "event": "delivered",
                    "sg_event_id": "<id>",
                    "sg_message_id": "<id>.filter0001",
                    "response": "250 OK",
                }
            ]
        ),
        "shopify": Sample(
            body={
                "id": "<n>",
                "email": "ada@example.com",
                "created_at": "<iso>",
                "total_price": "49.90",
                "currency": "EUR",
                "line_items": [{"sku": "SKU-10042", "quantity": 2}],
            },
            headers={
                "x-shopify-topic": "orders/paid",
                "x-shopify-event-id": "<id>",
                "x-shopify-webhook-id": "<id>",
                "x-shopify-shop-domain": "weir.myshopify.com",
                "x-shopify-triggered-at": "<iso>",
                "x-shopify-api-version": "2026-07",
            },
        ),
        "shopify-events": Sample(
            body={"order": {"id": "<n>", "displayFinancialStatus": "PAID"}},
            headers={
                "shopify-topic": "order/update",
                "shopify-webhook-id": "<id>",
                "shopify-shop-domain": "weir.myshopify.com",
            },
        ),
        "slack": Sample(
            body={
                "token": "verification",
                "team_id": "T061EG9R6",
                "api_app_id": "A0PNCHHK2",
                "type": "event_callback",
                "event_id": "Ev<id>",
                "event_time": "<s>",
                "event": {
                    "type": "app_mention",
                    "user": "U061F7AUR",
                    "text": "is the dam dry?",
                    "channel": "C0LAN2Q65",
                    "ts": "<s>.000200",
                },
            }
        ),
        "square": Sample(
            body={
                "merchant_id": "6SSW7HV8K2ST5",
                "type": "payment.created",
                "event_id": "<id>",
                "created_at": "<iso>",
                "data": {
                    "type": "payment",
                    "id": "<id>",
                    "object": {
                        "payment": {"amount_money": {"amount": 4990, "currency": "EUR"}, "status": "APPROVED"}
                    },
                },
            }
        ),
        "stripe": Sample(
            body={
                "id": "evt_<id>",
                "object": "event",
                "api_version": "2026-06-30",
                "created": "<s>",
                "livemode": False,
                "type": "payment_intent.succeeded",
                "data": {
                    "object": {
                        "id": "pi_<id>",
                        "object": "payment_intent",
                        "amount": 4990,
                        "currency": "eur",
                        "status": "succeeded",
                    }
                },
            },
            headers={"user-agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)"},
        ),
        "twilio": Sample(
            body={
                "AccountSid": "AC0123",
                "From": "+15551230001",
                "To": "+15551230002",
                "MessageSid": "SM<id>",
                "MessageStatus": "delivered",
                "SmsStatus": "delivered",
            },
            form=True,
            headers={"i-twilio-idempotency-token": "<id>"},
        ),
        "typeform": Sample(
            body={
                "event_id": "<id>",
                "event_type": "form_response",
                "form_response": {
                    "form_id": "lT4Z3j",
                    "token": "<id>",
                    "submitted_at": "<iso>",
                    "answers": [
                        {"type": "boolean", "boolean": True, "field": {"id": "a1", "type": "yes_no"}}
                    ],
                },
            }
        ),
        "zendesk": Sample(
            body={
                "type": "zen:event-type:ticket.created",
                "id": "<id>",
                "account_id": 22129848,
                "time": "<iso>",
                "subject": "zen:ticket:<n>",
                "detail": {"id": "<n>", "subject": "It leaks", "status": "NEW", "priority": "HIGH"},
                "event": {},
            },
            headers={"x-zendesk-webhook-invocation-id": "<id>", "x-zendesk-webhook-id": "7a3c"},
        ),
        "zoom": Sample(
            body={
                "event": "meeting.started",
                "event_ts": "<ms>",
                "payload": {
                    "account_id": "AAAABBBB",
                    "object": {"uuid": "<id>", "id": "<n>", "topic": "Dam review", "type": 2},
                },
            }
        ),
    }
)
