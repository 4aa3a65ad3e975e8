"""Addresses: opening the ledger that a URL names."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from ..core.errors import BadLedger
from .ledger import Ledger

_SCHEMES: Final = ("sqlite", "postgresql", "postgres")


def is_address(source: object) -> bool:
    """Whether a source names a ledger, and not a file."""
    return isinstance(source, str) and source.partition("://")[0] in _SCHEMES and "://" in source


def open_ledger(url: str, *, create: bool = False) -> Ledger:
    """The ledger at a URL; with `create`, an empty one where there is none.

    `sqlite:///billing.db` is a file in the current folder, `sqlite:////var/billing.db` one anywhere,
    `sqlite:///:memory:` one that is not stored; `?timeout=SECONDS` says how long to wait for other
    processes. `postgresql://HOST/DATABASE` takes what libpq takes, and `?schema=NAME` (default
    `billing`): each schema has one ledger. Raises `BadLedger`.
    """
    if not is_address(url):
        raise BadLedger("ledger_url", got=url)
    try:
        parts = urlsplit(url)
    except ValueError:
        raise BadLedger("ledger_url", got=url) from None
    if parts.scheme != "sqlite":
        from .postgres import PostgresDatabase  # needs an extra, only for these URLs

        return Ledger(PostgresDatabase(url, create=create))
    from .sqlite import PATIENCE_SECONDS, SqliteDatabase

    options = dict(parse_qsl(parts.query))
    path = unquote(parts.path.removeprefix("/"))
    try:
        patience = float(options.pop("timeout", PATIENCE_SECONDS))
    except ValueError:
        raise BadLedger("ledger_url", got=url) from None
    if parts.netloc or not path or options:
        raise BadLedger("ledger_url", got=url)
    return Ledger(SqliteDatabase(path, create=create, patience_seconds=patience))
