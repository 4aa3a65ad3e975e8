"""JSON Schemas of the files people write, made from the models that read them.

`python -m billing.config.schemas` writes them anew; a test fails when they are stale.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from ...core.plan import Plan
from ..catalogue import CatalogueDocument
from ..terms import TermsDocument

_MODELS: Final[dict[str, type[BaseModel]]] = {
    "catalogue": CatalogueDocument,
    "plan": Plan,
    "terms": TermsDocument,
}


def published() -> dict[Path, str]:
    """Each schema file, and what it must hold."""
    folder = Path(__file__).parent
    return {
        folder / f"{name}.json": json.dumps(model.model_json_schema(), indent=2, ensure_ascii=False) + "\n"
        for name, model in _MODELS.items()
    }
