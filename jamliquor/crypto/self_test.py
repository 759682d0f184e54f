"""Known-answer tests of the primitives, for installations: well under a second together.

The Bandersnatch answers are vectors 7 of the VRF specification (draft 28, appendices B.1, B.3), the
Ed25519 answer is test 2 of RFC 8032, the derived key is the last vector of JIP-5, the chunks are the
first of the tiny chain's public vectors.
"""

from __future__ import annotations

from collections.abc import Callable

from jamliquor.crypto import bandersnatch, ed25519, erasure, hashing, key_derivation, ring
from jamliquor.crypto.errors import BadSignature
from jamliquor.params import TINY

__all__ = ["PRIMITIVES", "SelfTestFailed"]

_INPUT = bytes.fromhex("42616e646572736e6174636820766563746f72")
_AUX = bytes.fromhex("1f42")
_PUBLIC = bytes.fromhex("b0e1f208f9d6e5b310b92014ea7ef3011e649dab038804759f3766e01029d623")
_SIGNATURE = bytes.fromhex(
    "6d1dd583bea262323c7dc9e94e57a472e09874e435719010eeafae503c433f166dbeeab9648505fa"
    "6a95de52d611acfbb2febacc58cdc7d0ca45abd8c952ef12ce7f4a2354a6c3f97aee6cc60c6aa4c4"
    "430b12ed0f0ef304b326c776618d7609"
)
_OUTPUT = bytes.fromhex("09106f062ac07846f3f841f64765527b333575143483855d633f99ccc2e8e306")
_RING = bytes.fromhex(
    "7b32d917d5aa771d493c47b0e096886827cd056c82dbdba19e60baa8b2c60313d3b1bdb321123449"
    "c6e89d310bc6b7f654315eb471c84778353ce08b951ad471561fdb0dcfb8bd443718b942f82fe717"
    "238cbcf8d12b8d22861c8a09a984a3c5b0e1f208f9d6e5b310b92014ea7ef3011e649dab03880475"
    "9f3766e01029d6234fd11f89c2a1aaefe856bb1c5d4a1fad73f4de5e41804ca2c17ba26d6e10050c"
    "86d06ee2c70da6cf2da2a828d8a9d8ef755ad6e580e838359a10accb086ae437ad6fdeda0dde0a57"
    "c51d3226b87e3795e6474393772da46101fd597fbd456c1b3f9dc0c4f67f207974123830c2d66988"
    "fb3fb44becbbba5a64143f376edc51d9"
)
_COMMITMENT = bytes.fromhex(
    "a359e70e307799b111ad89b162b4260fb4a96ebf4232e8b02d396033498d4216305ed9cff3584a4c"
    "68f03ab3df87243a80bfc965633efc23c82ca064afe105baacccbf23e47b543d16c3c4466a83242a"
    "77acc16f79b8710051b5e97c85319cf392e630ae2b14e758ab0960e372172203f4c9a41777dadd52"
    "9971d7ab9d23ab29fe0e9c85ec450505dde7f5ac038274cf"
)
_PROOF = bytes.fromhex(
    "6d1dd583bea262323c7dc9e94e57a472e09874e435719010eeafae503c433f1691f1ca92eeaa0b60"
    "4faf3e4811c12b44991ea33cf582a529a4bc4429a3b6cc5ab69946f270c46ccc59557bd40288a0a2"
    "7607281da1892328fdb9da2dcb6c73cf5a02419120b814a5c81d67096aac728ee9bda5ddf9451cf5"
    "54d871462a04831abd8c0c1e5e04577c8836e45fb64131d1275309fe28e1d4334b230e3aa639da1a"
    "d93ccbd393ed88c8165b0a01aabe28c56a53b43e527e7927eeadff006dd2211488a7fc8a8ae7d295"
    "bdd26553b06d298c7d7fdb3f08746aba8e3312d78254a2013d4cd3bea7b62156b5a5b0a42e7e4517"
    "9107bd20fe94a01157764aab5f300d7e2fcba2178cb80851890a656d89550d0bebf60cca8c235750"
    "11d2f37cdc06dcdd807677ad0f02386ef4e6eb99d230aca4c9a73ee3f68397a65c98d6377bf32e1c"
    "e36ae082eafb81393786ab07f7a461798e0d87a09cf3d6ea801fc22d65c907dcb30ffb60128a3071"
    "05cdd5db58f93967ec1c0497eba4db9dac64eb2dfe43baeb30cbe5d2184c998b9070dcda0c817028"
    "6d793d583982adb77f01f2ddd295a16161399bcc4b0505757b49074173aca578544d676a44d37fc0"
    "1321feec35e974376e2080c28a9bfd963566febe2aac12fe51326001b67abbbdc2d67a24c7605b56"
    "b4c12eb37e41fbace1e45bf37750057ca1bea272955a82bd2b9930d1a4c2f03d7dc19572954c84f2"
    "175706be08a9e7b12445f50bb4bcd6ed77c3d8f3356cc0346bc0a6359ca9384239bf09b160a58457"
    "10e688c4dbc7cb7e27494f0746818221f6b6e7af92a58c68f29415fdea5f75ab3e45b1138a7ecde2"
    "ff6eac44772f100fa4e6f4b97c4a401e919dbfd1386253a1dde71a3d6bbf24de9a01e1adca917d84"
    "e3f10888680e2b736f51a1336d7f6099000777bd3a6de5636654012b5873d1094994887e59f7a656"
    "5999b922cafac10782ba51d1290e344ddd3ee84a324ba241b8c9a32c6fb85bb7164878f2de12c9ce"
    "ce5ef7b92860a55fb25ccb65839a66b1a73d4975f06823422cbe4aac82eef13e88eb6f6fd363bb19"
    "436f34b40825438dc55d3812bb0485d4ae4f9cc67af7074d"
)
_ED25519_SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
_ED25519_PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
_ED25519_SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)
_BLAKE2B_EMPTY = bytes.fromhex("0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8")
_KECCAK_EMPTY = bytes.fromhex("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470")
_SEED = bytes.fromhex("f92d680ea3f0ac06307795490d8a03c5c0d4572b5e0a8cffec87e1294855d9d1")
_DERIVED = bytes.fromhex("299bdfd8d615aadd9e6c58718f9893a5144d60e897bc9da1f3d73c935715c650")

