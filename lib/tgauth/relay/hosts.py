"""AUTH_RELAY_HOSTS: the previews that production logs people in for; no pattern may let strangers in."""

import re
from functools import lru_cache

from ..errors import Misconfigured

_LABEL = 63
"""The most characters that a label of a host name can have (RFC 1035 §2.3.4)."""

# The owner's own text on both sides of the star: no name that anybody else gets has both.
_OWN = re.compile(r"[a-z0-9-]{3,}\*(.*\*)?[a-z0-9-]{3,}")


def is_listed(host: str, hosts: tuple[str, ...]) -> bool:
    """Whether `host`, with its port if it has one, is among `hosts`; raises as `patterns`."""
    labels = host.partition(":")[0].split(".")
    found = patterns(hosts)
    return max(map(len, labels)) <= _LABEL and any(pattern.fullmatch(host) for pattern in found)


@lru_cache(maxsize=4)
def patterns(hosts: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    """A star stands for part of one label, so it cannot reach another domain.

    Raises `Misconfigured` if anybody could get a host that matches.
    """
    starred = [host.partition(":")[0] for host in hosts if "*" in host]
    if starred and not _are_own(starred):
        raise Misconfigured(
            "AUTH_RELAY_HOSTS: has an entry that strangers' hosts can match; below a domain where anybody can"
            " get a name, begin and end a label that has a star with 3 characters of your own, as in"
            " app-*-team.vercel.app"
        )
    return tuple(re.compile("[a-z0-9-]+".join(map(re.escape, host.split("*")))) for host in hosts)


def _are_own(starred: list[str]) -> bool:
    """Whether each star is below a domain that has one owner, or in a label that shows whose it is."""
    # Reading the list takes a tenth of a second: it is loaded only for such an entry, and not kept.
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
