"""Documents for people: invoices, notes, statements and charts as HTML and PDF.

`sheet` is what a document shows, independent of the format. `build` makes sheets of drafts, of issued
documents and of statements, with `invoice` and `statement`; `chart` makes charts, with `chart_sheet`.
`cycle_curve` draws and describes a cycle, `locale` formats numbers and instants, `html` and `pdf`
write sheets. Text is English; numbers, money and dates follow the locale.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

from ...core.errors import BillingError

#: What each format needs: the extra, and its modules with the names of their packages.
_NEEDS: Final = {
    "html": ("documents", {"jinja2": "Jinja2", "altair": "Altair", "vl_convert": "vl-convert-python"}),
    "svg": ("documents", {"altair": "Altair", "vl_convert": "vl-convert-python"}),
    "png": ("documents", {"altair": "Altair", "vl_convert": "vl-convert-python"}),
    "json": ("documents", {"altair": "Altair"}),
    "pdf": ("pdf", {"typst": "typst", "altair": "Altair", "vl_convert": "vl-convert-python"}),
}


def refuse_unless_installed(format: str) -> None:
    """Raise `BillingError` (`extra_missing`) if something that the format needs is not installed."""
    extra, modules = _NEEDS[format]
    for module, name in modules.items():
        try:
            import_module(module)
        except ImportError as error:
            raise BillingError("extra_missing", detail=name, extra=extra) from error
