from . import bills, comparison, credits, event_diff, forecast, invoicing, layout, reconciliation

__all__ = ["bills", "comparison", "credits", "event_diff", "forecast", "invoicing", "layout", "reconciliation"]
