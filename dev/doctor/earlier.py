"""Whether an earlier deployment still answers: Vercel never changes an existing one's variables.

Each stays at an address of its own, with the same Redis, and goes on by the secrets and lists that it has.
Source: https://vercel.com/docs/environment-variables
"""

from collections.abc import Iterator

from dev.doctor.client import Client, NoAnswer, fields
from dev.doctor.report import Check, ok, problem, warning
from dev.doctor.site import Site, barrier


def check_earlier(old: str, client: Client) -> Iterator[Check]:
    """Ask the deployment at `old` for its health, as anybody can: the bypass secret is not sent there."""
    if not old:
        yield ok(
            "earlier",
            "an earlier deployment keeps the secrets and lists that it was deployed with. To see whether"
            " one still answers, take its address from Vercel's Deployments: make doctor URL=…"
            " OLD=https://….vercel.app",
        )
        return
    try:
        health = Site(old, client, {}).ask("GET", "/health")
    except NoAnswer as reason:
        yield ok("earlier", f"nothing answers at {old}: {reason}")
        return
    between = barrier(old, health)
    if between is not None and between.name == "redirect":
        yield warning(
            "earlier",
            f"{between.message}, which says nothing of an earlier deployment",
            "give the address that Vercel made for the deployment itself (Deployments, choose it, Domains)",
        )
    elif between is not None:
        yield ok("earlier", f"no tgauth answers at {old}: {between.message}")
    elif fields(health) == {"status": "down", "store": None, "problem": "store_credentials"}:
        yield ok(
            "earlier", f"{old} answers, but Redis refuses its credentials, so it takes no session or login"
        )
    else:
        yield problem(
            "earlier",
            f"an earlier deployment still answers at {old}, with the secrets and lists it was deployed with",
            "switch on Standard Protection (Vercel: Settings > Deployment Protection), which closes such"
            " addresses; or delete the deployments from before the change; or give the database new"
            " credentials, without which they answer 503: docs/REDIS_SETUP.md#changing-secrets",
        )
