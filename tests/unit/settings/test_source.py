"""Which Redis the owner named (lib/tgauth/settings/source.py)."""

import contextlib
import itertools
import json
from pathlib import Path

import pytest

from lib.tgauth.errors import Misconfigured
from lib.tgauth.settings import read_settings
from lib.tgauth.settings.source import Source, read_source
from lib.tgauth.store.redis import RedisStore

CASES = Path(__file__).parents[2] / "cases/platform"
BOT_TOKEN = "123456789:AAE-test_token-of-no-bot"
UPSTASH = {"UPSTASH_REDIS_REST_URL": "https://one.upstash.io", "UPSTASH_REDIS_REST_TOKEN": "one-token"}
KV = {"KV_REST_API_URL": "https://two.upstash.io", "KV_REST_API_TOKEN": "two-token"}
REDIS = {"REDIS_URL": "rediss://default:three-token@three.upstash.io:6379"}
PAIRS = [tuple(UPSTASH), tuple(KV)]
EACH_PAIR = pytest.mark.parametrize(("url_name", "token_name"), PAIRS, ids=["upstash", "kv"])


def read(**env: str) -> Source:
    """The credentials in an environment that is otherwise all right."""
    return read_settings({"TELEGRAM_BOT_TOKEN": BOT_TOKEN, **env}).store


def problem(**env: str) -> str:
    """What is wrong, said of exactly one variable."""
    with pytest.raises(Misconfigured) as caught:
        read(**env)
    reason = caught.value.reason
    assert "; set both" in reason or ";" not in reason.partition("; ")[2], reason
    return reason


def test_nothing_set_is_memory() -> None:
    """Without any of the variables, or with empty ones, sessions are kept in memory."""
    assert read() == Source("memory", "", "")
    empty = dict.fromkeys((*UPSTASH, *KV, "REDIS_URL"), " \n")
    assert read(**empty) == Source()


@EACH_PAIR
def test_a_pair_is_a_rest_database(url_name: str, token_name: str) -> None:
    """URL and token, whichever names they have, are Upstash over REST."""
    found = read(**{url_name: "https://x.upstash.io", token_name: "t"})
    assert found == Source("upstash", "https://x.upstash.io", "t", url_name)


def test_precedence() -> None:
    """Upstash's own names come first, then Vercel's, then REDIS_URL, whichever order they are set in."""
    sources = {"one-token": UPSTASH, "two-token": KV, "three-token": REDIS}
    for chosen in itertools.chain(*(itertools.permutations(sources, n) for n in (1, 2, 3))):
        env = {name: value for token in chosen for name, value in sources[token].items()}
        first = next(token for token in sources if token in chosen)
        assert read(**env).token == first


@EACH_PAIR
def test_half_a_pair_is_an_error(url_name: str, token_name: str) -> None:
    """One of the two names the other, is never memory, and no other source stands in for it."""
    for others in ({}, REDIS, UPSTASH if url_name not in UPSTASH else KV):
        for name, missing in ((url_name, token_name), (token_name, url_name)):
            env = {**others, name: "https://canary.upstash.io" if name == url_name else "canary"}
            if "UPSTASH_REDIS_REST_TOKEN" in others:
                assert read(**env).token == "one-token"  # the pair that comes first is whole
                continue
            reason = problem(**env)
            assert reason == f"{missing}: is missing from the pair; set both"


def test_halves_of_two_pairs_are_no_pair() -> None:
    """A URL of one pair and a token of the other belong to nobody."""
    for url, token in (
        ("UPSTASH_REDIS_REST_URL", "KV_REST_API_TOKEN"),
        ("KV_REST_API_URL", "UPSTASH_REDIS_REST_TOKEN"),
    ):
        assert "is missing from the pair" in problem(**{url: "https://canary.upstash.io", token: "canary"})


@pytest.mark.parametrize("name", ["KV_REST_API_READ_ONLY_TOKEN", "UPSTASH_REDIS_REST_READ_ONLY_TOKEN"])
def test_the_read_only_token_is_never_used(name: str) -> None:
    """It changes nothing beside a pair, and completes none."""
    assert read(**UPSTASH, **{name: "canary"}) == read(**UPSTASH)
    assert read(**{name: "canary"}) == Source()
    assert "is missing from the pair" in problem(KV_REST_API_URL="https://x.upstash.io", **{name: "canary"})


