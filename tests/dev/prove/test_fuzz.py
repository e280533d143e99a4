"""`make fuzz`, in short; inputs worth trying again; and the checks fail where a parser is broken."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

import lib.tgauth.telegram.webapp
import lib.tgauth.web.request
import lib.tgauth.web.transactions
from dev.prove.fuzz import headers, http, proofs, texts
from dev.prove.fuzz import material as m
from dev.prove.fuzz.http import TEMPLATES, check
from dev.prove.fuzz.mutate import Mutator
from dev.prove.fuzz.proofs import PROOFS
from dev.prove.fuzz.run import KEPT, Score, examples, keep, mutations, quiet, replay
from dev.prove.fuzz.strategies import EVERY, STRATEGIES
from dev.prove.fuzz.targets import ServerError, Target, refused
from lib.tgauth.telegram.jwk import Key

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_malformed_inputs_are_refused(name: str) -> None:
    """Hundreds from both sources: none is taken wrongly, and none breaks anything."""
    score = Score()
    with quiet():
        mutations(EVERY[name], 1, score, most=400)
        examples(EVERY[name], 1, score)
    assert (score.wrong, score.broken, score.findings) == (0, 0, [])
    assert score.inputs > 400


def test_every_address_is_tried() -> None:
    """Each that vercel.json has."""
    rewrites = json.loads((ROOT / "vercel.json").read_text(encoding="utf-8"))["rewrites"]
    tried = {one["path"] for one in TEMPLATES}
    assert {rewrite["source"].replace(":id", m.SLOTS["bearer"]) for rewrite in rewrites} <= tried


@pytest.mark.parametrize("body", ["[" * 100_000, '{"a":' * 50_000, "{", ""])
def test_what_is_no_json_can_be_changed_again(body: str) -> None:
    """A request that a first change made too deep to read does not end the run."""
    mutator = Mutator(1)
    for _ in range(60):
        request = {**TEMPLATES[0], "headers": {}, "body": body}
        http._change(request, mutator)


@pytest.mark.slow
def test_the_command() -> None:
    """It adds up what its processes did, and ends with 0 where nothing was found."""
    options = ["--seconds", "0.5", "--target", "token", "--target", "path", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "dev.prove.fuzz", *options],
        cwd=ROOT,
        capture_output=True,
        check=False,
        timeout=600,
    )
    figures = json.loads(done.stdout)
    assert (done.returncode, figures["wrong"], figures["5xx"], figures["slow"]) == (0, 0, 0, 0)
    assert set(figures["targets"]) == {"token", "path"}
    assert figures["parser inputs"] == sum(score["inputs"] for score in figures["targets"].values()) > 100
    assert figures["requests"] == 0


class Same(Mutator):
    """Changes nothing."""

    def text(self, text: str, **_: bool) -> str:
        return text

    def value(self, value: Any) -> Any:
        return value


@pytest.mark.parametrize("target", PROOFS, ids=[target.name for target in PROOFS])
def test_what_is_genuine_is_taken(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the inputs begin with is good, each of it: or that nothing bad is taken would say nothing."""
    taken: list[Any] = []
    monkeypatch.setattr(proofs, "refused", lambda *asked: taken.append(refused(*asked)) or taken[-1])
    mutator = Same(1)
    for _ in range(30):
        taken.clear()
        target.check(target.make(mutator))
        assert any(taken)


def test_genuine_requests_are_answered() -> None:
    """Who holds a token is told of the session, with a shared store and without."""
    with quiet():
        told = [one["path"] for one in TEMPLATES if b'"user"' in check(one).body]
    assert told == ["/telegram/verify", "/telegram/verify", "/telegram/refresh"] * 2


@pytest.mark.parametrize("file", sorted(KEPT.glob("*.json")), ids=lambda file: file.stem)
def test_what_was_found_once(file: Path) -> None:
    """An input that was kept is taken rightly, or refused."""
    replay(file)


def test_every_target_has_a_kept_input() -> None:
    """Or the test above says nothing of it."""
    kept = {json.loads(file.read_text(encoding="utf-8"))["target"] for file in KEPT.glob("*.json")}
    assert kept == set(EVERY) == set(STRATEGIES)


