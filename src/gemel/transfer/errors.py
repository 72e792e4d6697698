"""What goes wrong on the way, in a sentence each."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator

from gemel.core.errors import GemelError

# Drivers let the errors of their network libraries through, which have no base of their own: they are told by names.
_CREDENTIALS = {
    "NoCredentialsError",
    "PartialCredentialsError",
    "CredentialRetrievalError",
    "ProfileNotFound",
    "LocalTokenNotFoundError",
}
_NETWORK = {
    "ConnectionError",
    "ConnectError",
    "HTTPClientError",
    "OfflineModeIsEnabled",
    "TimeoutError",
    "TimeoutException",
}
_REPOSITORY = {"RepositoryNotFoundError", "HFValidationError", "RevisionNotFoundError"}
_DENIED = (401, 403)


class TransferError(GemelError):
    """A release can't be brought to or from a place."""


@contextlib.contextmanager
def in_words(where: str) -> Iterator[None]:
    """Turn whatever a file system or a client raises into a TransferError that says what to do. where: the place."""
    try:
        yield
    except GemelError:
        raise
    except Exception as error:
        first = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise TransferError(f"{where}: {_words(error)} ({first})") from error


def _words(error: Exception) -> str:
    names = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, ImportError):
        return "no driver for this kind of place; for S3 run `pip install 'gemel[s3]'`"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; free some space and run the same command again"
    if names & _CREDENTIALS:
        return (
            "no credentials; for S3 set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, for the hub run "
            "`hf auth login`"
        )
    if names & _REPOSITORY:
        return "no such repository or revision, or a private one; check the name, or run `hf auth login`"
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, PermissionError) or status in _DENIED:
        return "access denied; check who owns the place, and that your credentials may read and write there"
    if isinstance(error, OSError) and error.errno == errno.EROFS:
        return "not writable; choose another place"
    if names & _NETWORK:
        return "can't be reached; check the address and the network, then run the same command again"
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return "no such folder or bucket; make it first, or correct the address"
    return f"refused with {type(error).__name__}; mend that and run the same command again"
