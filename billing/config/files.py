"""Text, TOML and JSON files that people write, read whole."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from ..core.errors import BillingError


def text_in(name: str, error: type[BillingError], *, encoding: str = "utf-8") -> str:
    """The text of a file. Raises `error` for one that cannot be read."""
    try:
        return Path(name).read_text(encoding=encoding)
    except FileNotFoundError:
        raise error("file_missing", name, hint="") from None
    except UnicodeDecodeError:
        raise error("encoding", name, after="") from None
    except OSError as problem:
        raise error("file_unreadable", name, detail=problem.strerror or "") from None


def document_of(name: str, error: type[BillingError]) -> dict[str, Any]:
    """The table in a TOML or JSON file. Raises `error` for one that cannot be used."""
    content = text_in(name, error)
    try:
        if name.lower().endswith(".json"):
            document = json.loads(content, object_pairs_hook=_without_repeats)
            _refuse_lone_surrogates(document)
        else:
            document = tomllib.loads(content)
    except RecursionError:
        raise error("document_invalid", name, detail="it is nested too deeply") from None
    except ValueError as problem:
        raise error("document_invalid", name, detail=str(problem).rstrip(".")) from None
    if not isinstance(document, dict):
        raise error("document_invalid", name, detail="it is not a table")
    return document


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        double = next(key for key, _ in pairs if [k for k, _ in pairs].count(key) > 1)
        raise ValueError(f"it has {double} twice")
    return document


def _refuse_lone_surrogates(document: Any) -> None:
    """Refuse lone surrogates, since text with one cannot be encoded."""
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        lone = f"\\u{ord(str(error.object)[error.start]):04x}"
        raise ValueError(f"{lone} is half of a character, without its other half") from None
