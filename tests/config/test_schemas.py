"""The JSON Schemas of plan and terms files."""

import json
import tomllib
from pathlib import Path

from billing.config.schemas import published

ROOT = Path(__file__).parents[2]


def test_published_schemas_are_those_of_the_models() -> None:
    """An editor that completes yesterday's keys is worse than none."""
    for path, schema in published().items():
        assert schema == path.read_text(encoding="utf-8"), "stale: run python -m billing.config.schemas"


def test_prices_in_the_schema_are_text() -> None:
    """A price that an editor writes as a number has already lost its last digits."""
    schema = json.loads((ROOT / "billing/config/schemas/plan.json").read_text(encoding="utf-8"))

    assert "string" == schema["$defs"]["Tier"]["properties"]["unit_price"]["type"]


def test_every_key_of_the_sample_plans_is_in_the_schema() -> None:
    """The samples are what people start from."""
    schema = json.loads((ROOT / "billing/config/schemas/plan.json").read_text(encoding="utf-8"))
    for plan in ROOT.glob("fixtures/*/**/plan.toml"):
        if "messages" in plan.parts:
            continue
        keys = set(tomllib.loads(plan.read_text(encoding="utf-8")))
        assert keys <= set(schema["properties"]), plan
