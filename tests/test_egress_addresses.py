"""Where we never send, however the address is written."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.deciders.address import EgressPolicy, check_reach, check_url

CLOSED = EgressPolicy()


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("::1", "loopback"),
        ("10.0.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.168.0.1", "private"),
        ("fd12:3456::1", "private"),
        ("fec0::1", "private"),
        ("169.254.10.1", "link-local"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("100.64.0.1", "a carrier's shared network"),
        ("169.254.169.254", "a cloud's metadata service"),
        ("100.100.100.200", "a cloud's metadata service"),
        ("168.63.129.16", "a cloud's metadata service"),
        ("fd00:ec2::254", "a cloud's metadata service"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("0.0.0.0", "unspecified"),  # noqa: S104
        ("::", "unspecified"),
        ("0.1.2.3", "reserved"),
        ("198.18.0.1", "reserved"),
        ("192.0.2.1", "reserved"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("2001:db8::1", "reserved"),
        ("::127.0.0.1", "reserved"),
        ("64:ff9b:1::1", "reserved"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:10.0.0.1", "private"),
        ("::ffff:169.254.169.254", "a cloud's metadata service"),
        ("64:ff9b::7f00:1", "loopback"),
        ("64:ff9b::a9fe:a9fe", "a cloud's metadata service"),
        ("2002:7f00:1::1", "loopback"),
        ("2002:c0a8:1::1", "private"),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "reserved"),
    ],
)
def test_what_is_not_public_is_refused_with_its_reason(address: str, reason: str) -> None:
    shown = ipaddress.ip_address(address)
    assert CLOSED.refusal(address) == f"The address {shown} is {reason}; HUB_EGRESS_ALLOW does not list it."


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "172.32.0.1",
        "100.128.0.1",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::1",
    ],
)
def test_a_public_address_passes(address: str) -> None:
    assert CLOSED.refusal(address) is None


@pytest.mark.parametrize(
    "address", ["127.1", "2130706433", "0177.0.0.1", "0x7f.0.0.1", "localhost", "", "1.2.3.4 "]
)
def test_only_the_usual_form_is_an_address(address: str) -> None:
    assert CLOSED.refusal(address) == f"{address!r} is not an address in its usual form."


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"])
def test_the_list_of_the_operator_wins_in_every_form(address: str) -> None:
    policy = EgressPolicy((ipaddress.ip_network("127.0.0.0/8"),))
    assert policy.refusal(address) is None
    assert policy.refusal("10.0.0.1") is not None


def test_an_allowed_ipv6_network_opens_itself_alone() -> None:
    policy = EgressPolicy((ipaddress.ip_network("fd00::/8"),))
    assert policy.refusal("fd00::5") is None
    assert policy.refusal("fe80::5") is not None


@given(st.ip_addresses(v=4).filter(lambda address: not address.is_global))
def test_no_private_address_passes_in_any_disguise(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    disguises = [
        address,
        ipaddress.IPv6Address(0xFFFF << 32 | number),
        ipaddress.IPv6Address((0x64_FF9B << 96) | number),
        ipaddress.IPv6Address(0x2002 << 112 | number << 80),
    ]
    assert all(CLOSED.refusal(str(disguise)) for disguise in disguises)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "http://example.com:8080/hook?a=1&b=%20",
        "https://hooks.example.com./x",
        "https://bücher.example/ü",
        "http://192.0.2.7/",
        "http://[2001:db8::1]:8080/",
        "http://localhost:9000/",
        "http://my_service/",
        "https://example.com/" + "a" * 1_979,
    ],
)
def test_a_usable_url_passes(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "ftp://example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://",
        "http:///path",
        "http://user:secret@example.com/",
        "http://@example.com/",
        "http://example.com/#part",
        "http://example.com/#",
        "http://example.com:0/",
        "http://example.com:65536/",
        "http://example.com:port/",
        "http://example.com/a b",
        "http://example.com/a\r\nb",
        "http://example.com/\x00",
        "http://example.com\\@evil.example/",
        "http://[fe80::1%25eth0]/",
        "http://[::1/",
        "http://[v1.x]/",
        "http://2130706433/",
        "http://127.1/",
        "http://①27。１/",
        "http://0177.0.0.1/",
        "http://0x7f.0.0.1/",
        "http://0x7f000001/",
        "http://1.2.3.4.5/",
        "http://a..b/",
        "http://.example.com/",
        "http://exa$mple.com/",
        "http://" + "a" * 64 + ".example/",
        "http://" + "a." * 127 + "example/",
        "https://example.com/" + "a" * 1_981,
    ],
)
def test_a_url_nobody_could_mean_is_refused_in_one_sentence(url: str) -> None:
    with pytest.raises(ValueError, match=r"^[A-Z].*\.$") as refusal:
        check_url(url)
    assert "secret" not in str(refusal.value)


@given(st.text(max_size=60))
def test_no_url_can_do_worse_than_be_refused(rest: str) -> None:
    try:
        check_url("http://" + rest)
    except ValueError as refusal:
        assert str(refusal).endswith(".")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:9000/", "loopback"),
        ("https://[::1]/", "loopback"),
        ("https://[::ffff:10.0.0.1]/", "private"),
        ("http://169.254.169.254/latest", "a cloud's metadata service"),
        ("http://10.1.2.3./", "private"),
        ("http://localhost:9000/", "loopback"),
        ("http://api.localhost/", "loopback"),
        ("http://LOCALHOST/", "loopback"),
        ("http://①⓪.⓪.⓪.①/", "private"),
        ("http://127。0。0．1/", "loopback"),
        ("http://ⓛocalhost/", "loopback"),
    ],
)
def test_a_url_that_names_what_is_never_sent_to_is_refused_unless_it_is_allowed(
    url: str, reason: str
) -> None:
    with pytest.raises(ValueError, match=f" is {reason}; HUB_EGRESS_ALLOW does not list it."):
        check_reach(url, CLOSED)
    everything = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
    check_reach(url, EgressPolicy(allow=everything))


@pytest.mark.parametrize(
    "url", ["https://example.com/", "https://8.8.8.8/", "https://localhost.example.com/"]
)
def test_a_url_that_may_be_reached_passes(url: str) -> None:
    check_reach(url, CLOSED)
