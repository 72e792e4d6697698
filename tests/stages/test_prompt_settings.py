"""The settings of the prompt reach every stage that builds one."""

from pathlib import Path
from types import ModuleType
from unittest.mock import Mock

import pytest

from gemel.stages import answerers, baselines, evaluation, mapper
from stages.project_changes import set_param


@pytest.mark.parametrize(
    ("stage", "where"),
    [(mapper, mapper), (evaluation, answerers), (baselines, answerers)],
    ids=lambda module: module.__name__,
)
def test_names_of_demonstrations_are_encoded_as_the_settings_say(
    project_copy: Path, monkeypatch: pytest.MonkeyPatch, stage: ModuleType, where: ModuleType
) -> None:
    book = Mock(side_effect=InterruptedError)
    monkeypatch.setattr(where, "DemonstrationBook", book)
    set_param(project_copy, "prompt.names", "in_segment")
    with pytest.raises(InterruptedError):
        stage.main()
    assert book.call_args.args[2] == "in_segment"
