"""Servers on this machine are reached directly: a proxy of the environment would see the tokens of their clients."""

import os

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")


def past_proxies() -> dict[str, str]:
    """`NO_PROXY` as it is set, with the names of this machine added; both spellings, since libraries read either."""
    given = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = [host.strip() for host in given.split(",") if host.strip()]
    named = ",".join([*hosts, *(host for host in LOOPBACK_NAMES if host not in hosts)])
    return {"NO_PROXY": named, "no_proxy": named}
