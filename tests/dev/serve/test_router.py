"""dev/serve/router.py: requests go where Vercel would send them, and what is not understood is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from dev.serve.router import Function, Page, Router, UnsupportedConfig, compile_source
from lib.tgauth.routes import ROUTES

ROOT = Path(__file__).parents[3]


def make_tree(root: Path, config: dict[str, Any], *files: str) -> Router:
    for name in files:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    (root / "vercel.json").write_text(json.dumps(config))
    return Router(root)


@pytest.mark.parametrize(
    ("source", "path", "params"),
    [
        ("/health", "/health", {}),
        ("/a.b", "/a.b", {}),
        ("/(.*)", "/", {}),
        ("/(.*)", "/any/depth", {}),
        ("/s/:id", "/s/42", {"id": "42"}),
        ("/s/:id/end", "/s/a%2Fb/end", {"id": "a%2Fb"}),
        (r"/s/:id(\d+)", "/s/42", {"id": "42"}),
        ("/s/:rest*", "/s", {"rest": None}),
        ("/s/:rest*", "/s/1/2", {"rest": "1/2"}),
        ("/s/:rest+", "/s/1", {"rest": "1"}),
        (r"/s/:rest(\d+)+/end", "/s/1/23/end", {"rest": "1/23"}),
        ("/x-(a|b)", "/x-b", {}),
        (r"/\(x\)", "/(x)", {}),
        ("/((?!api/|health$).*)", "/healthy", {}),
        ("/((?!api/|health$).*)", "/api", {}),
    ],
)
def test_source_matches(source: str, path: str, params: dict[str, str | None]) -> None:
    """A source of vercel.json matches the whole path and names its parameters."""
    match = compile_source(source).fullmatch(path)
    assert match is not None
    assert match.groupdict() == params


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("/health", "/health/"),
        ("/health", "/Health"),
        ("/a.b", "/aXb"),
        ("/s/:id", "/s/1/2"),
        ("/s/:id", "/s/"),
        ("/s/:rest*", "/s/"),
        ("/s/:rest*", "/s/1/"),
        ("/s/:rest*", "/s//1"),
        ("/s/:rest+", "/s"),
        (r"/s/:id(\d+)", "/s/4x"),
        ("/((?!api/|health$).*)", "/api/x"),
        ("/((?!api/|health$).*)", "/health"),
    ],
)
def test_source_does_not_match(source: str, path: str) -> None:
    """Matching is strict and case-sensitive, a parameter is one segment, and look-ahead excludes."""
    assert compile_source(source).fullmatch(path) is None


@pytest.mark.parametrize(
    "source",
    [
        "/a*",
        "/:id?",
        "/a:id*",
        "/(a)*",
        "/(a)?",
        "/{x}",
        "/(a",
        "/a)",
        "/()",
        "/(?:a)",
        "/(a(b))",
        "/(a(?<=b))",
        "/:",
        "/([)",
    ],
)
def test_unknown_syntax_is_refused(source: str) -> None:
    """Syntax that the translator does not know raises, instead of matching something else."""
    with pytest.raises(UnsupportedConfig):
        compile_source(source)


@pytest.mark.parametrize(
    "config",
    [
        {"redirects": []},
        {"cleanUrls": True},
        {"rewrites": [{"source": "/a", "destination": "/b", "has": []}]},
        {"rewrites": [{"source": "/a/:id", "destination": "/b/:id"}]},
        {"rewrites": [{"source": "/a", "destination": "http://example.com"}]},
        {"headers": [{"source": "/a", "headers": [], "missing": []}]},
    ],
)
def test_unknown_config_is_refused(config: dict[str, Any], tmp_path: Path) -> None:
    """Routing features of vercel.json that are not implemented raise at load."""
    with pytest.raises(UnsupportedConfig):
        make_tree(tmp_path, config)


def test_rewrites_to_other_sites_lead_nowhere_here(tmp_path: Path) -> None:
    """They are Vercel's to follow; the other addresses work."""
    there = {"source": "/app/:path+", "destination": "https://example.com/app/:path+"}
    here = {"source": "/notes/:rest*", "destination": "/api/notes"}
    router = make_tree(tmp_path, {"rewrites": [there, here]}, "api/notes.py")
    assert router.route("/app/x") is None
    found = router.route("/notes/a/b")
    assert isinstance(found, Function)
    assert found.params == {"rest": "a/b"}


def test_order_of_routes(tmp_path: Path) -> None:
    """Files of public/ win over rewrites, and a rewrite that leads nowhere lets the next one try."""
    rewrites = [
        {"source": "/page.html", "destination": "/api/x"},
        {"source": "/x/:id", "destination": "/api/missing"},
        {"source": "/x/:id", "destination": "/api/x"},
        {"source": "/about", "destination": "/page.html"},
    ]
    router = make_tree(tmp_path, {"rewrites": rewrites}, "public/page.html", "api/x.py", "api/index.py")
    page, x = Page(tmp_path / "public/page.html"), tmp_path / "api/x.py"
    assert router.route("/page.html") == page
    assert router.route("/about") == page
    assert router.route("/x/7") == Function(x, "api.x", {"id": "7"})
    assert router.route("/api/x") == router.route("/api/x.py") == Function(x, "api.x")
    assert router.route("/api") == Function(tmp_path / "api/index.py", "api.index")
    assert router.route("/api/y") is None


