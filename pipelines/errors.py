"""Every error that chargelake raises on purpose, as one tree.

An error's text says what was expected, what came, and what to do. It never holds a secret or a
person's data. Does not belong here: errors of bugs; those keep their traceback.
"""

from __future__ import annotations


class ChargelakeError(Exception):
    """The root. Anything that the command turns into one line and exit code 1."""


class ConfigurationError(ChargelakeError):
    """A setting is missing or wrong. Found before the first request. Exit code 2."""


class ApiError(ChargelakeError):
    """A request could not be answered."""


class CredentialsRefused(ApiError):
    """The token endpoint or the API refuses who we are (400/401 at the token URL, 401/403 at the API)."""


class NotPermitted(CredentialsRefused):
    """403: we are known, but may not read this. Other things may still be read."""


class ApiUnavailable(ApiError):
    """No good answer within the bound of retries: refused, timed out, reset, 429, 5xx, or a broken body."""


class HostUnreachable(ApiUnavailable):
    """Not even a connection: no other request to that host is worth a try."""


class UnexpectedAnswer(ApiError):
    """An answer that the contract does not allow and that a retry does not mend (400, a wrong shape)."""


class LakeError(ChargelakeError):
    """The lake could not be read or written: disk full, read-only, a missing or damaged file."""


class WarehouseError(ChargelakeError):
    """The models could not be built or published."""
