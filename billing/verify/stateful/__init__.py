"""Whole histories of a ledger, lived by a machine of rules beside a model."""
