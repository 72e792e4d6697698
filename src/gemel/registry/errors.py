"""Errors of the registry."""

from __future__ import annotations

from gemel.core.errors import GemelError


class RegistryError(GemelError):
    """A release can't be registered, promoted or rolled back as asked."""


class LeaseError(GemelError):
    """Somebody else holds the lease, or took it over."""
