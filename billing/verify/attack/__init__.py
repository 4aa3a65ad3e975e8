"""Another biller, attacked with made-up ledgers until one shows it wrong."""
