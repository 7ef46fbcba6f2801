"""Files that are flipped, cut, or not to be read: what is damaged is not found, and no process ends of it."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lmdb
import pytest

from actors.caches.disk import shared
from actors.caches.disk.files import DATA_FILE, MAX_DATABASES
from actors.caches.errors import StoreDamaged, StoreError
from actors.caches.l4 import rows
from actors.caches.l4.manifest import ModuleManifest, content_hash
from actors.caches.l4.store import ModuleStore

COUNT = 60
SIGNATURE = b"s" * 64


def blob_of(number: int) -> bytes:
    chance = random.Random(number)
    return chance.randbytes(chance.choice((10, 1_500, 3_000, 20_000)))


def manifest_of(number: int) -> ModuleManifest:
    return ModuleManifest(
        symbol=f"module/number-{number}",
        interface_hash=f"{number % 7:064x}",
        body_hash="cd" * 32,
        parameter_types=("int",),
        return_type="int",
        language_version="2.0",
        kind="IrBinary",
        content_hash=content_hash(blob_of(number)),
        version=number + 1,
        created_at=1.0,
        description="words " * (number % 4 * 300),
        key_id="ef" * 16,
    )


RECORDS = [manifest_of(number).encode(SIGNATURE) for number in range(COUNT)]
IDS = [content_hash(record) for record in RECORDS]


def put(store: ModuleStore, number: int) -> None:
    assert store.put(manifest_of(number), SIGNATURE, blob_of(number)).id == IDS[number]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original") / "l4"
    with ModuleStore(folder, map_bytes=1 << 18) as store:
        for number in range(COUNT):
            put(store, number)
        store.used(IDS[::2], 5.0)
        store.remove(IDS[10:20])  # so that there are free pages
        for number in range(10, 20):
            put(store, number)
    return folder


@pytest.fixture
def full(original: Path, folder: Path) -> Path:
    shutil.copytree(original, folder)
    return folder


def all_right(store: ModuleStore) -> int:
    """How many modules are found, with their blobs; none may be another than it was."""
    count = 0
    listed = store.all()
    found = {module.id: module for module in listed}
    for interface in range(7):
        of_it = store.of_interface(f"{interface:064x}")
        assert [module.manifest.version for module in of_it] == sorted(
            (module.manifest.version for module in of_it), reverse=True
        )
        assert all(module.manifest.interface_hash == f"{interface:064x}" for module in of_it)
        listed += of_it
    for module in listed:
        assert (module.manifest, module.signature) == (manifest_of(IDS.index(module.id)), SIGNATURE)
    for number, id in enumerate(IDS):
        module = store.get(id)
        assert module == found.get(id)
        if module is not None:
            assert module.used_at in (None, 5.0)
            blob = store.blob(module.manifest.content_hash)
            count += blob == blob_of(number)
            assert blob is None or len(blob) == module.size
    return count


def changed(folder: Path, change: Callable[[Any, rows.Databases], object]) -> None:
    """Something is written past the store."""
    with lmdb.open(str(folder), max_dbs=MAX_DATABASES) as env:
        databases = rows.SCHEMA.open(env, create=False)
        with env.begin(write=True) as txn:
            change(txn, databases)


def patch(folder: Path, old: bytes, at: int) -> None:
    """Flip a bit of some bytes wherever they are in the file, in pages that are free, too."""
    path = folder / DATA_FILE
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, old[:at] + bytes([old[at] ^ 4]) + old[at + 1 :]))


# ---------------------------------------------------------------- flipped

#: what a process says that has found nothing wrong
RIGHT = 10


def in_a_process(work: Callable[[], int]) -> int:
    """How a process ends that does `work`: what it says; 1: it raised; below 0: LMDB ended it."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(work())
        except BaseException:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def use(folder: Path) -> int:
    """Read everything, then write: how many modules were found, from `RIGHT` on."""
    with ModuleStore(folder) as store:
        assert store.generation >= 0
        count = all_right(store)
        try:
            store.collect(1 << 40, 1.0)
            for number in range(0, COUNT, 7):
                put(store, number)
                found = store.get(IDS[number])
                assert found is not None
                assert store.blob(found.manifest.content_hash) == blob_of(number)
            store.remove(IDS[1:3])
        except StoreError:
            assert count < COUNT or store._warned
        all_right(store)
    return RIGHT + count