@EACH_PAIR
@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://x.upstash.io/", "https://x.upstash.io"),
        ("https://x.upstash.io///", "https://x.upstash.io"),
        (" https://x.upstash.io\n", "https://x.upstash.io"),
        ("\thttps://x.upstash.io/ ", "https://x.upstash.io"),
        ("HTTPS://X.Upstash.IO", "https://x.upstash.io"),
        ("https://x.upstash.io:8443", "https://x.upstash.io:8443"),
        ("https://redis.example", "https://redis.example"),
        ("http://localhost:8079", "http://localhost:8079"),
        ("http://127.0.0.1:8079/", "http://127.0.0.1:8079"),
        ("http://srh.localhost", "http://srh.localhost"),
    ],
)
def test_accepted_urls(url_name: str, token_name: str, given: str, url: str) -> None:
    """White space around, slashes behind and capital letters are forgiven; http is for this machine only."""
    assert read(**{url_name: given, token_name: " t\n"}) == Source("upstash", url, "t", url_name)


@EACH_PAIR
@pytest.mark.parametrize(
    "url",
    [
        "canary.upstash.io",
        "https://",
        "https:canary.upstash.io",
        "https:/canary.upstash.io",
        "redis://canary.upstash.io",
        "rediss://default:canary@canary.upstash.io:6379",
        "ftp://canary.upstash.io",
        "https://canary.upstash.io/path",
        "https://canary.upstash.io?a=b",
        "https://canary.upstash.io#a",
        "https://canary:canary@canary.upstash.io",
        "https://canary@upstash.io",
        "https://-canary.upstash.io",
        "https://canary.upstash.io.",
        "https://canary upstash.io",
        "https://canary.upst\x00ash.io",
        "https://canary.upst\nash.io",
        "https://canary.upst\r\nash.io",
        "https://canary.upst\tash.io",
        "https://canary.upst\x7fash.io",
        "https://canary.upstash.io:",
        "https://canary.upstash.io:port",
        "https://canary.upstash.io:99999",
        "https://канарейка.upstash.io",
        '"https://canary.upstash.io"',
        "https://canary.upstash.io,https://canary2.upstash.io",
        "http://canary.upstash.io",
        "http://localhost.canary.io",
        "http://127.0.0.2",
        "http://localhost@canary.io",
    ],
)
def test_refused_urls(url_name: str, token_name: str, url: str) -> None:
    """What is no REST URL, or has no encryption on the way to another machine, names the variable alone."""
    reason = problem(**{url_name: url, token_name: "canary-token"})
    assert reason.startswith(f"{url_name}: ")
    assert "canary" not in reason
    unencrypted = url.startswith("http://") and "@" not in url
    fix = "use https" if unencrypted else "from Upstash's console"
    assert reason.endswith("set the value without them" if url.startswith('"') else fix)


@EACH_PAIR
@pytest.mark.parametrize(
    "token",
    [
        "canary token",
        "canary\ttoken",
        "canary\ntoken",
        "canary\r\nX: y",
        "canary\x00",
        "canaryж",
        "canary\x7f",
    ],
)
def test_refused_tokens(url_name: str, token_name: str, token: str) -> None:
    """A token goes into a header: white space, control and other characters in it are refused here."""
    reason = problem(**{url_name: "https://x.upstash.io", token_name: token + "x"})
    assert reason.startswith(f"{token_name}: ")
    assert "canary" not in reason


@pytest.mark.parametrize(
    ("given", "token"),
    [
        ("rediss://default:three-token@x.upstash.io:6379", "three-token"),
        ("rediss://:three-token@x.upstash.io:6379", "three-token"),
        ("rediss://default:three-token@x.upstash.io", "three-token"),
        ("rediss://default:three-token@x.upstash.io:6379/0", "three-token"),
        (" rediss://default:three-token@x.upstash.io:6379\n", "three-token"),
        ("rediss://default:three%2Ftoken%3D@X.Upstash.IO:6379", "three/token="),
        ("redis://default:three-token@x.upstash.io:6379", "three-token"),
    ],
)
def test_upstash_over_tcp_becomes_rest(given: str, token: str) -> None:
    """Upstash's password is its REST token, so its TCP address becomes REST, encrypted, on the same host."""
    assert read(REDIS_URL=given) == Source("upstash", "https://x.upstash.io", token, "REDIS_URL")


