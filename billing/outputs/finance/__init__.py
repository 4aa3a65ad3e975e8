"""Exports for finance systems: FOCUS, and a double-entry journal."""
