"""Run the tests on mutants, each in a separate process that imports it instead of the code."""

import contextlib
import importlib
import importlib.abc
import importlib.util
import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import CodeType, FrameType

from dev.prove.mutants.mutant import Mutant
from dev.prove.mutants.targets import Target
from dev.vercel.runtime import ROOT

# What the tests import that is not ours, so that no process has to begin with it.
_PRELOADED = [
    "dev.prove.mutants.run",
    "cryptography.x509",
    "httpx",
    "hypothesis.strategies",
    "jwt",
    "pydantic",
    "pytest",
    "werkzeug.wrappers",
]
# Only what these tests need: what a failure looks like is nobody's concern, and other plugins load for long.
_ARGUMENTS = [
    *("-x", "-q", "--assert=plain", "--disable-plugin-autoload", "-p", "no:cacheprovider"),
    *("-p", "_hypothesis_pytestplugin"),
]
_SECONDS = 60
# 4 is what pytest says where its conftest.py cannot be imported.
_KILLED = (1, 2, 4)


class CannotRun(Exception):
    """The tests fail on the code as it is, or cannot be run."""


def survivors(target: Target, mutants: Sequence[Mutant], processes: int) -> list[Mutant]:
    """The mutants that no test notices; raises CannotRun."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    genuine = [(target.tests, source, (ROOT / source).read_text()) for source in target.sources]
    with context.Pool(processes, maxtasksperchild=1) as pool:
        # The code itself goes the same way, and must come out alive.
        if any(pool.starmap(_test, genuine, chunksize=1)):
            raise CannotRun(f"without any change these fail: {' '.join(target.tests)}")
        jobs = [(target.tests, mutant.source, mutant.code) for mutant in mutants]
        statuses = pool.starmap(_test, jobs, chunksize=1)
    if unknown := set(statuses) - {0, *_KILLED}:
        raise CannotRun(f"pytest ended with {unknown}")
    return [mutant for mutant, status in zip(mutants, statuses, strict=True) if status == 0]


def _test(tests: tuple[str, ...], source: str, code: str) -> int:
    """What pytest ends with: 0 all passed, 1 a test failed, 2 or 4 not importable, or too slow."""
    import hypothesis
    import pytest

    os.chdir(ROOT)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    # Of the processor's time: what else this machine does makes no mutant slow.
    signal.signal(signal.SIGPROF, _too_long)
    signal.setitimer(signal.ITIMER_PROF, _SECONDS)
    sys.dont_write_bytecode = True
    module = source.removesuffix(".py").replace("/", ".")
    sys.meta_path.insert(0, _Finder(module, source, code))
    try:
        imported = importlib.import_module(module)
    except Exception:
        return 2
    # The same examples each time, none of them kept, and the first that fails is small enough.
    hypothesis.settings.register_profile(
        "mutants",
        derandomize=True,
        database=None,
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    )
    hypothesis.settings.load_profile("mutants")
    with contextlib.suppress(KeyboardInterrupt):
        status = int(pytest.main([*_ARGUMENTS, *tests]))
        if sys.modules[module] is not imported:
            raise CannotRun(f"the tests imported another {module}")
        return status
    return 2


def _too_long(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


class _Finder(importlib.abc.MetaPathFinder):
    """Finds one module to be the given code."""

    def __init__(self, module: str, source: str, code: str) -> None:
        self._module, self._path, self._code = module, str(ROOT / source), code

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name != self._module:
            return None
        return importlib.util.spec_from_file_location(name, loader=_Loader(name, self._path, self._code))


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, code: str) -> None:
        super().__init__(name, path)
        self._code = code

    def get_code(self, *_: object) -> CodeType:
        return compile(self._code, self.path, "exec")
