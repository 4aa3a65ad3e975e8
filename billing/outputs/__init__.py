"""Everything that leaves: tables, charts, documents, and files for finance systems."""
