"""What people see on a terminal: tables, curves and stories, a module for each subject, imported when first used."""

import lazy_loader

# rich takes longer to import than a small invoice takes to print as JSON.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
