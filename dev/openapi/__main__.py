"""`python -m dev.openapi` writes docs/openapi.json."""

from dev.openapi.document import FILE, text

FILE.write_text(text(), encoding="utf-8")
