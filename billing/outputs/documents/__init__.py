"""Documents as people get them: invoices, notes and statements as a page and as PDF.

`sheet` is what a document shows, whatever it is written on; `document`, `statement` and `charted` make
sheets, `curve` puts a cycle into a picture and into words, `display` writes numbers and instants as
people of a place read them, `html` and `pdf` write sheets.
Texts are English; numbers, money and dates follow the locale.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

from ...core.errors import BillingError

#: What each way of writing needs: the extra, and its modules with the names people know.
_NEEDS: Final = {
    "html": ("documents", {"jinja2": "Jinja2", "altair": "Altair", "vl_convert": "vl-convert-python"}),
    "svg": ("documents", {"altair": "Altair", "vl_convert": "vl-convert-python"}),
    "png": ("documents", {"altair": "Altair", "vl_convert": "vl-convert-python"}),
    "json": ("documents", {"altair": "Altair"}),
    "pdf": ("pdf", {"typst": "typst", "altair": "Altair", "vl_convert": "vl-convert-python"}),
}


def refuse_unless_installed(format: str) -> None:
    """Raise `BillingError` (`extra_missing`) where a way of writing lacks what it needs."""
    extra, modules = _NEEDS[format]
    for module, name in modules.items():
        try:
            import_module(module)
        except ImportError as error:
            raise BillingError("extra_missing", detail=name, extra=extra) from error
