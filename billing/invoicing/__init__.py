"""Numbered documents that never change: closing, issuing, restating."""
