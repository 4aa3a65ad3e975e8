"""Accepted discrepancies, each with a written reason, kept in a file of JSON Lines.

What is accepted are the figures: when one of them changes, the discrepancy is open again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..core.errors import BadForeign
from .matching import Match

#: What identifies a discrepancy: account, cycle, status, and both figures as text.
Key = tuple[str, ...]


def key_of(match: Match) -> Key:
    """The key of a discrepancy, by which the file is searched."""
    document = _document(match)
    return tuple(json.dumps(document[field]) for field in ("account_id", "cycle", "status", "ours", "theirs"))


def load_accepted(path: str) -> dict[Key, str]:
    """The accepted discrepancies with their reasons; none where there is no such file. Raises `BadForeign`."""
    accepted = {}
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise BadForeign("file_unreadable", path, detail=str(error)) from None
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                document = json.loads(line)
                key = tuple(
                    json.dumps(document[field]) for field in ("account_id", "cycle", "status", "ours", "theirs")
                )
                accepted[key] = str(document["reason"])
            except (ValueError, KeyError, TypeError) as error:
                detail = f"it has no field {error}" if isinstance(error, KeyError) else str(error)
                raise BadForeign("accepted_invalid", f"{path}:{number}", detail=detail) from None
    return accepted


def keep_accepted(path: str, matches: Iterable[Match], reason: str) -> None:
    """Add discrepancies to the file, for a reason."""
    with Path(path).open("a", encoding="utf-8") as file:
        for match in matches:
            file.write(json.dumps({**_document(match), "reason": reason}, ensure_ascii=False) + "\n")


def _document(match: Match) -> dict[str, Any]:
    ours, theirs = match.ours, match.theirs
    total = ours.total if ours else None
    return {
        "account_id": match.account_id,
        "cycle": match.cycle,
        "status": match.status,
        "ours": None
        if ours is None
        else {
            "quantity": ours.quantity,
            "amount": None if total is None else f"{total.amount:f}",
            "currency": None if total is None else total.currency,
        },
        "theirs": None
        if theirs is None
        else {
            "quantity": theirs.quantity,
            "amount": None if theirs.amount is None else f"{theirs.amount:f}",
            "currency": theirs.currency,
            "invoice": theirs.invoice,
        },
    }
