"""Data flows one way, api → web → relay → telegram → sessions → store, and modules hold one idea each."""

import ast
import functools
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
LAYERS = [
    "api",
    "lib.tgauth.wsgi",
    "lib.tgauth.endpoints.status",
    "lib.tgauth.routes",
    "lib.tgauth.auth",
    "lib.tgauth.endpoints",
    "lib.tgauth.web",
    "lib.tgauth.relay",
    "lib.tgauth.telegram",
    "lib.tgauth.sessions",
    "lib.tgauth.store",
]
MAX_LINES = 260


def module(path):
    """The dotted name of the module in a file."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module(path): path for folder in ("lib", "api") for path in sorted((ROOT / folder).rglob("*.py"))}
EVERY = pytest.mark.parametrize("name", MODULES)
LEAVES = {name for name in MODULES if name.startswith("lib.tgauth.") and name.count(".") == 2} - set(LAYERS)
LEAVES |= {name for name in MODULES if name.startswith("lib.tgauth.settings.")}


@functools.cache
def tree(name):
    """The module's syntax tree."""
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


def absolute(name, node):
    """The module that an import names: relative inside of the package, and nowhere else."""
    inside = name.startswith("lib.tgauth.")
    assert (node.level > 0) == inside or not (node.module or "").startswith("lib"), (
        f"{name} imports {node.module}"
    )
    if not node.level:
        return node.module
    package = name if MODULES[name].name == "__init__.py" else name.rpartition(".")[0]
    base = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


@functools.cache
def imports(name):
    """Every module that a module imports, wherever in it: lazily, for types only, or inside a function."""
    found = set()
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = absolute(name, node)
            found |= {
                inner if (inner := f"{module}.{alias.name}") in MODULES else module for alias in node.names
            }
    return found


def ours(name):
    """The modules of lib/ and api/ among them."""
    return {found for found in imports(name) if found.partition(".")[0] in ("lib", "api")}


def layer(name):
    """How far below api/ a module stands, or None for a leaf."""
    if name in LEAVES or name == "lib.tgauth":
        return None
    return next(depth for depth, prefix in enumerate(LAYERS) if f"{name}.".startswith(f"{prefix}."))


def test_there_is_something_to_look_at():
    """The modules that the rules are about are found, and each belongs to a layer or is a known leaf."""
    assert set(MODULES) >= {"api.telegram.verify", "lib.tgauth.web.endpoint", "lib.tgauth.store.memory"}
    assert set(MODULES) >= LEAVES
    names = {"budget", "clock", "deferred", "errors", "log", "problem", "settings"}
    names |= {"http_client", "http_connection", "keys", "memo", "user"}
    names |= {f"settings.{part}" for part in ("hosts", "reader", "source")}
    assert {f"lib.tgauth.{name}" for name in names} == LEAVES
    assert {layer(name) for name in MODULES} == {None, *range(len(LAYERS))}
    assert ours("lib.tgauth.endpoints.login") >= {"lib.tgauth.telegram.login", "lib.tgauth.web.endpoint"}


@EVERY
def test_nothing_imports_what_stands_above_it(name):
    """A module imports its own layer, those below it, and leaves."""
    depth = layer(name)
    for found in ours(name):
        assert found in MODULES, f"{name} imports {found}, which is not there"
        if (below := layer(found)) is not None:
            assert depth is not None, f"the leaf {name} imports {found}"
            assert below >= depth, f"{name} imports {found}, which stands above it"


@pytest.mark.parametrize("name", sorted(n for n in MODULES if n.startswith("api.")))
def test_functions_do_not_import_each_other(name):
    """A file in api/ is one function and shares code through lib/ only."""
    assert not {found for found in ours(name) if found.startswith("api.")}


@pytest.mark.parametrize("name", sorted(n for n in MODULES if n.startswith("lib.tgauth.telegram.")))
def test_proofs_know_no_sessions(name):
    """Telegram's proofs are checked without anything of sessions; the web puts the two together."""
    assert not {found for found in ours(name) if found.startswith("lib.tgauth.sessions")}


@pytest.mark.parametrize("name", sorted(LEAVES))
def test_leaves_import_no_layer(name):
    """A leaf, which every layer may import, imports nothing of ours but other leaves."""
    assert ours(name) <= LEAVES