def flip(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def flip_structure(data: bytearray, chance: random.Random) -> None:
    """Headers of pages, and where they say that rows are."""
    page = chance.randrange(len(data) // 4096)
    data[page * 4096 + chance.randrange(64)] ^= 1 << chance.randrange(8)


def flip_the_beginning(data: bytearray, chance: random.Random) -> None:
    """The two pages that say where all others are."""
    data[chance.choice((0, 4096)) + chance.randrange(152)] ^= 1 << chance.randrange(8)


def lose_a_page(data: bytearray, chance: random.Random) -> None:
    page = chance.randrange(len(data) // 4096) * 4096
    data[page : page + 4096] = bytes(4096)


def swap_pages(data: bytearray, chance: random.Random) -> None:
    one, other = (chance.randrange(len(data) // 4096) * 4096 for _ in range(2))
    data[one : one + 4096], data[other : other + 4096] = data[other : other + 4096], data[one : one + 4096]


def cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


DAMAGES = [flip, flip_structure, flip_the_beginning, lose_a_page, swap_pages, cut]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("seeds", [range(8), pytest.param(range(8, 100), marks=pytest.mark.slow)], ids=str)
def test_whatever_is_damaged_nothing_wrong_is_found_and_no_process_ends(
    original: Path, tmp_path: Path, damage: Callable[[bytearray, random.Random], None], seeds: range
) -> None:
    found = []
    for seed in seeds:
        folder = tmp_path / str(seed)
        shutil.copytree(original, folder)
        data = bytearray((folder / DATA_FILE).read_bytes())
        damage(data, random.Random(seed))
        (folder / DATA_FILE).write_bytes(data)
        found.append(in_a_process(lambda folder=folder: use(folder)))  # type: ignore[misc]
        shutil.rmtree(folder)
    assert [count for count in found if not RIGHT <= count <= RIGHT + COUNT] == []
    assert min(found) < RIGHT + COUNT  # some of it is found


def test_what_is_whole_is_found(full: Path) -> None:
    assert in_a_process(lambda: use(full)) == RIGHT + COUNT


def test_a_damaged_record_is_not_there_told_once_and_mended_by_putting_it_again(
    full: Path, caplog: pytest.LogCaptureFixture
) -> None:
    patch(full, RECORDS[8][:40], 30)
    with ModuleStore(full) as store:
        assert store.get(IDS[8]) is None
        assert all_right(store) == COUNT - 1
        assert all_right(store) == COUNT - 1
        (record,) = caplog.records
        assert record.message == f"the module {IDS[8]} in `{full}` is damaged; it is not used"
        put(store, 8)
        assert all_right(store) == COUNT


def test_a_damaged_blob_is_given_as_it_is_and_mended_by_putting_it_again(full: Path) -> None:
    patch(full, blob_of(3)[:40], 5)
    with ModuleStore(full) as store:
        found = store.blob(manifest_of(3).content_hash)
        assert found is not None
        assert found != blob_of(3)
        assert all_right(store) == COUNT - 1
        before = store.generation
        put(store, 3)
        assert all_right(store) == COUNT
        assert store.generation != before


@pytest.mark.parametrize("row", [b"", b"short", bytes(12), bytes(11) + b"\x01" + bytes(40)])
def test_a_blob_whose_length_cannot_be_believed_is_not_there(full: Path, row: bytes) -> None:
    content = manifest_of(3).content_hash
    changed(full, lambda txn, dbs: txn.put(bytes.fromhex(content), row, db=dbs.blobs))
    with ModuleStore(full) as store:
        assert store.blob(content) is None
        found = store.get(IDS[3])
        assert found is not None
        assert found.size == 0
        put(store, 3)
        assert store.blob(content) == blob_of(3)


def test_records_that_changed_places_are_not_there(full: Path) -> None:
    def swap(txn: Any, dbs: rows.Databases) -> None:
        txn.put(bytes.fromhex(IDS[5]), RECORDS[6], db=dbs.records)
        txn.put(bytes.fromhex(IDS[6]), RECORDS[5], db=dbs.records)

    changed(full, swap)
    with ModuleStore(full) as store:
        assert all_right(store) == COUNT - 2


def test_an_index_that_lies_is_not_believed(full: Path) -> None:
    """A module is not found under an interface that is not its own."""
    other = "ee" * 32

    def lie(txn: Any, dbs: rows.Databases) -> None:
        for id in (IDS[5], "77" * 32):
            txn.put(bytes.fromhex(other) + bytes(8) + bytes.fromhex(id), b"", db=dbs.by_interface)
        txn.put(bytes.fromhex(other) + b"x", b"", db=dbs.by_interface)
        txn.put(bytes.fromhex(manifest_of(3).content_hash + IDS[5]), b"", db=dbs.by_content)

    changed(full, lie)
    with ModuleStore(full) as store:
        assert store.of_interface(other) == ()
        store.remove([IDS[3]])
        assert store.blob(manifest_of(3).content_hash) is None


def test_an_index_that_lacks_a_module_has_it_again_when_it_is_put(full: Path) -> None:
    key = rows.interface_key(manifest_of(5), bytes.fromhex(IDS[5]))
    changed(full, lambda txn, dbs: txn.delete(key, db=dbs.by_interface))
    with ModuleStore(full) as store:
        assert IDS[5] not in {module.id for module in store.of_interface(manifest_of(5).interface_hash)}
        put(store, 5)
        assert IDS[5] in {module.id for module in store.of_interface(manifest_of(5).interface_hash)}


@pytest.mark.parametrize("row", [b"", b"x" * 12, b"\xff" * 12])
def test_notes_that_are_damaged_say_nothing(full: Path, row: bytes) -> None:
    def damage(txn: Any, dbs: rows.Databases) -> None:
        txn.put(b"state", row, db=dbs.meta)
        txn.put(bytes.fromhex(IDS[0]), row, db=dbs.uses)

    changed(full, damage)
    with ModuleStore(full) as store:
        found = store.get(IDS[0])
        assert found is not None
        assert found.used_at is None
        before = store.generation
        store.remove([IDS[1]])
        assert store.generation != before
        assert store.generation == store.generation


# ---------------------------------------------------------------- cut, or not to be read


@pytest.mark.parametrize("left", [8_192, 30_000, 0.5, 0.9])
def test_a_file_that_was_cut_is_not_read_and_not_written(
    full: Path, left: float, caplog: pytest.LogCaptureFixture
) -> None:
    path = full / DATA_FILE
    data = path.read_bytes()
    path.write_bytes(data[: int(left if left > 1 else left * len(data))])
    before = path.read_bytes()
    with ModuleStore(full) as store:
        assert all_right(store) == 0
        assert store.generation == 0
        assert len(caplog.records) == 1
        with pytest.raises(StoreDamaged, match="is damaged"):
            put(store, 1)
        with pytest.raises(StoreDamaged):
            store.collect(0, 1.0)
        assert path.read_bytes() == before
        path.write_bytes(data)  # from where it was kept
        assert all_right(store) == COUNT


def test_a_blob_whose_end_was_cut_off_is_the_only_one_that_is_lost(full: Path) -> None:
    def use_it() -> int:
        with ModuleStore(full) as store:
            found = all_right(store)
            for number in range(COUNT):
                put(store, number)
            assert all_right(store) == COUNT
            return RIGHT + found

    with ModuleStore(full) as store:
        last = max(range(COUNT), key=lambda number: (full / DATA_FILE).read_bytes().find(blob_of(number)))
        assert store.get(IDS[last]) is not None
    data = (full / DATA_FILE).read_bytes()
    end = data.find(blob_of(last)) + len(blob_of(last))
    assert len(data) - end < 4096  # nothing is behind it
    os.truncate(full / DATA_FILE, end - 5_000)
    assert in_a_process(use_it) == RIGHT + COUNT - 1


@pytest.mark.parametrize("left", [0, 100, 4_096, 8_191])
def test_a_file_that_can_hold_nothing_is_none(full: Path, left: int) -> None:
    """Whoever is killed when it is made leaves such a one."""
    os.truncate(full / DATA_FILE, left)
    with ModuleStore(full) as store:
        assert all_right(store) == 0
        put(store, 1)
        assert all_right(store) == 1


def test_a_file_that_is_cut_while_it_is_open_is_not_read(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "FOLLOW_S", 0.0)
    with ModuleStore(full) as store:
        assert all_right(store) == COUNT
        data = (full / DATA_FILE).read_bytes()
        os.truncate(full / DATA_FILE, 20_000)
        assert all_right(store) == 0
        with pytest.raises(StoreDamaged):
            put(store, 1)
        (full / DATA_FILE).write_bytes(data)
        assert all_right(store) == COUNT


def test_a_damaged_file_is_not_walked_again_and_again(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walks = []
    monkeypatch.setattr(shared, "check_file", lambda *_, **__: walks.append(1) or fail())  # type: ignore[func-returns-value]

    def fail() -> None:
        raise StoreDamaged("it is damaged")

    with ModuleStore(full) as store:
        assert [store.get(id) for id in IDS] == [None] * COUNT
        assert len(walks) == 1
        os.utime(full / DATA_FILE)  # it has changed
        assert store.all() == []
        assert len(walks) == 2


def test_a_folder_that_others_own_is_empty_and_told(full: Path, caplog: pytest.LogCaptureFixture) -> None:
    def use_it() -> int:
        os.chdir(full.parent)
        full.parent.chmod(0o755)
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(65_534)
            os.setuid(65_534)
        else:
            full.chmod(0)
        with ModuleStore(Path(full.name)) as store:
            assert (store.all(), store.generation, store.get(IDS[0])) == ([], 0, None)
            assert len(caplog.records) == 1
            with pytest.raises(StoreError, match="Permission denied"):
                put(store, 0)
        return RIGHT

    full.chmod(0o700)
    assert in_a_process(use_it) == RIGHT
    full.chmod(0o700)
