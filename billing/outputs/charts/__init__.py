"""Charts: data go in, a Vega-Lite specification comes out, which notebooks, files, pages and paper draw alike.

`figure` is what a chart shows, `thinning` what is left out of it so that it can be read, `cycle` (of
`layers`) and `year` make specifications, `drawing` draws them. They say nothing by colour alone. Text that
comes from events is always text: it stands in titles, and in no expression.
"""
