"""The project's own code, imported as Vercel imports it and reimported when a file has changed."""

import importlib
import importlib.util
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from wsgiref.types import WSGIApplication

from dev.serve.router import Function, Router

_PACKAGES = ("api", "lib", "dev.telegram")
"""Imported anew when a file in them changes."""
_PREFIXES = tuple(f"{package}." for package in _PACKAGES)


class LoadFailed(Exception):
    """Code or vercel.json could not be loaded; `file` says which, `text` is the traceback."""

    def __init__(self, file: str, error: BaseException) -> None:
        super().__init__(file)
        self.file = file
        self.text = describe(error)


class Functions:
    """What runs of the tree at `root`: its routes, its functions and the simulated Telegram.

    Every method may be called from many threads. Call `refresh` before each request; the modules that a
    request already runs with stay as they are. A failed import is tried again at the next request.
    """

    def __init__(self, root: Path, prepare: Callable[[], None]) -> None:
        """`prepare` runs before anything of the tree is imported, at first and after every change."""
        self._root = root
        self._prepare = prepare
        self._lock = threading.Lock()
        self._seen: dict[Path, tuple[int, int]] | None = None
        self._prepared = False
        self._router: Router | None = None
        self._apps: dict[str, Any] = {}

    def refresh(self) -> None:
        """Forget all that was imported if a watched file is new, changed or gone."""
        with self._lock:
            seen = {file: (stat.st_mtime_ns, stat.st_size) for file, stat in self._watched()}
            if seen == self._seen:
                return
            self._seen, self._prepared, self._router = seen, False, None
            self._apps.clear()
            for name in list(sys.modules):
                if f"{name}.".startswith(_PREFIXES):
                    del sys.modules[name]
            # Or a file that is new in a directory would not be seen.
            importlib.invalidate_caches()

    def router(self) -> Router:
        """The routes; raises LoadFailed when vercel.json is broken or asks for what is not supported."""
        with self._lock:
            if self._router is None:
                try:
                    self._router = Router(self._root)
                except Exception as error:
                    raise LoadFailed("vercel.json", error) from error
            return self._router

    def app(self, function: Function) -> WSGIApplication:
        """The `app` of a file of api/; raises LoadFailed."""
        app: WSGIApplication = self._load(function.module, function.file, "app")
        return app

    def telegram(self) -> Callable[[str], WSGIApplication]:
        """Make the simulated Telegram for an origin; raises LoadFailed."""
        make: Callable[[str], WSGIApplication] = self._load(
            "dev.telegram.app", self._root / "dev/telegram/app.py", "Telegram"
        )
        return make

    def _load(self, name: str, file: Path, attribute: str) -> Any:
        with self._lock:
            if name not in self._apps:
                try:
                    if not self._prepared:
                        self._prepare()
                        self._prepared = True
                    self._apps[name] = getattr(_import(name, file), attribute)
                except (Exception, SystemExit) as error:
                    raise LoadFailed(str(file.relative_to(self._root)), error) from error
            return self._apps[name]

    def _watched(self) -> Iterator[tuple[Path, os.stat_result]]:
        files = [self._root / "vercel.json"]
        for package in _PACKAGES:
            files += (self._root / package.replace(".", "/")).rglob("*.py")
        for file in files:
            # An editor that saves by renaming leaves a moment without the file.
            try:
                yield file, file.stat()
            except FileNotFoundError:
                continue


def describe(error: BaseException) -> str:
    """The traceback as text, from the first line of the project's own code on."""
    frames = error.__traceback__
    while frames and not _is_project(Path(frames.tb_frame.f_code.co_filename)):
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames))


def _is_project(file: Path) -> bool:
    root = Path(__file__).parents[2]
    if not file.is_relative_to(root):
        return False
    name = ".".join(file.relative_to(root).with_suffix("").parts)
    return f"{name}.".startswith(_PREFIXES)


def _import(name: str, file: Path) -> ModuleType:
    """Import by file path under a dotted name, as Vercel's runtime does: no __init__.py is needed."""
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
