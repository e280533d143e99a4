"""Inputs made by Hypothesis, which knows corner cases of Unicode and JSON and shrinks failures."""

import json
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from dev.prove.fuzz import material as m
from dev.prove.fuzz.headers import HEADERS
from dev.prove.fuzz.http import HTTP, TEMPLATES
from dev.prove.fuzz.proofs import ID_TOKENS, LAUNCHES, PROOFS
from dev.prove.fuzz.targets import Target
from dev.prove.fuzz.texts import COOKIES, TEXTS

EVERY = {target.name: target for target in (*PROOFS, *TEXTS, *HEADERS, *HTTP)}
EXAMPLES = 150
"""For one turn of a target."""

_short = st.text(max_size=12)
_latin = st.text(st.characters(max_codepoint=255), max_size=80)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def _spliced(*seeds: str, text: st.SearchStrategy[str] = _short) -> st.SearchStrategy[str]:
    """Something else in the place of a part of what is good."""

    @st.composite
    def draw(draw: Callable[[Any], Any]) -> str:
        good = draw(st.sampled_from(seeds))
        start, stop = sorted((draw(st.integers(0, len(good))), draw(st.integers(0, len(good)))))
        return good[:start] + draw(text) + good[stop:]

    return draw() | st.text(max_size=100)


def _objects(*seeds: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    names = sorted({name for one in seeds for name in one})
    changes = st.dictionaries(st.sampled_from(names) | st.text(max_size=8), _json, max_size=3)
    return st.builds(lambda one, other: {**one, **other}, st.sampled_from(seeds), changes)


def _bytes(value: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    return value.map(
        lambda one: json.dumps(one, ensure_ascii=False).encode("utf-8", "replace").decode("latin-1")
    )


_requests = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["GET", "POST", "DELETE", "HEAD"]),
        "path": st.sampled_from(sorted({one["path"] for one in TEMPLATES})) | _latin,
        "query": _latin,
        "headers": st.dictionaries(
            st.sampled_from(["Cookie", "Authorization", "Origin", "Sec-Fetch-Site", "Content-Type", "Host"]),
            _latin,
        ),
        "body": _latin | _bytes(_objects(*m.widgets("555555555:AAsomebodyElsesBotTokenabcdefghijk"))),
        "shared": st.booleans(),
    }
)

STRATEGIES: dict[str, st.SearchStrategy[Any]] = {
    "cookies": _spliced(*COOKIES, text=_latin),
    "token": _spliced(*m.TOKENS.values(), *m.CARRYING.values()),
    "widget": _objects(*m.widgets()),
    "initData": _spliced(*LAUNCHES),
    "return_to": _spliced("/account", "/a/b?c=%20d", "/%2e%2e/a")
    | st.text("/\\.%2fFeE5cC?#:@\t\n", max_size=12),
    "id_token": _spliced(*ID_TOKENS),
    "JWKS": _bytes(st.builds(lambda keys: {"keys": keys}, st.lists(_objects(*m.jwks()["keys"]), max_size=3))),
    "JSON": _bytes(_json) | _latin,
    "login body": _objects(
        *m.widgets(), {"init_data": "a=b", "id_token": "a.b.c", "widget": {}, "transport": "x"}
    ),
    "relay": _spliced(m.SIGNED_TICKET, m.CODE, m.TRANSACTION),
    "record": _spliced(*(record.dump() for record in m.RECORDS.values()))
    | _bytes(_objects({"c": 1, "n": "n" * 23})),
    "Authorization": _spliced(f"Bearer {m.TOKENS['bearer']}", text=_latin),
    "Origin": st.lists(
        _latin | st.sampled_from(["same-origin", "https://tgauth.example"]), min_size=2, max_size=2
    ),
    "Host": _spliced("tgauth.example", m.PREVIEW, "a.localhost:3000", text=_latin),
    "query": _spliced("return_to=%2Fa&state=b", text=_latin).filter(
        lambda one: max(map(ord, one + "a")) < 256
    ),
    "path": _latin.map(lambda one: f"/telegram/sessions/{one}") | _latin,
    "HTTP": _requests,
}


def hypothesize(target: Target, number: int, attempt: Callable[[Any], None]) -> None:
    """One turn of Hypothesis: `attempt` gets every input, and raises for a bad one, to be made smaller."""

    @seed(number)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(STRATEGIES[target.name])
    def run(value: Any) -> None:
        attempt(value)

    run()
