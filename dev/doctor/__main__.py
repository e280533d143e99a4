"""`python -m dev.doctor [URL]`: what is wrong with the settings, or with a deployment, and how to fix it.

    make doctor                           the variables of the shell, .env.local and .env, and what they mean
    make doctor URL=example.com           a deployment, from outside
    make doctor URL=example.com OLD=app-1x2y3z-team.vercel.app   and whether an earlier one still answers
    make doctor JSON=1                    the same for programs

The exit code is 0 without problems, 1 with some, 2 when it was called wrongly.
"""

import argparse
import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from dev.doctor.client import Client
from dev.doctor.deployment import check_deployment
from dev.doctor.earlier import check_earlier
from dev.doctor.login import check_login
from dev.doctor.report import Check, Report, line, problem, secrets_in
from dev.doctor.settings import check_settings, names, read, store_is_wrong
from dev.doctor.store import check_store
from dev.doctor.telegram import check_bot
from dev.doctor.tree import check_tree
from dev.doctor.variables import check_variables
from dev.variables import FILES, Variables, read_variables
from lib.tgauth.settings.hosts import LOOPBACK

ROOT = Path(__file__).resolve().parents[2]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str = "") -> NoReturn:  # noqa: ARG002
        """Exit code 2. argparse's own words repeat what was typed, which by mistake can be a secret."""
        self.refuse("Give nothing, or one address such as https://example.com (no user, no password).")

    def refuse(self, reason: str) -> NoReturn:
        """Exit code 2, with a reason that repeats nothing."""
        self.print_usage(sys.stderr)
        self.exit(2, f"{reason}\n")


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Check, say what was found, and give the exit code."""
    parser = _Parser(prog="python -m dev.doctor", description=__doc__.splitlines()[0])
    parser.add_argument("url", nargs="?", help="a deployment's address, such as https://example.com")
    parser.add_argument("--old", help="an earlier deployment's own address, which should not answer any more")
    parser.add_argument("--json", action="store_true", help="one JSON object in place of lines")
    options = parser.parse_args(arguments)
    origin = _origin(options.url) if options.url else ""
    old = _origin(options.old) if options.old else ""
    if origin is None or old is None:
        parser.error()
    if old and not origin:
        parser.refuse("OLD is looked at together with the site that came after it: give URL, too.")
    if old and old == origin:
        parser.refuse(
            "OLD and URL are one address. OLD is the one that Vercel made for an earlier deployment."
        )
    # A terminal of another encoding than UTF-8 is no reason to stop in the middle.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    report = Report()
    for check in run(report, origin, root, old):
        if not options.json:
            print(line(check), flush=True)
    print(report.to_json() if options.json else f"\n{_end(report, origin)}")
    return int(report.count("problem") > 0)


def run(report: Report, origin: str, root: Path, old: str = "") -> Iterator[Check]:
    """Every check of a deployment at `origin` and an earlier one at `old`, or else of what is set here."""
    report.hide(secrets_in(os.environ))
    if origin:
        bypass = os.environ.get("VERCEL_AUTOMATION_BYPASS_SECRET", "").strip()
        yield from _guarded(report, "deployment", check_deployment(origin, Client(), bypass))
        yield from _guarded(report, "earlier", check_earlier(old, Client()))
        return
    try:
        variables = read_variables(os.environ, root)
    except (OSError, ValueError):
        unreadable = problem("variables", f"{' or '.join(FILES)} cannot be read", "make it a text in UTF-8")
        yield report.add(unreadable)
        variables = Variables(dict(os.environ), {})
    values = variables.values
    report.hide(secrets_in(values))
    settings, wrong = read(values)
    yield from _guarded(report, "variables", check_variables(variables))
    yield from _guarded(report, "settings", check_settings(values, settings, wrong))
    yield from _guarded(report, "tree", check_tree(root))
    if settings is None:
        # Whom to ask, and with what, is not known.
        return
    client = Client()
    yield from _guarded(report, "telegram", check_bot(settings, client))
    yield from _guarded(report, "login", check_login(settings, names(wrong), client))
    if not store_is_wrong(wrong):
        yield from _guarded(report, "redis", check_store(settings))


def _guarded(report: Report, name: str, checks: Iterable[Check]) -> Iterator[Check]:
    """A part's checks as they come. A defect of the doctor's is one more: a traceback could hold a secret."""
    try:
        for check in checks:
            yield report.add(check)
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{type(error).__name__} in {Path(frame.filename).name}, line {frame.lineno}"
        yield report.add(problem(name, f"the doctor itself broke here ({place})", "please report this line"))


def _origin(url: str) -> str | None:
    """The origin of an address that was given; None for what is none, or has a password in it.

    A host alone is at https, and at http on this machine.
    """
    text = url.strip()
    if bare := "://" not in text:
        text = f"//{text}"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname or ""
    # A single word is more likely something else that was pasted, and would be asked for by name.
    if not host or "@" in parts.netloc or (bare and "." not in host and host != "localhost"):
        return None
    scheme = parts.scheme or ("http" if LOOPBACK.fullmatch(host) else "https")
    default = {"https": 443, "http": 80}.get(scheme)
    if default is None:
        return None
    return f"{scheme}://{host}{f':{port}' if port not in (None, default) else ''}"


def _end(report: Report, origin: str) -> str:
    advice = ""
    if report.count("problem") and not origin:
        advice = (
            "\nVariables are set in Vercel under Settings > Environment Variables (then deploy again), and"
            f" here in the shell or in {FILES[0]}.\n`make dev` needs none of them."
        )
    return report.summary() + advice


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        # Whoever reads has seen enough (`| head`); what is still to be written goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