def first_name_is_not_signed(real: Callable[..., Any]) -> Callable[..., Any]:
    names = {str(fields["hash"]): fields["first_name"] for fields in m.widgets()}

    def verify(fields: dict[str, Any], **options: Any) -> Any:
        return real({**fields, "first_name": names.get(str(fields.get("hash")), "")}, **options)

    return verify


def cut(real: Callable[..., Any]) -> Callable[..., Any]:
    """A reader that drops what comes after a space."""
    return lambda text, *args, **options: real(text.partition(" ")[0], *args, **options)


def taken(_: Callable[..., Any]) -> Callable[..., Any]:
    return lambda value: value


def last_wins(_: Callable[..., Any]) -> Callable[..., Any]:
    def read(header: str, prefix: str) -> dict[str, str]:
        pairs = (part.strip(" \t").partition("=") for part in header.split(";"))
        return {name[len(prefix) :]: value for name, at, value in pairs if at and name.startswith(prefix)}

    return read


def found_anywhere(_: Callable[..., Any]) -> Callable[..., Any]:
    token = re.compile(r"tg[01]_[\w-]+\.[\w-]{43}", re.ASCII)
    return lambda header, _: found[0] if (found := token.search(header)) else None


def last_field_wins(_: Callable[..., Any]) -> Callable[..., Any]:
    return lambda request: dict(parse_qsl(request.environ["QUERY_STRING"], keep_blank_values=True))


def lenient(_: Callable[..., Any]) -> Callable[..., Any]:
    return lambda body: json.loads(body.decode("utf-8", "replace"))


BROKEN = [
    ("widget", proofs, "verify_widget", first_name_is_not_signed),
    ("initData", lib.tgauth.telegram.webapp, "require_mac", lambda _: lambda *_: None),
    ("id_token", Key, "signed", lambda _: lambda *_: True),
    ("relay", proofs, "resume", cut),
    ("return_to", texts, "require_return_to", taken),
    ("cookies", texts, "read_cookies", last_wins),
    ("JSON", texts, "parse_object", lenient),
    ("query", headers, "query_fields", last_field_wins),
    ("HTTP", lib.tgauth.web.request, "read_cookie", found_anywhere),
    ("HTTP", lib.tgauth.web.request.Request, "require_own_page", lambda _: lambda _: None),
]


@pytest.mark.parametrize(
    ("name", "module", "attribute", "breaking"), BROKEN, ids=[f"{one[0]}, {one[2]}" for one in BROKEN]
)
def test_a_broken_parser_is_noticed(
    name: str,
    module: Any,
    attribute: str,
    breaking: Callable[[Callable[..., Any]], Callable[..., Any]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """What is taken wrongly is found by changing good inputs, and the file that is kept shows it again."""
    monkeypatch.setattr(module, attribute, breaking(getattr(module, attribute)))
    score = Score()
    with quiet():
        for number in range(20):
            if not score.wrong:
                mutations(EVERY[name], number, score, most=1000)
    assert score.wrong
    file = keep(vars(score.findings[0]), tmp_path)
    with pytest.raises(Exception):  # noqa: B017, PT011 (whatever it broke with)
        replay(file)
    monkeypatch.undo()
    replay(file)


@pytest.mark.parametrize("accept", ["", "text/html"])
def test_a_defect_is_noticed(accept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer of 500 is, and one that is shown as a page."""
    monkeypatch.setattr(lib.tgauth.web.transactions, "read_cookies", lambda *_: {}["x"])
    start = next(one for one in TEMPLATES if one["path"] == "/telegram/start")
    with quiet(), pytest.raises(ServerError):
        check({**start, "headers": {**start["headers"], "Accept": accept}})


def test_hypothesis_finds_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it is given is checked, counted, and kept where it is taken wrongly."""
    monkeypatch.setattr(texts, "require_return_to", lambda text: text)
    score = Score()
    examples(EVERY["return_to"], 1, score)
    assert score.wrong == 1
    assert score.findings[0].value