_CHUNKS = bytes.fromhex("615d170048c53e9873780525")


class SelfTestFailed(Exception):
    """A primitive gave another answer than the known one."""


def _expect(found: object, known: object) -> None:
    if found != known:
        raise SelfTestFailed(f"found {found!r}, known is {known!r}")


def _expect_refusal(verify: Callable[[], object]) -> None:
    try:
        verify()
    except BadSignature:
        return
    raise SelfTestFailed("a signature over another message was accepted")


def _hashes() -> None:
    _expect(hashing.blake2b(b""), _BLAKE2B_EMPTY)
    _expect(hashing.keccak(b""), _KECCAK_EMPTY)


def _ed25519() -> None:
    secret = ed25519.SecretKey.from_seed(_ED25519_SEED)
    _expect(secret.public, _ED25519_PUBLIC)
    _expect(secret.sign(b"\x72"), _ED25519_SIGNATURE)
    ed25519.verify(_ED25519_PUBLIC, b"\x72", _ED25519_SIGNATURE)
    ed25519.verify_batch([(_ED25519_PUBLIC, b"\x72", _ED25519_SIGNATURE)] * 2)
    _expect_refusal(lambda: ed25519.verify(_ED25519_PUBLIC, b"\x73", _ED25519_SIGNATURE))


def _vrf() -> None:
    _expect(bandersnatch.verify(_PUBLIC, _INPUT, _AUX, _SIGNATURE), _OUTPUT)
    _expect_refusal(lambda: bandersnatch.verify(_PUBLIC, _INPUT, b"", _SIGNATURE))
    secret = bandersnatch.SecretKey.from_seed(key_derivation.bandersnatch_secret_seed(_SEED))
    _expect(secret.public, _DERIVED)
    signature = secret.sign(_INPUT, _AUX)
    _expect(bandersnatch.verify(secret.public, _INPUT, _AUX, signature), secret.output(_INPUT))


def _ring() -> None:
    keys = [_RING[at : at + 32] for at in range(0, len(_RING), 32)]
    _expect(ring.commitment(keys), _COMMITMENT)
    _expect(ring.verify_batch(_COMMITMENT, len(keys), [(_INPUT, _AUX, _PROOF)]), [_OUTPUT])
    _expect_refusal(lambda: ring.verify_batch(_COMMITMENT, len(keys), [(_INPUT, b"", _PROOF)]))


def _erasure() -> None:
    _expect(bytes(erasure.encode_joined(TINY, _CHUNKS[:4])), _CHUNKS)
    _expect(erasure.recover(TINY, {2: _CHUNKS[4:6], 5: _CHUNKS[10:]}), _CHUNKS[:4])


#: Name and known-answer test of each primitive; a test raises :class:`SelfTestFailed` or the error
#: of the primitive.
PRIMITIVES: tuple[tuple[str, Callable[[], None]], ...] = (
    ("hashes", _hashes),
    ("ed25519", _ed25519),
    ("bandersnatch-vrf", _vrf),
    ("ring-vrf", _ring),
    ("erasure-coding", _erasure),
)