def test_pages(tmp_path: Path) -> None:
    """`/` is index.html, names are percent-decoded, and hidden files are not served."""
    router = make_tree(tmp_path, {}, "public/index.html", "public/a b.txt", "public/.secret")
    assert router.route("/") == Page(tmp_path / "public/index.html")
    assert router.route("/a%20b.txt") == Page(tmp_path / "public/a b.txt")
    assert router.route("/.secret") is None


@pytest.mark.parametrize(
    "path",
    [
        "/../vercel.json",
        "/%2e%2e/vercel.json",
        "/..%2fvercel.json",
        "/x/../../vercel.json",
        "/..\\vercel.json",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/%00",
        "/a.txt%00.html",
    ],
)
def test_no_way_out_of_public(path: str, tmp_path: Path) -> None:
    """No spelling of a path reaches a file outside public/."""
    router = make_tree(tmp_path, {}, "public/a.txt")
    assert router.route(path) is None


def test_names_with_underscore_are_no_functions(tmp_path: Path) -> None:
    """As on Vercel, a file or folder of api/ that starts with an underscore is not reachable."""
    router = make_tree(tmp_path, {}, "api/_private.py", "api/_lib/x.py")
    assert router.route("/api/_private") is None
    assert router.route("/api/_lib/x") is None


def test_headers_are_for_pages_alone() -> None:
    """The project's vercel.json gives its pages a CSP, and leaves the API's own headers alone."""
    router = Router(ROOT)
    for page in ("/", "/error.html", "/healthy", "/apps", "/%61pp/x", "/App/x", "/telegram/", "/api/x/y/z"):
        assert "Content-Security-Policy" in dict(router.headers(page))
    functions = [file.relative_to(ROOT).with_suffix("").as_posix() for file in (ROOT / "api").rglob("*.py")]
    addresses = [path.replace("{id}", "x_1") for path in ROUTES]
    for api in (*addresses, *(f"/{name}" for name in functions), *(f"/{name}.py" for name in functions)):
        assert isinstance(router.route(api), Function)
        assert router.headers(api) == []


@pytest.mark.parametrize("path", ["/app", "/app/", "/app/mini_app.html", "/app/a/b"])
def test_what_is_below_app_is_the_owners(path: str) -> None:
    """Pages of the owner's own, which our policy would break, have a place of their own."""
    assert Router(ROOT).headers(path) == []


@pytest.mark.parametrize(
    "path",
    [
        *("/telegram/word", "/telegram/word/word", "/telegram/login/word", "/telegram/login.py", "/stats.py"),
        *("/api", "/api/word", "/api/telegram/word", "/api/telegram/word.py", "/api/telegram/sessions/x_1"),
    ],
)
def test_what_is_not_there_is_a_page(path: str) -> None:
    """An address near a function's, which answers with the page for what is not there, may not be framed."""
    router = Router(ROOT)
    assert router.route(path) is None
    assert dict(router.headers(path))["Content-Security-Policy"].endswith("; frame-ancestors 'none'")


PAGES = sorted(
    "/" + file.relative_to(ROOT / "public").as_posix() for file in (ROOT / "public").rglob("*.html")
)


@pytest.mark.parametrize("path", ["/", *PAGES, "/app.js", "/nothing", "/some/where/", "/healthy", "/apis"])
def test_each_page_has_one_policy(path: str) -> None:
    """One rule of vercel.json gives each header, so that no precedence is relied on."""
    names = [name.lower() for name, _ in Router(ROOT).headers(path)]
    assert sorted(names) == [
        "content-security-policy",
        "cross-origin-opener-policy",
        "referrer-policy",
        "x-content-type-options",
    ]


@pytest.mark.parametrize("path", [*PAGES, "/nothing"])
def test_telegram_web_may_frame_the_login_page_alone(path: str) -> None:
    """Telegram Web opens Mini Apps in a frame; no other page may be framed, and the rest is the same."""
    login, other = (dict(Router(ROOT).headers(at)) for at in ("/", path))
    policy, _, framers = login.pop("Content-Security-Policy").rpartition("; frame-ancestors ")
    assert framers == "https://web.telegram.org"
    assert other.pop("Content-Security-Policy") == f"{policy}; frame-ancestors 'none'"
    assert other == login


@pytest.mark.parametrize("name", ["relay.html", "confirm.html"])
@pytest.mark.parametrize(
    "way",
    ["telegram/..%2f", "api/..%2F", "telegram/%2e%2e/", "app/..%2f", "telegram/x/..%2f..%2f", "health%2f../"],
)
def test_no_page_comes_without_its_headers(way: str, name: str) -> None:
    """However its address is written, a page is there with its policy, or not at all."""
    router = Router(ROOT)
    assert router.route(f"/{way}{name}") is None or "Content-Security-Policy" in dict(
        router.headers(f"/{way}{name}")
    )
