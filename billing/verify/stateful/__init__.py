"""Random histories of a ledger, driven by a Hypothesis machine beside a model."""
