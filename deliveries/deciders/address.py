"""Decides which addresses and URLs we never send to. It never resolves a name nor opens a socket."""

import ipaddress
import re
import unicodedata
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import SplitResult, urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_URL = 2_000
MAX_HOST = 253  # characters; what DNS allows
MAX_LABEL = 63
LOCALHOST = "localhost"  # and all below it: loopback, by RFC 6761

# First match names the reason, so the narrow come before the wide.
REFUSED: tuple[tuple[Network, str], ...] = tuple(
    (ipaddress.ip_network(network), reason)
    for network, reason in (
        ("169.254.169.254/32", "a cloud's metadata service"),
        ("169.254.170.2/32", "a cloud's metadata service"),  # AWS ECS task credentials
        ("100.100.100.200/32", "a cloud's metadata service"),  # Alibaba
        ("168.63.129.16/32", "a cloud's metadata service"),  # Azure; a public address that never leaves it
        ("192.0.0.192/32", "a cloud's metadata service"),  # Oracle
        ("fd00:ec2::254/128", "a cloud's metadata service"),  # AWS
        ("0.0.0.0/32", "unspecified"),
        ("0.0.0.0/8", "reserved"),
        ("10.0.0.0/8", "private"),
        ("172.16.0.0/12", "private"),
        ("192.168.0.0/16", "private"),
        ("100.64.0.0/10", "a carrier's shared network"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "reserved"),
        ("192.88.99.0/24", "reserved"),
        ("198.18.0.0/15", "reserved"),
        ("198.51.100.0/24", "reserved"),
        ("203.0.113.0/24", "reserved"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private"),
        ("fc00::/7", "private"),
        ("ff00::/8", "multicast"),
        ("2001::/23", "reserved"),  # Teredo, benchmarking, ORCHID
        ("2001:db8::/32", "reserved"),
        ("3fff::/20", "reserved"),
        ("::/3", "reserved"),  # with 4000::/2 and 8000::/1: all that is not global unicast
        ("4000::/2", "reserved"),
        ("8000::/1", "reserved"),
    )
)
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """Refuses what is not a public address, unless the operator's list allows it."""

    allow: tuple[Network, ...] = ()

    def refusal(self, ip_text: str) -> str | None:
        """Why not to talk to this address, as one sentence; None: talk.

        Only the canonical form is an address. `127.1`, `0177.0.0.1` or `2130706433` are refused here, since
        a socket would take them.
        """
        try:
            address = ipaddress.ip_address(ip_text)
        except ValueError:
            return f"{ip_text[:60]!r} is not an address in its usual form."
        forms = (address, *_embedded(address))
        if any(form in network for form in forms for network in self.allow):
            return None
        reason = next((reason for form in reversed(forms) if (reason := _reason(form))), None)
        return f"The address {address} is {reason}; HUB_EGRESS_ALLOW does not list it." if reason else None


def check_reach(url: str, policy: EgressPolicy) -> None:
    """Raises ValueError where a URL names an address that we never send to, instead of a host that has one.

    What a name resolves to is judged at each connection; today's answer is no promise.
    """
    host = _host(_split(url)[0]).rstrip(".")
    if host == LOCALHOST or host.endswith(f".{LOCALHOST}"):
        host = "127.0.0.1"
    if (_is_ipv4(host) or ":" in host) and (refusal := policy.refusal(host)):
        raise ValueError(refusal)


def check_url(url: str) -> None:
    """Raises ValueError with one sentence when a subscription cannot have this URL."""
    if len(url) > MAX_URL:
        raise ValueError(f"The URL has more than {MAX_URL:,} characters.")
    if not url.isprintable() or any(character.isspace() for character in url) or "\\" in url:
        raise ValueError("The URL must not have spaces, control characters or backslashes.")
    parts, port = _split(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError("The URL must begin with http:// or https://.")
    if "@" in parts.netloc:
        raise ValueError("The URL must not have a user name or password; use a header of the subscription.")
    if "#" in url:
        raise ValueError("The URL must not have a fragment.")
    if port == 0:
        raise ValueError("The URL's port must be between 1 and 65535.")
    _check_host(_host(parts), is_bracketed="[" in parts.netloc)


def _split(url: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("The URL is not a valid one.") from None
    try:
        return parts, parts.port
    except ValueError:
        raise ValueError("The URL's port must be between 1 and 65535.") from None


def _host(parts: SplitResult) -> str:
    """As it is looked up: to a client `①` is a digit and `。` a full stop like any other (UTS 46)."""
    return unicodedata.normalize("NFKC", parts.hostname or "").replace("\u3002", ".")


def _check_host(host: str, *, is_bracketed: bool) -> None:
    if not host:
        raise ValueError("The URL must name a host.")
    if len(host) > MAX_HOST:
        raise ValueError(f"The URL's host has more than {MAX_HOST} characters.")
    if "%" in host:
        raise ValueError("The URL's host must not have a zone or percent signs.")
    if is_bracketed:
        return _check_ipv6(host)
    labels = host.removesuffix(".").split(".")
    if not all(0 < len(label) <= MAX_LABEL for label in labels):
        raise ValueError(f"Each part of the URL's host must have 1 to {MAX_LABEL} characters.")
    # What ends in a number is an IPv4 address to a browser and to a socket, in whatever odd form.
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1], re.ASCII) and not _is_ipv4(host):
        raise ValueError("Write an IPv4 address as four decimal numbers, such as 192.0.2.1.")
    if any(character in "!\"$&'()*+,;<=>^`{|}~[]" for character in host):
        raise ValueError("The URL's host has a character that no host has.")
    _check_international(host)


def _check_ipv6(host: str) -> None:
    try:
        IPv6Address(host)
    except ValueError:
        raise ValueError("The URL's host is not a valid IPv6 address.") from None


def _check_international(host: str) -> None:
    try:
        host.encode("idna")
    except UnicodeError:
        raise ValueError("The URL's host is not a valid name.") from None


def _is_ipv4(host: str) -> bool:
    try:
        IPv4Address(host)
    except ValueError:
        return False
    return True


def _reason(address: Address) -> str | None:
    if isinstance(address, IPv6Address) and (address.ipv4_mapped or address in NAT64):
        return None  # nothing but the IPv4 address inside; that one is judged
    return next((reason for network, reason in REFUSED if address in network), None)


def _embedded(address: Address) -> tuple[IPv4Address, ...]:
    """The IPv4 address that a packet to this one ends up at, if it does."""
    if isinstance(address, IPv4Address):
        return ()
    if address in NAT64:
        return (IPv4Address(int(address) & 0xFFFF_FFFF),)
    teredo_client = address.teredo[1] if address.teredo else None
    inner = address.ipv4_mapped or address.sixtofour or teredo_client
    return (inner,) if inner else ()
