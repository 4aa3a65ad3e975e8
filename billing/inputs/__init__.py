"""Reads sources of events: files, folders, tables and standard input.

The way of an event, from the top down: `source` is what other folders call; `readers` opens the source and
gives it to `csv`, `jsonl`, `parquet` or `arrow`, each of which yields `RawRows`; `encoder` turns names into
codes and asks `checks`, `timestamps` and `identifiers` what is wrong; accepted rows become batches, the
others rejections; `deduplicate` looks at all batches of the source at once and returns its events.
"""
