"""What is mutated, the tests that must catch it, and the mutants that no test can catch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """Sources, and the tests that are about them."""

    sources: tuple[str, ...]
    tests: tuple[str, ...]


TARGETS = {
    "token": Target(
        ("lib/tgauth/sessions/token.py", "lib/tgauth/keys.py"),
        ("tests/unit/sessions/test_token.py", "tests/unit/test_keys.py"),
    ),
    "widget": Target(("lib/tgauth/telegram/widget.py",), ("tests/unit/telegram/test_widget.py",)),
    "webapp": Target(
        ("lib/tgauth/telegram/webapp.py", "lib/tgauth/telegram/webapp_user.py"),
        ("tests/unit/telegram/test_webapp.py", "tests/unit/telegram/test_webapp_user.py"),
    ),
    "oidc": Target(
        ("lib/tgauth/telegram/oidc.py", "lib/tgauth/telegram/id_token.py", "lib/tgauth/telegram/jwk.py"),
        (
            "tests/unit/telegram/test_oidc.py",
            "tests/unit/telegram/test_id_token.py",
            "tests/unit/telegram/test_jwks.py",
        ),
    ),
    "checks": Target(
        ("lib/tgauth/telegram/checks.py", "lib/tgauth/user.py"),
        (
            "tests/unit/telegram/test_checks.py",
            "tests/unit/telegram/test_webapp_user.py",
            "tests/unit/sessions/test_record.py",
            "tests/unit/web/test_told.py",
        ),
    ),
    "return_to": Target(("lib/tgauth/web/return_to.py",), ("tests/unit/web/test_return_to.py",)),
    "cookies": Target(
        ("lib/tgauth/web/cookies.py",),
        ("tests/unit/web/test_cookies.py", "tests/unit/web/test_told.py"),
    ),
}

_NAME = "OpenSSL and Python's codecs take their names in either case"
_PADDING = (
    "the decoder ignores padding beyond what it needs, and 16, 23 or 56 characters need no more than this"
)
_FALSE = "what is not true does the same as False"

EQUIVALENT: dict[tuple[str, str], str] = {
    ("lib/tgauth/sessions/token.py", 'return urlsafe_b64encode(data).rstrip(b"=").decode("ASCII")'): _NAME,
    ("lib/tgauth/sessions/token.py", 'mask = hmac.digest(key, slot, "SHA256")'): _NAME,
    ("lib/tgauth/sessions/token.py", 'return urlsafe_b64decode(text + "=" * (+len(text) % 4))'): _PADDING,
    ("lib/tgauth/sessions/token.py", 'return urlsafe_b64decode(text + "=" * (-len(text) % 5))'): _PADDING,
    (
        "lib/tgauth/sessions/token.py",
        "return _slot(secrets.token_bytes(_SLOT_BYTES), transport, recurs=None)",
    ): _FALSE,
    (
        "lib/tgauth/sessions/token.py",
        "return bytes(a ^ b for a, b in zip(user_id, mask, strict=None))",
    ): _FALSE,
    (
        "lib/tgauth/sessions/token.py",
        "return bytes(a ^ b for a, b in zip(user_id, mask, ))",
    ): "False is the default",
    (
        "lib/tgauth/keys.py",
        "return f\"{text}.{_signature(self.keys[0], text).decode('ASCII')}\"",
    ): _NAME,
    (
        "lib/tgauth/keys.py",
        'digest = hmac.digest(key, text.encode(errors="surrogatepass"), "SHA256")',
    ): _NAME,
    (
        "lib/tgauth/keys.py",
        'return urlsafe_b64encode(digest).rstrip(b"XX=XX")',
    ): "32 bytes end in a letter for four bits, and X is not one",
    (
        "lib/tgauth/keys.py",
        'pseudorandom = hmac.digest(bytes(33), secret, "sha256")',
    ): "HMAC fills a short key up with zeros",
    ("lib/tgauth/keys.py", 'pseudorandom = hmac.digest(bytes(32), secret, "SHA256")'): _NAME,
    ("lib/tgauth/keys.py", 'return hmac.digest(pseudorandom, info + b"\x01", "SHA256")'): _NAME,
}
"""Why a mutant does the same as the code, by its source and what the mutant has in place of it.

They count as survivors all the same; the list spares the next reader from looking at them again.
"""
