"""tgauth as Vercel's builder bundles it: its own files and its packages', and no byte code of any."""

import re
import shutil
from importlib.metadata import distribution
from pathlib import Path

from dev.vercel.runtime import ROOT

VENDORED = "_vendor"


def lay_out(target: Path) -> Path:
    """Copy `api/`, `lib/` and the installed packages of requirements.txt into `target`."""
    for folder in ("api", "lib"):
        shutil.copytree(ROOT / folder, target / folder, ignore=shutil.ignore_patterns("__pycache__"))
    pins = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    for name in (*re.findall(r"^([\w-]+)(?:\[\w+\])?==", pins, flags=re.MULTILINE), "vercel-runtime"):
        for file in distribution(name).files or ():
            copy = target / VENDORED / file
            # Scripts are outside of what is imported, byte code is what must not be there.
            if ".." in file.parts or file.suffix == ".pyc":
                continue
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(str(file.locate()), copy)
    return target
