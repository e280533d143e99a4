"""Mutants of a source file, each with one change made by mutmut's operators.

mutmut itself is not run. Version 3 hands each test to pytest by name, and where a name cannot be found again,
as with parameters that hold brackets or line ends, it takes the error for a test that failed; and it leaves
alone what is outside functions, as the length of a window and the form of a token are.
"""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

import libcst
from mutmut.mutation.file_mutation import create_mutations, deep_replace

# mutmut passes over decorated functions; a property that is a mere comment is an undecorated one.
_PROPERTY, _HIDDEN = "    @property\n", "    # @property\n"


@dataclass(frozen=True)
class Mutant:
    """`code` of a source, and the lines that differ: `before` in the source, `after` in the mutant."""

    source: str
    code: str
    before: str
    after: str


def mutants_of(source: str, code: str) -> Iterator[Mutant]:
    """Every mutant of a source's `code`."""
    module, mutations, *_ = create_mutations(source, code.replace(_PROPERTY, _HIDDEN))
    for mutation in mutations:
        changed = deep_replace(module, mutation.original_node, mutation.mutated_node)
        assert isinstance(changed, libcst.Module)  # noqa: S101 (a module's root is never replaced)
        mutated = changed.code.replace(_HIDDEN, _PROPERTY)
        yield Mutant(source, mutated, *_difference(code, mutated))


def _difference(code: str, mutated: str) -> tuple[str, str]:
    lines = list(difflib.unified_diff(code.splitlines(), mutated.splitlines(), lineterm="", n=0))[2:]
    before, after = ("\n".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+")
    return before, after
