"""Where a visitor comes from: by the proxy's word only where there is one, and what counts as one visitor."""

import pytest

from accounts.addresses import client_address, network_of


@pytest.mark.parametrize(
    ("behind_proxy", "forwarded", "address"),
    [
        (False, "203.0.113.5", "127.0.0.1"),
        (True, "203.0.113.5", "203.0.113.5"),
        (True, "10.0.0.1, 203.0.113.5", "203.0.113.5"),
        (True, "", "127.0.0.1"),
        (True, "unknown", None),
    ],
)
def test_the_proxy_is_believed_where_the_settings_name_one(settings, behind_proxy, forwarded, address):
    """Whatever the scheme of the site: it was asked of SECURE_PROXY_SSL_HEADER, which plain http has not."""
    settings.BEHIND_PROXY = behind_proxy
    settings.SECURE_PROXY_SSL_HEADER = None
    assert client_address({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": forwarded}) == address


@pytest.mark.parametrize("environ", [{}, {"REMOTE_ADDR": ""}, {"REMOTE_ADDR": None}, {"REMOTE_ADDR": "a socket"}])
def test_who_has_no_address_has_none(environ):
    assert client_address(environ) is None
    assert network_of(None) is None


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:3::1", "2001:db8:1:3::"),
    ],
)
def test_an_ipv6_address_counts_by_its_64(address, network):
    assert network_of(address) == network
