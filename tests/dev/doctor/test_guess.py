"""Which secrets the doctor calls guessable: what people write, and nothing that was made by chance."""

import base64
import random
import string
import uuid

import pytest

from dev.doctor.guess import weakness

PLACEHOLDER, EASY = "looks like a placeholder", "is easy to guess"
SEED = 20261130
MANY = 500


def _uuid(chance):
    return str(uuid.UUID(bytes=chance.randbytes(16), version=4))


def _some(characters, number=32):
    return lambda chance: "".join(chance.choices(characters, k=number))


def _words(chance):
    """A passphrase of seven words, as password managers offer them; the words are of no list."""
    consonants, vowels = "bcdfghjklmnprstvwz", "aeiou"
    pairs = [[chance.choice(consonants) + chance.choice(vowels) for _ in range(3)] for _ in range(7)]
    return "-".join(map("".join, pairs))


GENERATED = {
    "openssl rand -base64 32": lambda chance: base64.b64encode(chance.randbytes(32)).decode(),
    "openssl rand -base64 24": lambda chance: base64.b64encode(chance.randbytes(24)).decode(),
    "openssl rand -hex 16": lambda chance: chance.randbytes(16).hex(),
    "secrets.token_urlsafe": lambda chance: (
        base64.urlsafe_b64encode(chance.randbytes(32)).decode().rstrip("=")
    ),
    "base32": lambda chance: base64.b32encode(chance.randbytes(20)).decode(),
    "a UUID": _uuid,
    "one UUID twice": lambda chance: _uuid(chance) * 2,
    "letters and digits": _some(string.ascii_letters + string.digits),
    "small letters": _some(string.ascii_lowercase),
    "digits": _some(string.digits),
    "every sign": _some(string.ascii_letters + string.digits + string.punctuation),
    "words": _words,
    "a bot token": lambda chance: (
        f"{chance.randrange(10**9, 10**10)}:AA{_some(string.ascii_letters, 33)(chance)}"
    ),
}


@pytest.mark.parametrize("name", GENERATED)
def test_what_a_generator_makes_is_never_guessable(name):
    """Of hundreds of each kind, none is called a placeholder or easy."""
    chance = random.Random(SEED)  # noqa: S311 (the same ones every time)
    assert not [secret for _ in range(MANY) if weakness(secret := GENERATED[name](chance))]


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("openssl rand -base64 32 openssl rand", PLACEHOLDER),
        ("$(openssl rand -base64 32) $(openssl rand -base64 32)", PLACEHOLDER),
        ("your-secret-key-change-me-in-production", PLACEHOLDER),
        ("YOUR_SECRET_KEY_OF_AT_LEAST_32_CHARACTERS", PLACEHOLDER),
        ("change_this_to_something_random_and_long", PLACEHOLDER),
        ("replace-me-replace-me-replace-me-replace", PLACEHOLDER),
        ("<a random string of 32 characters or more>", PLACEHOLDER),
        ("${AUTH_SECRET_OF_THE_OTHER_PROJECT_HERE}", PLACEHOLDER),
        ("{{ production.secrets.auth_secret_value }}", PLACEHOLDER),
        ("a" * 32, EASY),
        ("0" * 64, EASY),
        ("ab" * 20, EASY),
        ("0123456789abcdef0123456789abcdef", EASY),
        ("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", EASY),
        ("98765432109876543210987654321098", EASY),
        ("qwertyuiopasdfghjklzxcvbnm1234567890", EASY),
        ("Tr0ub4dor&3Tr0ub4dor&3Tr0ub4dor&3", EASY),
        ("passwordpasswordpasswordpassword", EASY),
        ("supersecretsupersecretsupersecret!!", EASY),
        ("this-is-a-very-long-secret-string-for-my-app", EASY),
        ("my_super_secret_telegram_bot_session_key_2026", EASY),
        ("Secret123456789Secret123456789Secret", EASY),
    ],
)
def test_what_people_write_in_its_place(secret, why):
    """Commands, placeholders, words, sequences and repetitions are seen, in whichever case."""
    assert weakness(secret) == why
    assert weakness(secret.upper()) == why


def test_a_long_secret_is_looked_at_in_no_time():
    """Only its beginning counts, however much was pasted."""
    assert weakness("ab" * 500_000) == EASY
