"""Fixtures of the page."""

from browser import browser
from visits import open_page, service

__all__ = ["browser", "open_page", "service"]