@pytest.mark.parametrize(
    "url",
    [
        "rediss://x.upstash.io:6379",
        "rediss://default@x.upstash.io:6379",
        "rediss://default:@x.upstash.io:6379",
        "rediss://canary:canary@x.upstash.io:6379",
        "rediss://default:can%0Aary@x.upstash.io:6379",
        "rediss://default:can%20ary@x.upstash.io:6379",
    ],
)
def test_upstash_over_tcp_must_be_whole(url: str) -> None:
    """With another user or without a usable password it is copied again, not guessed."""
    reason = problem(REDIS_URL=url)
    assert reason.startswith("REDIS_URL: ")
    assert "canary" not in reason


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://127.0.0.1:6379",
        "redis://:password@redis.railway.internal:6379/0",
        "rediss://user:p%40ss@redis-1.c1.us-east-1-2.ec2.cloud.redislabs.com:16379",
        "redis://upstash.io.example:6379",
        "redis://notupstash.io:6379",
        "redis://[::1]:6379/0",
        "rediss://default:pw@fly-app-1.upstash.io:6379",
    ],
)
def test_other_redis_is_tcp(url: str) -> None:
    """Any other Redis is reached over TCP with the URL as it is, Upstash's inside of Fly too."""
    assert read(REDIS_URL=f" {url}\n") == Source("redis", url, variable="REDIS_URL")


def test_upstash_inside_of_fly() -> None:
    """Fly's Upstash has neither TLS nor REST: it is TCP, and stays unencrypted on Fly's own network."""
    env = json.loads((CASES / "04_fly_upstash.json").read_text("utf-8"))["env"]
    found = read(**env)
    assert found == Source("redis", env["REDIS_URL"], variable="REDIS_URL")
    assert not found.exposed


FORMS = json.loads((CASES / "05_redis_url_forms.json").read_text("utf-8"))["cases"]
ANSWERS = {
    "redis://default:pw@redis.railway.internal:6379?family=0": "",
    "rediss://default:pw@h.example:6379?ssl_cert_reqs=none": "turns certificates off with ssl_cert_reqs",
    "redis://default:p#ss@h.example:6379": "percent-encode it (# is %23, / is %2F, ? is %3F)",
    "redis://default:p?ss@h.example:6379": "percent-encode it (# is %23, / is %2F, ? is %3F)",
    "redis://my_redis:6379": "",
    "${{Redis.REDIS_URL}}": "is a reference or command that was not resolved; set the value itself",
    '"redis://default:pw@h.example:6379"': "is in quotation marks; set the value without them",
    "https://a.upstash.io": "is a REST URL; set it as UPSTASH_REDIS_REST_URL",
}


@pytest.mark.parametrize("case", FORMS, ids=[case["value"] for case in FORMS])
def test_a_redis_url_as_people_write_it(case: dict[str, str]) -> None:
    """Each way to write REDIS_URL is taken, or gets words of its own for what is wrong with it."""
    answer = ANSWERS[case["value"]]
    if answer:
        assert answer in problem(REDIS_URL=case["value"])
    else:
        found = read(REDIS_URL=case["value"])
        assert (found.kind, found.url) == ("redis", case["value"].partition("?")[0])


@pytest.mark.parametrize(
    ("url", "exposed"),
    [
        ("redis://default:pw@redis-1.example.com:6379", True),
        ("redis://8.8.8.8", True),
        ("rediss://redis-1.example.com", False),
        ("redis://redis.railway.internal:6379", False),
        ("redis://my_redis", False),
        ("redis://10.1.2.3", False),
        ("redis://172.20.0.2", False),
        ("redis://172.32.0.2", True),
        ("redis://192.168.1.4", False),
        ("redis://127.0.0.1:6379", False),
        ("redis://[fd12::1]:6379", False),
        ("redis://[2a01:4f8::1]:6379", True),
    ],
)
def test_what_can_be_read_on_the_way(url: str, exposed: bool) -> None:
    """Without TLS, a host that is not on a private network is exposed."""
    assert read(REDIS_URL=url).exposed is exposed


