"""Our invoices or events compared with somebody else's, and why they differ."""
