"""The toolkit that searches for an invoice that is wrong: the definition, read literally."""
