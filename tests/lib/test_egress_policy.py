"""Where requests may go: the addresses that attackers try, and what an operator can open."""

import logging

import pytest

from lib import egress
from lib.egress.errors import WORDS
from lib.egress.networks import is_public, parse_address
from lib.egress.policy import current
from lib.egress.urls import parse
from lib.errors import CATALOGUE, UserError, describe

STRICT = egress.Policy()

# Wrong in itself: syntax or scheme.
INVALID = [
    "", "example.com", "//example.com/", "http:/example.com", "http:example.com", "https://", "http:///path",
    "http://:80/", "ftp://example.com/", "file:///etc/passwd", "gopher://127.0.0.1:6379/_INFO",
    "dict://127.0.0.1:11211/", "ldap://127.0.0.1/", "javascript:alert(1)", "data:text/plain,hi",
    "jar:http://example.com!/", "unix:///var/run/docker.sock", "http+unix://x/", "http://user@example.com/",
    "http://user:secret@example.com/", "http://example.com@127.0.0.1/", "http://127.0.0.1@example.com/",
    "http://example.com%40127.0.0.1/", "http://example.com:80@127.0.0.1:81/", "http://ex%61mple.com/",
    "http://127.0.0.1%00.example.com/", "http://example.com\\@127.0.0.1/", "http://example.com\\.evil/",
    "http://exa mple.com/", " http://example.com/", "http://example.com/ ", "http://example.com/a b",
    "http://example.com/\r\nHost: evil", "http://example.com/\tx", "http://example.com/\0", "http://example.com/\x7f",
    "http://example.com/\x85", "http://example.com/\ud800", "http://example.com:0/", "http://example.com:65536/",
    "http://example.com:99999/", "http://example.com:-80/", "http://example.com:8a/", "http://example.com:٨٠/",
    "http://example.com:80:81/", "http://example.com: 80/", "http://-example.com/", "http://example-.com/",
    "http://a..com/", "http://.com/", "http://exam!ple.com/", "http://a,b.com/", "http://" + "a" * 64 + ".com/",
    "http://" + "a." * 130 + "com/", "http://example.com/" + "a" * 9000, "http://[::1/", "http://::1/",
    "http://[example.com]/", "http://[127.0.0.1]/", "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/",
    "http://[v1.fe80]/", "http://[::1]x/", "http://[::1]]/", "http://999.1.1.1/", "http://1.2.3.4.5/",
    "http://256.256.256.256/", "http://134744072/", "http://8.8.2056/", "http://010.8.8.8/", "http://0x08.8.8.8/",
    "http://1.2.3.0x/", "http://example.1/", "http://example.0x7f/", "http://\u202eexample.com/",
    "http://exa\u200bmple.com…/", "http://ex\u2100mple.com/", "http://a\u2044b.com/",
]  # fmt: skip