def test_most_leaves_stand_alone():
    """Settings and errors are spread over several leaves, and requests ask what time is left."""
    near = {name.removeprefix("lib.tgauth."): ours(name) for name in LEAVES if ours(name)}
    assert {name: {found.removeprefix("lib.tgauth.") for found in below} for name, below in near.items()} == {
        "settings": {"clock", "errors", *(f"settings.{part}" for part in ("hosts", "reader", "source"))},
        "settings.reader": {"clock", "settings.hosts"},
        "settings.source": {"settings.hosts"},
        "keys": {"settings"},
        "errors": {"problem"},
        "problem": {"log"},
        "http_client": {"budget", "http_connection"},
    }


def test_no_circles():
    """No module imports itself, however many steps it takes."""
    below = {name: ours(name) for name in MODULES}
    for name in MODULES:
        reached, waiting = set(), [name]
        while waiting:
            for found in below[waiting.pop()] - reached:
                reached.add(found)
                waiting.append(found)
        assert name not in reached, f"{name} imports itself"


@EVERY
def test_nothing_deployed_imports_what_is_not(name):
    """dev/ and tests/ are not in a deployment, so nothing in lib/ or api/ imports them."""
    assert not {found for found in imports(name) if found.partition(".")[0] in ("dev", "tests")}


@EVERY
def test_only_settings_read_the_environment(name):
    """os.environ and its like appear in lib/tgauth/settings/__init__.py and nowhere else."""
    names = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
    used = {
        node.attr
        for node in ast.walk(tree(name))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os"
    }
    used |= {
        alias.name
        for node in ast.walk(tree(name))
        if isinstance(node, ast.ImportFrom) and node.module == "os"
        for alias in node.names
    }
    assert bool(used & names) == (name == "lib.tgauth.settings")


@EVERY
def test_few_modules_talk_to_the_outside(name):
    """HTTP and sockets are for the stores and for Telegram's provider, which have deadlines."""
    clients = {"httpx", "httpcore", "requests", "urllib.request", "urllib3", "http.client", "socket", "ssl"}
    clients |= {"redis", "upstash_redis"}
    used = {found for found in imports(name) if found in clients or found.partition(".")[0] in clients}
    allowed = {
        "lib.tgauth.http_client",
        "lib.tgauth.http_connection",
        "lib.tgauth.store.redis",
        "lib.tgauth.store.upstash",
    }
    # For the names of what can go wrong.
    allowed |= {"lib.tgauth.store.reasons"}
    assert not used or name in allowed, used


def test_verifying_does_no_network():
    """Verification is a function of its arguments: no verifier imports what fetches, only the reverse."""
    pure = {"checks", "id_token", "login", "oidc", "transaction", "webapp", "webapp_user"}
    for name in (f"lib.tgauth.telegram.{part}" for part in (*sorted(pure), "widget")):
        assert not ours(name) & {
            *("lib.tgauth.telegram.provider", "lib.tgauth.telegram.jwks", "lib.tgauth.telegram.http"),
            *("lib.tgauth.http_client", "lib.tgauth.budget"),
        }
    used = {f"lib.tgauth.telegram.{part}" for part in ("http", "id_token", "jwks")}
    assert ours("lib.tgauth.telegram.provider") >= used


@EVERY
def test_a_module_holds_one_idea(name):
    """No module is longer than fits one idea, and none goes without saying what it is for."""
    text = MODULES[name].read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    assert not text or ast.get_docstring(tree(name))


@pytest.mark.parametrize("name", sorted(n for n in MODULES if n.startswith("api.")))
def test_a_function_is_a_docstring_and_one_import(name):
    """Vercel takes a file in api/ for a function by its top-level `app`, and all else is the package's."""
    said, imported = tree(name).body
    assert isinstance(said, ast.Expr)
    assert isinstance(imported, ast.ImportFrom)
    assert [(alias.name, alias.asname) for alias in imported.names] == [("app", "app")]


def test_importing_the_package_imports_nothing():
    """`import tgauth` tells the version, and costs nothing."""
    assert not imports("lib.tgauth")
