"""Another biller, tried on random ledgers until one shows that it is wrong."""