# Well written, and not to be reached.
BLOCKED = [
    "http://127.0.0.1/", "http://127.0.0.1:80/", "https://127.0.0.1/", "http://127.1.2.3/", "http://127.255.255.255/",
    "http://0.0.0.0/", "http://0.1.2.3/", "http://10.0.0.1/", "http://10.255.255.255/", "http://172.16.0.1/",
    "http://172.31.255.255/", "http://192.168.0.1/", "http://169.254.169.254/latest/meta-data/",
    "http://169.254.170.2/v2/credentials", "http://100.64.0.1/", "http://100.100.100.200/",
    "http://168.63.129.16/metadata", "http://192.0.0.192/", "http://192.0.2.1/", "http://198.18.0.1/",
    "http://198.19.255.255/", "http://198.51.100.7/", "http://203.0.113.9/", "http://192.88.99.1/",
    "http://224.0.0.1/", "http://239.1.1.1/", "http://240.0.0.1/", "http://255.255.255.255/", "http://2130706433/",
    "http://0x7f000001/", "http://0x7f.1/", "http://0177.0.0.1/", "http://017700000001/", "http://127.1/",
    "http://127.0.1/", "http://0/", "http://0x0/", "http://0xa9fea9fe/", "http://2852039166/",
    "http://169.254.43518/", "http://0251.0376.0251.0376/", "http://127.0.0.1./", "http://127.0.0.1:8080/",
    "http://127。0。0。1/", "http://１２７.０.０.１/", "http://①②⑦.⓪.⓪.①/", "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", "http://[::1]/",
    "http://[::]/", "http://[0:0:0:0:0:0:0:1]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/",
    "http://[::ffff:169.254.169.254]/", "http://[::ffff:10.0.0.1]/", "http://[::127.0.0.1]/", "http://[::7f00:1]/",
    "http://[::ffff:0:7f00:1]/", "http://[64:ff9b::7f00:1]/", "http://[64:ff9b::169.254.169.254]/",
    "http://[64:ff9b:1::1]/", "http://[2002:7f00:1::]/", "http://[2001:0:7f00:1::]/", "http://[2001:db8::1]/",
    "http://[fc00::1]/", "http://[fd00:ec2::254]/", "http://[fe80::1]/", "http://[fec0::1]/", "http://[ff02::1]/",
    "http://[100::1]/", "http://[5f00::1]/", "http://[3fff::1]/", "http://[4000::1]/", "http://localhost/",
    "http://LOCALHOST/", "http://localhost./", "http://foo.localhost/", "http://postgres/", "http://redis/",
    "http://intranet/", "http://printer.local/", "http://metadata.google.internal/", "http://db.internal/",
    "http://router.home.arpa/", "http://1.0.0.127.in-addr.arpa/", "http://x.onion/", "http://a.test/",
    "http://a.invalid/", "http://a.localdomain/", "http://example.com:22/", "http://example.com:25/",
    "http://example.com:5432/", "http://example.com:6379/", "http://example.com:9200/", "http://example.com:11211/",
    "https://example.com:2375/", "http://8.8.8.8:53/",
]  # fmt: skip

ALLOWED = [
    "http://example.com/", "https://example.com", "https://example.com?x=1", "https://example.com#part",
    "HTTPS://Example.COM/Path?Q=1", "https://example.com./", "https://example.com:443/", "http://example.com:8080/",
    "https://example.com:8443/", "http://example.com:/", "https://пример.рф/путь?ключ=значение",
    "https://bücher.example/", "https://xn--e1afmkfd.xn--p1ai/", "http://8.8.8.8/", "http://1.1.1.1:8080/",
    "https://[2606:4700:4700::1111]/", "https://[::ffff:8.8.8.8]/", "http://a_b.example.com/", "http://100.63.0.1/",
    "http://172.32.0.1/", "https://api.example.com/@me/a:b;c,d(e)'f!*~$&=+?x[]=1&y=a@b/c", "https://10.example.com/",
    "http://127.0.0.1.example.com/", "https://example.com//double", "https://example.com/%D0%BF%2F",
    "https://0x7f.example.com/",
]  # fmt: skip


@pytest.mark.parametrize("url", INVALID)
def test_an_address_wrong_in_itself_is_invalid_input(url: str) -> None:
    with pytest.raises(UserError) as caught:
        egress.check_url(url, STRICT)
    assert caught.value.code == "invalid_input"
    assert caught.value.params["field"] == "url"
    assert caught.value.params["message"]
    assert not caught.value.retry
    assert "{" not in describe(caught.value.as_json())["text"]


@pytest.mark.parametrize("url", BLOCKED)
def test_an_internal_destination_is_blocked_before_any_lookup(url: str) -> None:
    with pytest.raises(UserError) as caught:
        egress.check_url(url, STRICT)
    assert caught.value.code == "destination_blocked"
    assert not caught.value.unknown
    words = describe(caught.value.as_json())
    assert f"APINITA_ALLOWED_PRIVATE_HOSTS={caught.value.params['destination']}" in words["hint"]


@pytest.mark.parametrize("url", INVALID + BLOCKED)
def test_sending_refuses_what_the_check_refuses(url: str) -> None:
    def resolver(host: str) -> list[str]:
        raise AssertionError("looked up")

    with pytest.raises(UserError) as caught:
        egress.send(egress.Request("GET", url), policy=egress.Policy(resolver=resolver))
    assert caught.value.code in ("invalid_input", "destination_blocked")


