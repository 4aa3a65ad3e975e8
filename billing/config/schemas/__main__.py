"""Writes the schemas."""

from . import published

for path, schema in published().items():
    path.write_text(schema, encoding="utf-8")
