"""Only calculates: no files, clock, network, randomness or logging. Imports nothing else of ours."""
