"""Keys that sort by time and repeat never."""

import os
import re
import uuid
from concurrent.futures import ThreadPoolExecutor

from lib.ids import public_id, uuid7


def test_keys_are_of_version_7_and_sort_by_time() -> None:
    keys = [uuid7() for _ in range(1000)]
    assert {(key.version, key.variant) for key in keys} == {(7, uuid.RFC_4122)}
    milliseconds = [key.int >> 80 for key in keys]
    assert milliseconds == sorted(milliseconds)


def test_keys_are_all_different_in_all_threads() -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = [key for made in pool.map(lambda _: [uuid7() for _ in range(2000)], range(8)) for key in made]
    assert len(set(keys)) == 16_000


def test_a_child_process_makes_other_keys_than_its_parent() -> None:
    uuid7()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, (uuid7().int & ((1 << 62) - 1)).to_bytes(8))
        os._exit(0)
    os.waitpid(child, 0)
    assert int.from_bytes(os.read(reader, 8)) != uuid7().int & ((1 << 62) - 1)


def test_public_ids_are_opaque() -> None:
    assert re.fullmatch(r"[\w-]{22}", public_id())
