"""Names of nodes, against the published development accounts."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from jamliquor.author.keys import ValidatorSecret
from jamliquor.crypto.dns_name import dns_name, public_key
from jamliquor.crypto.key_derivation import DEV_ACCOUNTS, trivial_seed

_NAMES = {
    "alice": "eecgwpgwq3noky4ijm4jmvjtmuzv44qvigciusxakq5epnrfj2utb",
    "bob": "en5ejs5b2tybkfh4ym5vpfh7nynby73xhtfzmazumtvcijpcsz6ma",
    "carol": "ekwmt37xecoq6a7otkm4ux5gfmm4uwbat4bg5m223shckhaaxdpqa",
    "david": "etxckkczii4mvm22ox4m3horvx2bwlzerjxbd3n6c36qehdms2idb",
    "eve": "eled3vb5nse3n7cii6ybvtms5s2bdwvlkivc7cnwa33oatby4txka",
    "fergie": "elfaiiixcuzmzroa34lajwp52cdsucikaxdviaoeuvnygdi3imtba",
}


@pytest.mark.parametrize("account", DEV_ACCOUNTS)
def test_development_accounts(account: str) -> None:
    secret = ValidatorSecret.from_seed(trivial_seed(DEV_ACCOUNTS.index(account)))
    assert dns_name(secret.ed25519.public) == _NAMES[account]


@given(st.binary(min_size=32, max_size=32))
def test_round_trip(key: bytes) -> None:
    assert public_key(dns_name(key)) == key


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("e" + "a" * 51, "53 letters"),
        ("f" + "a" * 52, "starts with e"),
        ("e" + "a" * 51 + "1", "have no '1'"),
        ("e" + "a" * 51 + "A", "have no 'A'"),
        ("e" + "a" * 51 + "c", "more bits"),
    ],
)
def test_what_is_no_name(name: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        public_key(name)