@pytest.mark.parametrize("url", ALLOWED)
def test_an_ordinary_address_passes(url: str) -> None:
    egress.check_url(url, STRICT)


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("HTTPS://Example.COM", "https://example.com/"),
        ("https://example.com:443?a=1#b", "https://example.com/?a=1"),
        ("http://example.com:443/", "http://example.com:443/"),
        ("https://пример.рф/путь?к=з", "https://xn--e1afmkfd.xn--p1ai/%D0%BF%D1%83%D1%82%D1%8C?%D0%BA=%D0%B7"),
        ("https://example.com/%2f%zz?a[]=<b>|\"", "https://example.com/%2f%zz?a[]=%3Cb%3E%7C%22"),
        ("https://[2606:4700:4700:0:0:0:0:1111]/", "https://[2606:4700:4700::1111]/"),
        ("http://[::ffff:8.8.8.8]:8080/", "http://8.8.8.8:8080/"),
    ],
)  # fmt: skip
def test_an_address_has_one_canonical_form(url: str, canonical: str) -> None:
    assert str(parse(url)) == canonical


def test_our_own_table_knows_what_the_standard_library_misses() -> None:
    for text in (
        "fec0::1",
        "::7f00:1",
        "5f00::1",
        "64:ff9b::1",
        "2002:7f00:1::",
        "3fff::1",
        "192.0.0.8",
        "168.63.129.16",
    ):
        address = parse_address(text)
        assert address is not None
        assert not is_public(address)
    assert parse_address("fe80::1%eth0") is None


def fixed(*addresses: str) -> egress.Policy:
    return egress.Policy(resolver=lambda host: list(addresses))


