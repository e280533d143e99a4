"""What is mutated, the tests that must notice, and the mutants that nobody can notice."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """Sources, and the tests that are about them."""

    sources: tuple[str, ...]
    tests: tuple[str, ...]


TARGETS = {
    "token": Target(("lib/sessions/token.py",), ("tests/unit/test_token.py",)),
    "widget": Target(("lib/telegram/widget.py",), ("tests/unit/test_widget.py",)),
    "webapp": Target(
        ("lib/telegram/webapp.py", "lib/telegram/webapp_user.py"),
        ("tests/unit/test_webapp.py", "tests/unit/test_webapp_user.py"),
    ),
    "oidc": Target(
        ("lib/telegram/oidc.py", "lib/telegram/id_token.py"),
        ("tests/unit/test_oidc.py", "tests/unit/test_id_token.py"),
    ),
    "checks": Target(
        ("lib/telegram/checks.py", "lib/telegram/fields.py"),
        ("tests/unit/test_checks.py", "tests/unit/test_webapp_user.py"),
    ),
    "return_to": Target(("lib/web/return_to.py",), ("tests/unit/web/test_return_to.py",)),
    "cookies": Target(("lib/web/cookies.py",), ("tests/unit/web/test_cookies.py",)),
}

EQUIVALENT: dict[tuple[str, str], str] = {}
"""Why a mutant does the same as the code, by its source and what the mutant has in place of it.

They count as survivors all the same; the list spares the next reader from looking at them again.
"""
