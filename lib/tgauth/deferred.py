"""Put off a library's imports until they are used."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

_lock = threading.Lock()


@contextmanager
def deferred(name: str) -> Iterator[None]:
    """Inside, `import name` costs nothing: the package is loaded when something in it is first used.

    Only for `import name`; `from name import …` uses it at once. Nothing changes if `name` is already loaded,
    or for later imports. importlib's LazyLoader does not help: an `import` statement looks
    at the module's `__spec__`, which makes it load
    (https://docs.python.org/3/library/importlib.html#importlib.util.LazyLoader).
    """
    spec = None if name in sys.modules else find_spec(name)
    standing_in = _Deferred(spec) if spec else None
    if standing_in is None or sys.modules.setdefault(name, standing_in) is not standing_in:
        yield
        return
    try:
        yield
    finally:
        standing_in.leave()


class _Deferred(ModuleType):
    """Stands in for the package; a thread that imports it meanwhile gets this, and can use it as usual."""

    def __init__(self, spec: ModuleSpec) -> None:
        super().__init__(spec.name)
        self.__spec__ = spec
        if spec.submodule_search_locations is not None:
            # A submodule imported now is found, and becomes the package's when that is loaded.
            self.__path__ = spec.submodule_search_locations

    def leave(self) -> None:
        """Let the next `import` of this name find the package itself."""
        with _lock:
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]

    def __getattr__(self, attribute: str) -> object:
        self.leave()
        return getattr(import_module(self.__name__), attribute)
