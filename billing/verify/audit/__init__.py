"""Bills computed again by the definition, and what differs."""
