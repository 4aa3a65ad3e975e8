"""What finance systems read: FOCUS and a journal of double entry."""
