"""Append-only storage of events and of what was issued for them, in SQLite or PostgreSQL."""
