"""Connect to Dask workers. Dask is an extra, and is imported when a connection is made."""

import logging
from typing import Any

from features.errors import InputError, needs_extra, plain_words


def connect(address: str) -> Any:
    """Connect to a scheduler, or start worker processes on this machine.

    Parameters
    ----------
    address : str
        `tcp://HOST:PORT` of a scheduler, or `local:N` for N processes.

    Returns
    -------
    distributed.Client
        Closing it also stops its local workers, if it has any.

    Raises
    ------
    InputError
        Dask is not installed, the address is malformed, or no scheduler answers there.
    """
    with needs_extra("dask", "--dask"):
        from distributed import Client
    try:
        if not address.startswith("local:"):
            return Client(address, timeout="20s", set_as_default=False)
        return Client(
            n_workers=int(address.removeprefix("local:")),
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",  # any free port: 8787 may be taken
            silence_logs=logging.ERROR,
            set_as_default=False,
        )
    except (OSError, ValueError, RuntimeError, TimeoutError) as error:
        raise InputError(
            f"No Dask scheduler at {address!r} ({plain_words(error)}). Give tcp://HOST:PORT or "
            "local:N."
        ) from error
