"""AUTH_RELAY_HOSTS: which previews production logs people in for, and that no pattern lets strangers in."""

import re
from functools import lru_cache

from ..errors import Misconfigured

_LABEL = 63
"""Characters of a host name's label at most (RFC 1035 §2.3.4)."""

# Own text on both sides of the star, which nobody who is given a name of another form has.
_OWN = re.compile(r"[a-z0-9-]{3,}\*(.*\*)?[a-z0-9-]{3,}")


def is_listed(host: str, hosts: tuple[str, ...]) -> bool:
    """Whether `host`, with its port if it has one, is among `hosts`; raises as `patterns`."""
    labels = host.partition(":")[0].split(".")
    found = patterns(hosts)
    return max(map(len, labels)) <= _LABEL and any(pattern.fullmatch(host) for pattern in found)


@lru_cache(maxsize=4)
def patterns(hosts: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    """A star stands for part of one label, so it cannot reach another domain.

    Raises `Misconfigured` where everybody can have a host that matches.
    """
    starred = [host.partition(":")[0] for host in hosts if "*" in host]
    if starred and not _are_own(starred):
        raise Misconfigured(
            "AUTH_RELAY_HOSTS: has an entry that strangers can have hosts for: below a domain where anybody"
            " gets names, a star's label must begin and end with 3 characters of your own; set such as"
            " app-*-team.vercel.app"
        )
    return tuple(re.compile("[a-z0-9-]+".join(map(re.escape, host.split("*")))) for host in hosts)


def _are_own(starred: list[str]) -> bool:
    """Whether each star is below a domain that has one owner, or in a label that says whose it is."""
    # Reading the list takes a tenth of a second: it is loaded where there is such an entry, and not kept.
    from publicsuffixlist import PublicSuffixList

    suffixes = PublicSuffixList()
    for host in starred:
        labels = host.split(".")
        for index, label in enumerate(labels):
            # A star stands for a name that nobody has chosen yet.
            parent = ".".join(labels[index + 1 :]).replace("*", "x")
            if "*" in label and suffixes.is_public(parent) and not _OWN.fullmatch(label):
                return False
    return True
