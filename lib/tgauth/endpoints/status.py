"""/health and /stats, the addresses for owners, as one function."""

from ..routes import serve

app = serve("health", "stats")
