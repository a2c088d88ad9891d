from __future__ import annotations

import os
from pathlib import Path

import pytest

from cache.file_signature import ReadAt
from cache.files import MOST_OF_ONE, WITNESS, BadFile, Changed, Files
from cache.labels import BadLabel, tag_of
from tests.cache.contract import START, Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def files(root: Path, clock: Clock) -> Files:
    return Files(clock, [root])


def write(path: Path, text: str = "one", at: float = START - 1000) -> str:
    path.write_text(text)
    os.utime(path, (at, at))
    return f"file:{path}"


# -- which files ---------------------------------------------------------------------------------------------------


def test_a_file_has_the_label_of_its_path(files: Files, root: Path) -> None:
    label = write(root / "a b;c=é.txt")
    assert files.labels(f"{root}/a b;c=é.txt") == (label,)
    assert files.labels(f"/{root}//./a b;c=é.txt") == (label,)
    assert files.labels("a b;c=é.txt", root) == (label,)
    assert files.labels(f"{root}/missing/too") == (f"file:{root}/missing/too",)


def test_a_link_has_the_label_of_what_it_leads_to_as_well(files: Files, root: Path) -> None:
    label = write(root / "a")
    (root / "link").symlink_to("a")
    (root / "other").symlink_to(root)
    assert files.labels(f"{root}/link") == (f"file:{root}/link", label)
    assert files.labels(f"{root}/other/a") == (f"file:{root}/other/a", label)


@pytest.mark.parametrize(
    "path",
    [
        *("", "a", "../root/a", "{root}/../root/a", "{root}/a\0", "{root}/a\n", "\ud800", "/" + "x" * 5000),
        *(
            "{root}",
            "{root}/",
            "{root}/directory",
            "{root}/fifo",
            "{root}x/a",
            "/etc/passwd",
            "{root}/out",
            "{root}/o/x",
        ),
    ],
)
def test_what_is_no_file_below_the_directories_is_refused(files: Files, root: Path, path: str) -> None:
    (root / "directory").mkdir()
    os.mkfifo(root / "fifo")
    (root / "out").symlink_to("/etc/passwd")
    (root / "o").symlink_to(root.parent)
    with pytest.raises(BadFile):
        files.labels(path.replace("{root}", str(root)))


def test_without_directories_there_is_no_file_or_any(clock: Clock, root: Path) -> None:
    label = write(root / "a")
    with pytest.raises(BadFile, match="are configured"):
        Files(clock, []).labels(label[5:])
    assert Files(clock, None).labels(label[5:]) == Files(clock, ["/"]).labels(label[5:]) == (label,)
    (root.parent / "link").symlink_to(root)
    assert Files(clock, [root.parent / "link"]).labels(label[5:]) == (label,)


def test_labels_as_somebody_writes_them(files: Files, root: Path) -> None:
    label = write(root / "a")
    assert files.named(["x", "file:a", label, "entry:00"], root) == ("x", label, "entry:00")
    with pytest.raises(BadFile):
        files.named(["file:@1.2.3.@/x"])
    with pytest.raises(BadLabel):
        files.named([f"t{n}" for n in range(65)])


# -- whether they have changed -------------------------------------------------------------------------------------


def test_an_entry_is_fresh_while_its_files_are_what_they_were(files: Files, root: Path, clock: Clock) -> None:
    label, other = write(root / "a"), f"file:{root}/not there"
    labels = files.witnessed(["tag", label, other])
    assert labels[:3] == ("tag", label, other)
    assert [each.startswith(WITNESS) for each in labels] == [False, False, False, True, True]
    again = Files(clock, [root])
    for each in (files, again):
        assert each.fresh(labels)
        assert each.witnessed(labels) == labels
        assert set(each.paths) == {label[5:], other[5:]}
    write(root / "a", "two", START - 999)
    assert not files.fresh(labels)
    assert not again.fresh(labels)
    with pytest.raises(Changed) as changed:
        files.witnessed(labels)
    assert changed.value.labels == (label,)
    newer = files.witnessed(["tag", label, other])
    assert newer != labels
    assert files.fresh(newer)
    (root / "not there").write_text("")
    assert not files.fresh(newer)
    (root / "not there").unlink()
    (root / "a").unlink()
    assert not files.fresh(newer)


