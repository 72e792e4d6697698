"""Fixtures of the pages."""

from browser import browser

__all__ = ["browser"]
