"""Where open cycles stand, and where they are heading."""
