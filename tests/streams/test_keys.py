"""The published test vectors of partitioning, which producers in other languages check against."""

import json
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.keys import SLICES, partition_of, slice_of

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "partitions.json").read_text())


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: ascii(vector["key"]))
def test_the_published_vectors_hold(vector):
    assert slice_of(vector["key"]) == vector["slice"]
    for partitions in (7, 8, 16):
        assert partition_of(vector["key"], partitions) == vector[f"partition_of_{partitions}"]


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, SLICES))
def test_every_key_has_a_partition_and_all_keys_of_a_slice_have_the_same(key, partitions):
    assert slice_of(key) == crc32(key.encode("utf-8")) % 1024
    assert partition_of(key, partitions) == slice_of(key) * partitions // 1024 < partitions


def test_every_partition_owns_a_slice():
    for partitions in (1, 2, 3, 7, 8, 16, 64, 1024):
        assert {slice * partitions // SLICES for slice in range(SLICES)} == set(range(partitions))
