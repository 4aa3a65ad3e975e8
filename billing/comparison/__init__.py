"""What the same history would have cost under other terms."""
