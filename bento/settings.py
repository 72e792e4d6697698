"""What an operator may set: by a file that GEMEL_SERVICE_CONFIG names, or by variables GEMEL_SERVICE_…, which win."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import yaml
from pydantic import ByteSize, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    YamlConfigSettingsSource,
)

from gemel.core.errors import ConfigError

PREFIX = "GEMEL_SERVICE_"
FILE_VARIABLE = f"{PREFIX}CONFIG"
MIB = 1024 * 1024


class ServiceSettings(BaseSettings):
    """Settings of the service. Relative folders start from the project's root.

    token: callers must send it as `Authorization: Bearer …`; None: none is asked for.

    max_body: bytes of a request; max_held: of all that are answered at a time. max_image, max_pixels: of an image.
    max_text, max_mention: characters. max_mentions: of a post. max_posts, max_batch_mentions: of a batch.
    max_candidates: ids that a mention may be chosen among. max_top_k: candidates in an answer. upload_seconds: for a
    body to arrive. answer_seconds: from then to the answer.

    max_inside: mentions that are linked or wait for it; what comes beyond is refused at once. batch_mentions: linked
    together. kept_prompts: bytes of prompts of frequent mentions that are kept read.

    image_hosts: hosts that images may be fetched from; none: no address is ever fetched.

    feedback: off, keep it, or let it act at once as a demonstration too. max_feedback: bytes of all of it.
    records: off; what was asked and answered as numbers; or with texts. record_rows, record_seconds: after which a file
    is written. max_records: bytes of all files; the oldest go. log_content: whether the log may say what a user wrote.

    look_seconds: between looks for another release.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    token: SecretStr | None = Field(default=None, min_length=16)

    max_body: ByteSize = Field(default=ByteSize(20 * MIB), gt=0)
    max_held: ByteSize = Field(default=ByteSize(512 * MIB), gt=0)
    max_image: ByteSize = Field(default=ByteSize(10 * MIB), gt=0)
    max_pixels: int = Field(default=25_000_000, gt=0)
    max_text: int = Field(default=4_000, gt=0)
    max_mention: int = Field(default=200, gt=0)
    max_mentions: int = Field(default=32, gt=0)
    max_posts: int = Field(default=64, gt=0)
    max_batch_mentions: int = Field(default=128, gt=0)
    max_candidates: int = Field(default=1_000, gt=0)
    max_top_k: int = Field(default=5, gt=0)
    upload_seconds: float = Field(default=20.0, gt=0)
    answer_seconds: float = Field(default=60.0, gt=0)

    max_inside: int = Field(default=256, gt=0)
    batch_mentions: int = Field(default=32, gt=0)
    kept_prompts: ByteSize = ByteSize(256 * MIB)

    image_hosts: tuple[str, ...] = ()

    feedback: Literal["off", "keep", "act"] = "keep"
    feedback_folder: Path = Path(".gemel/feedback")
    max_feedback: ByteSize = Field(default=ByteSize(1024 * MIB), gt=0)
    records: Literal["off", "numbers", "texts"] = "off"
    records_folder: Path = Path(".gemel/records")
    record_rows: int = Field(default=1_000, gt=0)
    record_seconds: float = Field(default=60.0, gt=0)
    max_records: ByteSize = Field(default=ByteSize(1024 * MIB), gt=0)
    log_content: bool = False

    look_seconds: float = Field(default=2.0, gt=0)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (overrides)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (overrides)
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the file."""
        named = os.environ.get(FILE_VARIABLE)
        file = (YamlConfigSettingsSource(settings_cls, named),) if named else ()
        return (init_settings, env_settings, *file)


def read_settings() -> ServiceSettings:
    """The settings in force.

    Raises: ConfigError if the file is absent or no YAML, or a setting is unknown or has a value that can't be used.
    """
    named = os.environ.get(FILE_VARIABLE)
    if named and not Path(named).is_file():
        raise ConfigError(f"{named}: no such file, though {FILE_VARIABLE} names it; correct or unset it")
    unknown = [name for name in os.environ if name.startswith(PREFIX) and name != FILE_VARIABLE]
    for name in unknown:
        if name.removeprefix(PREFIX).lower() not in ServiceSettings.model_fields:
            known = ", ".join(f"{PREFIX}{field.upper()}" for field in ServiceSettings.model_fields)
            raise ConfigError(f"{name}: no such setting; known are {known}")
    try:
        return ServiceSettings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or named
        # A token that is refused must not stand in a log.
        got = "" if where == "token" else f", got {first.get('input')!r}"
        raise ConfigError(f"setting {where} of the service: {first['msg']}{got}") from None
    except (SettingsError, yaml.YAMLError, TypeError, ValueError) as error:
        raise ConfigError(f"{named or 'the environment'}: not readable as settings of the service ({error})") from None
