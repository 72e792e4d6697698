"""The frozen LLM that the mapper is trained through."""

import pytest

from gemel.core.settings import BackboneSettings
from gemel.llm.backbone import FrozenLLM
from gemel.llm.loading import load_llm


@pytest.fixture(scope="session")
def llm(tiny_backbones: BackboneSettings) -> FrozenLLM:
    return load_llm(tiny_backbones.llm)
