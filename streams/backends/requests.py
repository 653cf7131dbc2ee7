"""Checks of what callers hand to a log, the same for every backend and made before anything is stored."""

from __future__ import annotations

from operator import ge

from streams.log import Append, Commit, role_of


def check_sequences(request: Append) -> None:
    """Raises ValueError unless a producer's events each have a sequence from 0 on, strictly increasing."""
    if not request.producer:
        if request.sequences:
            raise ValueError("an append with sequences needs the producer that counts them")
        return
    sequences = request.sequences
    if len(sequences) != len(request.events):
        raise ValueError(
            f"producer `{request.producer}` sent {len(request.events)} events and {len(sequences)} sequences: "
            "each event needs one"
        )
    if sequences and (sequences[0] < 0 or any(map(ge, sequences, sequences[1:]))):
        raise ValueError(
            f"the sequences of producer `{request.producer}` must not be negative and must strictly increase"
        )


def check_commit(commit: Commit) -> None:
    """Raises ValueError for a commit that does not move its position, or is made in another role."""
    if commit.lease.role != role_of(commit.processor):
        raise ValueError(
            f"`{commit.processor}` commits as {role_of(commit.processor)}, and this lease is for {commit.lease.role}"
        )
    if commit.start < 0 or commit.end <= commit.start:
        raise ValueError(f"a commit moves a position forwards, not from {commit.start} to {commit.end}")
