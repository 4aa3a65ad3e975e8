"""Certificates of a peak, checked by themselves, with an export, or with the ledger."""
