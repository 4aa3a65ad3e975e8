"""Plans, terms and catalogues as people write them, in TOML or JSON."""
