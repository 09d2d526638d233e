"""Ids: sortable, unlike each other, and a UUID to whoever takes them for one."""

import os
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from fairlead.ids import STOCK, new_id, new_trace


def test_an_id_is_a_uuid_of_version_7() -> None:
    made = [uuid.UUID(new_id()) for _ in range(100)]
    assert {(one.version, one.variant) for one in made} == {(7, uuid.RFC_4122)}


def test_ids_sort_by_the_time_that_they_are_made_for() -> None:
    assert new_id(1_000_000) < new_id(2_000_000) < new_id(3_000_000)


def test_no_two_are_alike_whichever_thread_makes_them() -> None:
    with ThreadPoolExecutor(8) as threads:
        made = [one for many in threads.map(lambda _: [new_id(1) for _ in range(3 * STOCK)], range(8)) for one in many]
    assert len(set(made)) == len(made) == 24 * STOCK


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_makes_others_than_its_parent() -> None:
    new_id()
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.write(writing, new_id(1).encode())
        os._exit(0)
    os.wait()
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        assert told.read().decode() not in {new_id(1) for _ in range(2 * STOCK)}


def test_a_trace_has_its_span() -> None:
    trace, span = new_trace()
    assert (len(trace), len(span)) == (32, 16)
    int(trace + span, 16)
