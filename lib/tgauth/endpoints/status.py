"""/health and /stats, which owners ask for, as one function."""

from ..routes import serve

app = serve("health", "stats")
