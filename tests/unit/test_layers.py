"""Data flows one way, api → web → relay → telegram → sessions → store, and modules hold one idea each."""

import ast
import functools
from pathlib import Path

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
FUNCTIONS = [name for name in MODULES if name.startswith("api.")]
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


def test_nothing_imports_what_stands_above_it():
    """A module imports its own layer, those below it, and leaves."""
    for name in MODULES:
        depth = layer(name)
        for found in ours(name):
            assert found in MODULES, f"{name} imports {found}, which is not there"
            if (below := layer(found)) is not None:
                assert depth is not None, f"the leaf {name} imports {found}"
                assert below >= depth, f"{name} imports {found}, which stands above it"


def test_functions_do_not_import_each_other():
    """A file in api/ is one function and shares code through lib/ only."""
    assert not [name for name in FUNCTIONS if any(found.startswith("api.") for found in ours(name))]


def test_proofs_know_no_sessions():
    """Telegram's proofs are checked without anything of sessions; the web puts the two together."""
    for name in (name for name in MODULES if name.startswith("lib.tgauth.telegram.")):
        assert not {found for found in ours(name) if found.startswith("lib.tgauth.sessions")}, name


def test_leaves_import_no_layer():
    """A leaf, which every layer may import, imports nothing of ours but other leaves."""
    assert not {name: ours(name) - LEAVES for name in LEAVES if ours(name) - LEAVES}


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


def test_nothing_deployed_imports_what_is_not():
    """dev/ and tests/ are not in a deployment, so nothing in lib/ or api/ imports them."""
    for name in MODULES:
        assert not {found for found in imports(name) if found.partition(".")[0] in ("dev", "tests")}, name


def test_only_settings_read_the_environment():
    """os.environ and its like appear in lib/tgauth/settings/__init__.py and nowhere else."""
    names = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
    reading = set()
    for name in MODULES:
        for node in ast.walk(tree(name)):
            match node:
                case ast.Attribute(value=ast.Name(id="os"), attr=used) if used in names:
                    reading.add(name)
                case ast.ImportFrom(module="os") if names & {alias.name for alias in node.names}:
                    reading.add(name)
    assert reading == {"lib.tgauth.settings"}


def test_few_modules_talk_to_the_outside():
    """HTTP and sockets are for the stores and for Telegram's provider, which have deadlines."""
    clients = {"httpx", "httpcore", "requests", "urllib.request", "urllib3", "http.client", "socket", "ssl"}
    clients |= {"redis", "upstash_redis"}
    allowed = {
        "lib.tgauth.http_client",
        "lib.tgauth.http_connection",
        "lib.tgauth.store.redis",
        "lib.tgauth.store.upstash",
    }
    # For the names of what can go wrong.
    allowed |= {"lib.tgauth.store.reasons"}
    for name in MODULES.keys() - allowed:
        used = {found for found in imports(name) if found in clients or found.partition(".")[0] in clients}
        assert not used, name


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


def test_a_module_holds_one_idea():
    """No module is longer than fits one idea, and none goes without saying what it is for."""
    for name, path in MODULES.items():
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= MAX_LINES, name
        assert not text or ast.get_docstring(tree(name)), name


def test_a_function_is_a_docstring_and_one_import():
    """Vercel takes a file in api/ for a function by its top-level `app`, and all else is the package's."""
    for name in FUNCTIONS:
        assert [type(node) for node in tree(name).body] == [ast.Expr, ast.ImportFrom], name
        imported = tree(name).body[1]
        assert [(alias.name, alias.asname) for alias in imported.names] == [("app", "app")], name


def test_importing_the_package_imports_nothing():
    """`import tgauth` tells the version, and costs nothing."""
    assert not imports("lib.tgauth")
