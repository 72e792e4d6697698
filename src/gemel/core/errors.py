"""Errors that a user may meet. Each message says what went wrong, where, what was found and what to do next."""


class GemelError(Exception):
    """Base of all errors that gemel raises on purpose."""


class ConfigError(GemelError):
    """A setting is unknown, missing or of the wrong type."""


class DataError(GemelError):
    """Raw data or a table breaks its format."""


class ImageError(DataError):
    """An image is missing, too large or can't be decoded."""


class ImageNotFoundError(ImageError):
    """There is no such image file."""


class ArtifactError(GemelError):
    """An artifact is absent, incomplete, damaged or was built for something else."""


class ShapeError(GemelError):
    """A tensor or vector has another shape than the model expects."""


class RequestError(GemelError):
    """A post that was given for linking can't be linked as it stands."""


class BackboneError(GemelError):
    """A frozen model can't be loaded."""


class TrainingError(GemelError):
    """Training can't go on."""
