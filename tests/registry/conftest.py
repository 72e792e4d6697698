"""Fixtures of the registry."""

from pathlib import Path

import pytest
from checkouts import Checkout, make_checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A repository without a release."""
    return make_checkout(tmp_path / "checkout")


@pytest.fixture
def promoted(checkout: Checkout) -> Checkout:
    """A repository whose versions v1.0.0 and v1.1.0 were promoted, one after the other."""
    for content in ("one", "two"):
        checkout.registry.promote(checkout.register(content), why=f"better: {content}")
    return checkout
