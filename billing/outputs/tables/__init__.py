"""Results as tables: columns are declared once, and JSON, CSV, Arrow, Parquet and pandas follow from them."""
