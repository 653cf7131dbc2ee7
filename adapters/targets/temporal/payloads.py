"""Values of a command as payloads of Temporal, and back, by the target's data converter, which may be anybody's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError

LARGEST: Final = 2 * 1024 * 1024
"""Bytes of arguments: what a server takes at most. Of 3 MB it says so; of 5 its answer looks as if it were busy."""
MOST_CAUSES: Final = 10


class ConverterError(Exception):
    pass


class TooLargeError(Exception):
    pass


async def encode(converter: DataConverter, what: str, values: Sequence[Any]) -> Payloads:
    """Raises ConverterError, TooLargeError."""
    if not values:
        return Payloads()
    try:
        found = Payloads(payloads=await converter.encode(values))
    except Exception as error:
        raise ConverterError(f"the data converter cannot encode {what}: {type(error).__name__}: {error}") from error
    if (size := found.ByteSize()) > LARGEST:
        raise TooLargeError(f"{what} have {size:,} bytes when they are encoded, more than the {LARGEST:,} of a server")
    return found


async def decode(converter: DataConverter, payloads: Sequence[Payload]) -> Any:
    """The one value, None for none, a list of several. Raises ConverterError."""
    try:
        values = await converter.decode(payloads) if payloads else []
    except Exception as error:
        raise ConverterError(f"the data converter cannot decode the result: {type(error).__name__}: {error}") from error
    return values[0] if len(values) == 1 else values or None


async def explain(converter: DataConverter, failure: Failure) -> str:
    """What failed and why, the causes last. Raises ConverterError."""
    try:
        error: BaseException | None = await converter.decode_failure(failure)
    except Exception as failed:
        raise ConverterError(
            f"the data converter cannot decode the failure: {type(failed).__name__}: {failed}"
        ) from failed
    said: list[str] = []
    while error is not None and len(said) < MOST_CAUSES:
        kind = error.type if isinstance(error, ApplicationError) else None
        text = error.message if isinstance(error, ApplicationError) else str(error)
        said.append(f"{kind}: {text}" if kind else text)
        error = error.__cause__
    return "; because of ".join(said)
