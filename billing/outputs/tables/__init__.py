"""Results as rows and columns, for JSON, CSV and pandas."""