def test_names_with_a_prefix() -> None:
    """The names that Vercel's Marketplace makes with a prefix are known by what follows it."""
    lines = (CASES / "07_prefix.env").read_text("utf-8").splitlines()
    env = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    settings = read_settings({"TELEGRAM_BOT_TOKEN": BOT_TOKEN, **env, "KV_REST_API_URL": " "})
    assert settings.store.kind == "memory"
    assert settings.store_prefixed == ("STORAGE_KV_REST_API_URL", "UPSTASH_REDIS_REST_KV_REST_API_URL")
    assert read_settings({"TELEGRAM_BOT_TOKEN": BOT_TOKEN, **REDIS}).store_prefixed == ()


@pytest.mark.parametrize(
    "url",
    [
        "canary",
        "localhost:6379",
        "https://canary.upstash.io",
        "http://canary",
        "unix:///canary/redis.sock",
        "redis://",
        "redis:///0",
        "redis://:canary@",
        "redis://canary:99999999",
        "redis://canary:port",
        "redis://[canary",
        "redis://can ary",
        "redis://canary\x00",
        "redis://канарейка",
        '"redis://canary"',
        "redis-cli -u redis://canary:6379",
        "REDIS_URL=redis://canary:6379",
    ],
)
def test_refused_redis_urls(url: str) -> None:
    """What is no Redis URL names REDIS_URL and is never memory."""
    reason = problem(REDIS_URL=url)
    assert reason.startswith("REDIS_URL: ")
    assert "canary" not in reason


@pytest.mark.parametrize("character", ["\n", "\r", "\t"])
@pytest.mark.parametrize(
    "place", ["redis://local{}host", "redis://:pass{}word@localhost", "redis://localhost/{}0"]
)
def test_control_characters_in_a_redis_url_are_refused(place: str, character: str) -> None:
    """A line break inside is a mistake in pasting, which no parser may quietly take out."""
    assert problem(REDIS_URL=place.format(character)).startswith("REDIS_URL: ")


@pytest.mark.parametrize(
    "url",
    [
        "REDIS://localhost",
        "Rediss://localhost:6379",
        "redis://localhost?db=canary",
        "redis://localhost?socket_timeout=canary",
        "redis://localhost?canary=1",
        "redis://localhost/canary",
    ],
)
def test_a_redis_url_that_passes_can_be_opened(url: str) -> None:
    """A URL that redis-py cannot take is refused here by name, and is not a crash at every request."""
    with contextlib.suppress(Misconfigured):
        RedisStore(read(REDIS_URL=url).url)._redis.close()


def test_no_value_is_in_a_repr() -> None:
    """Neither the credentials nor the settings that hold them show where or with what one could log in."""
    for env in (
        {"KV_REST_API_URL": "https://canary.upstash.io", "KV_REST_API_TOKEN": "canary"},
        {"REDIS_URL": "redis://canary:canary@canary:6379"},
        {"REDIS_URL": "rediss://default:canary@canary.upstash.io:6379"},
    ):
        settings = read_settings({"TELEGRAM_BOT_TOKEN": BOT_TOKEN, **env})
        for text in (repr(settings), str(settings), repr(settings.store), f"{settings.store}"):
            assert "canary" not in text
            assert settings.store.kind in text


def test_every_problem_is_told_at_once() -> None:
    """A bad URL and a bad token are two entries, so the owner mends both before the next deployment."""
    told: list[str] = []
    env = {"KV_REST_API_URL": "canary", "KV_REST_API_TOKEN": "can ary"}
    found = read_source(lambda name: env.get(name, ""), lambda name, _: told.append(name))
    assert told == ["KV_REST_API_URL", "KV_REST_API_TOKEN"]
    assert found.kind == "upstash"