@pytest.mark.parametrize(
    "addresses",
    [("127.0.0.1",), ("8.8.8.8", "10.0.0.1"), ("2606:4700::1", "::1"), ("8.8.8.8", "fe80::1%2"), ("not an address",),
     ("::ffff:169.254.169.254",), ("64:ff9b::a9fe:a9fe",)],
)  # fmt: skip
def test_one_bad_address_among_the_answers_spoils_them_all(
    addresses: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(UserError) as caught:
        egress.send(egress.Request("GET", "http://rebind.example/"), policy=fixed(*addresses))
    assert caught.value.code == "destination_blocked"
    shown = str(caught.value.as_json()) + str(describe(caught.value.as_json())) + repr(caught.value)
    for address in addresses:
        assert address not in shown
    assert "rebind.example" in caplog.text  # the operator sees the address in the log


def test_a_name_without_addresses_is_not_found() -> None:
    with pytest.raises(UserError) as caught:
        egress.send(egress.Request("GET", "http://nowhere.example/"), policy=fixed())
    assert (caught.value.code, caught.value.retry, caught.value.unknown) == ("host_not_found", True, False)


@pytest.mark.parametrize(
    ("entries", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:1234/"),
        ("127.0.0.1:8010", "http://127.0.0.1:8010/"),
        ("127.0.0.0/8:8010", "http://127.9.9.9:8010/"),
        ("::1", "http://[::1]:9/"),
        ("[::1]:8010", "http://[::1]:8010/"),
        ("fd00::/8", "http://[fd12::1]:9999/"),
        ("[fd00::]/8:443", "https://[fd12::1]/"),
        ("10.1.2.0/24:443", "https://10.1.2.3/"),
        ("10.0.0.0/8", "http://10.1.2.3:5432/"),
        (" localhost , 10.0.0.1 ", "http://localhost:5000/"),
        ("LOCALHOST:5000", "http://localhost:5000/"),
        ("intranet.corp:8444", "http://intranet.corp:8444/"),
        ("db.internal", "http://db.internal:5432/"),
        ("api.example.com:9000", "http://api.example.com:9000/"),
        ("8.8.8.8:53", "http://8.8.8.8:53/"),
        ("169.254.169.254", "http://169.254.169.254/"),
        ("::ffff:10.0.0.1", "http://10.0.0.1/"),
        ("сайт.рф:9000", "http://сайт.рф:9000/"),
    ],
)
def test_the_operator_can_open_a_destination(entries: str, url: str) -> None:
    egress.check_url(url, egress.Policy.from_settings(entries))


@pytest.mark.parametrize(
    ("entries", "url"),
    [
        ("127.0.0.1:8010", "http://127.0.0.1:8011/"),
        ("127.0.0.1:8010", "http://[::1]:8010/"),
        ("10.1.2.0/24:443", "http://10.1.2.3/"),
        ("10.1.2.0/24", "http://10.1.3.1/"),
        ("0.0.0.0/0", "http://127.0.0.1/"),
        ("0.0.0.0/0", "http://169.254.169.254/"),
        ("100.64.0.0/10", "http://100.100.100.200/"),
        ("::/0", "http://[::1]/"),
        ("::/0", "http://[fd00:ec2::254]/"),
        ("localhost:8010", "http://localhost:8011/"),
        ("example.com:9000", "http://sub.example.com:9000/"),
    ],
)
def test_an_entry_opens_no_more_than_it_says(entries: str, url: str) -> None:
    with pytest.raises(UserError) as caught:
        egress.send(egress.Request("GET", url), policy=egress.Policy.from_settings(entries, resolver=lambda host: []))
    assert caught.value.code in ("destination_blocked", "host_not_found")


@pytest.mark.parametrize(
    ("entries", "address", "reachable"),
    [
        ("intranet.corp", "10.0.0.5", True),
        ("intranet.corp", "127.0.0.1", False),
        ("intranet.corp", "169.254.169.254", False),
        ("other.corp", "10.0.0.5", False),
        ("10.0.0.0/8", "10.0.0.5", True),
        ("10.0.0.0/8:81", "10.0.0.5", False),
    ],
)
def test_a_name_may_answer_with_what_is_open(entries: str, address: str, reachable: bool) -> None:
    policy = egress.Policy.from_settings(entries, resolver=lambda host: [address])
    origin = parse("http://intranet.corp/").origin
    if reachable:
        assert [str(one) for one in policy.addresses(origin, pool="", wait_s=1)] == [address]
    else:
        with pytest.raises(UserError):
            policy.addresses(origin, pool="", wait_s=1)


def test_a_bare_name_is_reached_when_its_network_is_open() -> None:
    policy = egress.Policy.from_settings(
        "172.16.0.0/12", resolver=lambda host: {"db": ["172.18.0.2"], "web": ["8.8.8.8"]}[host]
    )
    assert policy.addresses(parse("http://db:8000/").origin, pool="", wait_s=1)
    with pytest.raises(UserError):
        policy.addresses(parse("http://web/").origin, pool="", wait_s=1)


@pytest.mark.parametrize(
    "entry",
    ["*", "*.corp", "-x-",
     "http://localhost:8010", "10.0.0.0/33", "10.0.0.1/8", "host:0", "host:70000", "host:x", "a b", "[::1",
     "2130706433", "user@host", "10.0.0.0/8:", "::1/129"],
)  # fmt: skip
def test_a_bad_entry_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match="in the list of allowed hosts") as caught:
        egress.Policy.from_settings(f"localhost,{entry}")
    assert repr(entry) in str(caught.value)


def test_the_operator_can_close_more_and_choose_ports() -> None:
    policy = egress.Policy.from_settings(ports=[443, 9443], denied_networks="8.8.8.0/24, 2606:4700::/32")
    egress.check_url("https://1.1.1.1:9443/", policy)
    for url in ("https://8.8.8.8/", "https://[2606:4700::1]/", "http://1.1.1.1/"):
        with pytest.raises(UserError, match="destination_blocked"):
            egress.check_url(url, policy)


def test_the_policy_of_the_process_is_used_where_none_is_given() -> None:
    before = current()
    try:
        egress.configure(egress.Policy())
        with pytest.raises(UserError):
            egress.check_url("http://127.0.0.1:8010/")
        egress.configure(egress.Policy.from_settings("127.0.0.1:8010"))
        egress.check_url("http://127.0.0.1:8010/")
    finally:
        egress.configure(before)


def test_every_error_has_its_words() -> None:
    for code, words in WORDS.items():
        assert (CATALOGUE[code].text, CATALOGUE[code].hint) == (words.text, words.hint)
        assert words.text
