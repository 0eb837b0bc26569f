"""What goes wrong between here and a server, sorted by what can be done about it."""

from collections.abc import Iterator

from features.errors import InputError
from features.sources.base import Fault

_GONE = (404, 410)
_CLOSED = (401, 403)
_LATER = (408, 425, 429)  # beside 500 and more, what may work at another time
_SLOW = ("TimeoutError", "FSTimeoutError")
_BROKEN_OFF = ("ClientPayloadError", "ServerDisconnectedError", "ConnectionResetError",
               "IncompleteReadError", "ClientOSError")  # fmt: skip
_UNREACHABLE = ("ClientConnectorError", "gaierror", "ConnectionRefusedError")


class NetworkFault(Fault):
    """A file on a server that can't be had.

    Parameters
    ----------
    place : object
        Its address.
    reason : str
        As for `Fault`.
    text : str
        What happened, in words.
    **facts
        As for `Fault`.
    """

    def __init__(self, place: object, reason: str, text: str, **facts: object):
        super().__init__(reason, **facts)
        self.place, self.text = place, text

    def as_error(self) -> InputError:
        """Say it in one line."""
        return InputError(f"{self.place} can't be read: {self.text}. Run again when it can.")


class Lost(InputError):
    """No server answers, or it refuses everything: no file of it can be had."""


def sorted_error(place: object, error: BaseException) -> NetworkFault | Lost:
    """Give what an error of fsspec, or of what it uses, means.

    What can differ from picture to picture is a `NetworkFault`, and everything else `Lost`.
    """
    chain = list(_chain(error))
    status = next((s for one in chain if (s := _status(one)) is not None), None)
    if status in _GONE:
        return NetworkFault(place, "MISSING", "there is no such file")
    if status in _CLOSED:
        return NetworkFault(place, "FORBIDDEN", f"no permission (status {status})")
    if status is not None and status >= 400:
        text = f"the server answers with status {status}"
        return NetworkFault(place, "SERVER", text, code=status)
    names = {cls.__name__ for one in chain for cls in type(one).__mro__}
    if names.intersection(_UNREACHABLE):
        return Lost(f"{place}: the server can't be reached. {_REMEDY}")
    if names.intersection(_SLOW):
        return NetworkFault(place, "SLOW", "the server did not answer in time")
    if names.intersection(_BROKEN_OFF):
        return NetworkFault(place, "BROKEN_OFF", "the connection ended before the file did")
    if isinstance(error, FileNotFoundError):
        cause = error.__cause__ or error.__context__
        if isinstance(cause, ValueError):  # the host or the port can't be one
            return Lost(f"{place} is no address ({cause}). Write it as https://host/path.")
        return NetworkFault(place, "MISSING", "there is no such file")
    if isinstance(error, PermissionError):
        return NetworkFault(place, "FORBIDDEN", "no permission")
    words = " ".join(str(chain[-1]).split())[:200] or type(chain[-1]).__name__
    return Lost(f"{place} can't be read: {words}. {_REMEDY}")


_REMEDY = "What is finished is kept; see to address, network and credentials, and run again."


def may_pass(fault: Exception) -> bool:
    """Tell whether another try is worth its time."""
    if isinstance(fault, NetworkFault):
        code = fault.facts.get("code")
        later = not isinstance(code, int) or code >= 500 or code in _LATER
        return fault.reason in ("SERVER", "SLOW", "BROKEN_OFF") and later
    return isinstance(fault, Lost) and "can't be reached" in str(fault)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__


def _status(error: BaseException) -> int | None:
    """Find the status of HTTP that aiohttp, requests or botocore keep in an error."""
    status = getattr(error, "status", None)
    if status is None:
        status = getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None
