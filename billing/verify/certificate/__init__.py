"""Certificates of a peak, checked with nothing but the file, an export, or the ledger."""
