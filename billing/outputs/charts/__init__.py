"""Charts: from data to a Vega-Lite specification, which notebooks, files, web pages and PDFs draw alike.

`figure` has what a chart shows, `thinning` decides what to leave out for legibility, `cycle` (with
`layers` and `legend`) and `year` build specifications, `render` draws them. `movement` and `data` are
the data behind a chart, `style` its look. No chart relies on colour alone. Text from events is used in
titles and descriptions only, never in an expression.
"""
