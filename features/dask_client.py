"""How to reach Dask workers. Dask is imported when a client is asked for."""

import logging
from typing import Any

from features.errors import InputError


def connect(address: str) -> Any:
    """Connect to a scheduler, or start worker processes on this machine.

    Parameters
    ----------
    address : str
        `tcp://HOST:PORT` of a scheduler, or `local:N` for N processes.

    Returns
    -------
    distributed.Client
        Closes its local workers, if it has any, when it is closed.

    Raises
    ------
    InputError
        Dask is absent, the address is malformed or nothing answers there.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError(
            f"--dask needs Dask ({error}); install it with `pip install -e '.[dask]'`"
        ) from error
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
            f"no Dask scheduler at {address!r} ({error}); give tcp://HOST:PORT or local:N"
        ) from error
