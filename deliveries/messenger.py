"""Hands one message to apprise, within a time limit: the one place that sends to channels. It knows no row.

An address holds passwords and tokens, and what apprise writes to its own log may repeat them. So of that log nothing is
kept but the status a receiver answered with, and nothing of it reaches the terminal, a page or a table.

Channels are not held to HUB_EGRESS_ALLOW. That check guards against subscribers, who choose where we send; channels are
set by an Admin alone, who mostly means a mail relay or a chat server in the private network, and apprise opens its
sockets itself, so that a name checked beforehand could lead elsewhere by the time it connects. What is given up is
small: nobody is shown what a receiver answered but its status. Redirects are not followed, so that a token goes where
the Admin sent it, and services that act on this very machine are refused.
"""

import logging
import re
import threading
from typing import Final

from apprise import Apprise, AppriseAsset, NotifyBase, NotifyFormat, NotifyType

from deliveries.models import Severity

LIMIT_S: Final = 20.0  # for one message, whatever the service's own time limits are
REFUSED: Final = frozenset(
    {"dbus", "kde", "qt", "glib", "gio", "gnome", "macosx", "windows", "blink1", "syslog"}
)
OVER: Final = "over"
TYPES: Final = {
    Severity.CRITICAL: NotifyType.FAILURE,
    Severity.WARNING: NotifyType.WARNING,
    Severity.INFO: NotifyType.INFO,
    OVER: NotifyType.SUCCESS,  # by which PagerDuty and others resolve
}
_STATUS = re.compile(r"\berror=([1-5]\d\d)\b")

# Whatever level the hub's own log has. Without a handler of its own Python would print warnings to the terminal.
_log = logging.getLogger("apprise")
_log.setLevel(logging.WARNING)
_log.propagate = False
_log.addHandler(logging.NullHandler())
logging.getLogger("urllib3").setLevel(logging.WARNING)  # at DEBUG it names the path of every request


def check_address(url: str) -> str:
    """What service apprise takes it for. Raises ValueError with one sentence, which repeats nothing of it."""
    scheme = url.partition("://")[0].lower()
    if scheme in REFUSED:
        raise ValueError(
            f"Addresses that begin with {scheme}:// act on this machine and are not for channels."
        )
    service = _service(url)
    if service is None:
        raise ValueError(
            "Apprise does not know this address; look at https://appriseit.com/services/ for its form."
        )
    return str(service.service_name)[:100]


def send(url: str, *, title: str, text: str, tone: str, limit_s: float = LIMIT_S) -> str:
    """Waits until it is sent; returns why it was not, in one sentence, or nothing. It never raises.

    `tone` is a severity, or `over`. A send that hangs is left to itself, in a thread that holds nobody up.
    """
    answers: list[str] = []
    sender = threading.Thread(target=lambda: answers.append(_send(url, title, text, tone)), daemon=True)
    sender.start()
    sender.join(limit_s)
    return answers[0] if answers else f"It was not taken within {limit_s:g} s."


def _send(url: str, title: str, text: str, tone: str) -> str:
    heard = _Heard()
    _log.addHandler(heard)
    try:
        service = _service(url)
        if service is None:
            return "Apprise does not know its address any more."
        if service.notify(body=text, title=title, notify_type=TYPES[tone], body_format=NotifyFormat.TEXT):
            return ""
    except Exception:  # noqa: BLE001  # a hundred services, and whatever one of them raises may name a secret
        return "The service failed on it."
    finally:
        _log.removeHandler(heard)
    return (
        f"The receiver answered {heard.status}."
        if heard.status
        else "It could not be reached, or refused it."
    )


def _service(url: str) -> NotifyBase | None:
    asset = AppriseAsset(app_id="Weir", app_desc="Weir", http_redirects=False, storage_mode="memory")
    try:
        return Apprise.instantiate(url, asset=asset)
    except Exception:  # noqa: BLE001  # as above
        return None


class _Heard(logging.Handler):
    """Listens to what apprise says in this thread for a status, and keeps nothing else."""

    def __init__(self) -> None:
        super().__init__(level=logging.WARNING)
        self.thread = threading.get_ident()
        self.status = ""

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self.thread and (found := _STATUS.search(record.getMessage())):
            self.status = found[1]