def test_a_file_without_a_witness_is_not_fresh(files: Files, root: Path) -> None:
    label, other = write(root / "a"), write(root / "b")
    witness = files.witnessed([label])[1]
    assert files.fresh(["tag", "entry:00"])
    assert files.fresh([witness])
    assert not files.fresh([label])
    assert not files.fresh([label, other, witness])
    for damaged in (WITNESS, witness + "x", WITNESS + "1.2.3.f@/x", WITNESS + "1.2.3.@x", WITNESS + "-.2.3.@/x"):
        assert not files.fresh([damaged])
        with pytest.raises(BadLabel):
            tag_of(damaged)


def test_who_depends_on_an_entry_carries_its_witness(files: Files, root: Path) -> None:
    label = write(root / "a")
    carried = files.witnessed([label])
    write(root / "a", "longer")
    with pytest.raises(Changed):
        files.witnessed(["mine", *carried])


def test_a_file_that_changed_since_it_was_read_is_noticed(files: Files, root: Path) -> None:
    label = write(root / "a")
    told = ReadAt(os.stat(root / "a").st_mtime_ns, 3)
    assert files.witnessed([label], {label: told, "file:/other": ReadAt(1)})
    write(root / "a", "two", START)
    with pytest.raises(Changed):
        files.witnessed([label], {label: told})
    assert files.witnessed([label])


def test_a_file_that_is_written_twice_within_a_step_of_the_clock_is_noticed(
    files: Files, root: Path, clock: Clock
) -> None:
    label = write(root / "a", "one", START)
    labels = files.witnessed([label])
    assert files.fresh(labels)
    write(root / "a", "two", START)
    assert not files.fresh(labels)
    assert files.moved([label[5:]])
    write(root / "a", "one", START)
    clock.tick(5)
    assert files.witnessed(labels) == labels, "one witness is enough"
    assert files.fresh(labels)
    assert not files.moved([label[5:]])
    write(root / "a", "six", START)  # so late it has another time, if it is a clock's
    assert files.fresh(labels), "the content is read once after that"
    assert not files.moved([label[5:]])


def test_an_entry_depends_on_so_many_files(files: Files, root: Path) -> None:
    labels = [write(root / str(n)) for n in range(MOST_OF_ONE + 1)]
    assert len(files.witnessed(labels[1:])) == 2 * MOST_OF_ONE
    with pytest.raises(BadFile, match="16 files"):
        files.witnessed(labels)
    with pytest.raises(BadLabel):
        files.witnessed([*labels[1:], *[f"t{n}" for n in range(40)]])


# -- for the watcher -----------------------------------------------------------------------------------------------


def test_what_has_moved_is_told_until_it_is_forgotten(files: Files, root: Path) -> None:
    came: list[str] = []
    files.told = came.append
    label = write(root / "a")
    files.witnessed([label])
    files.witnessed([label])
    path = label[5:]
    assert came == [path]
    assert files.moved([path, "/unknown"]) == {}
    write(root / "a", "longer")
    moved = files.moved(files.paths)
    assert list(moved) == [path]
    files.forget(moved)
    assert not files.paths
    files.witnessed([label])
    files.forget(moved)
    assert list(files.paths) == [path]
    assert came == [path] * 2


def test_there_are_not_more_of_interest_than_so_many(root: Path, clock: Clock) -> None:
    files = Files(clock, [root], most=2)
    kept = [files.witnessed([write(root / str(n))]) for n in range(3)]
    assert len(files.paths) == 2
    assert all(files.fresh(labels) for labels in kept)
