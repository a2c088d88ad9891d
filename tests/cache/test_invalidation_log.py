from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cache.invalidation import Invalidation
from cache.invalidation_lines import HEADER, header
from cache.invalidation_log import FileLog
from tests.cache.contract import Clock

ROOT = Path(__file__).resolve().parents[2]
ALL = [Invalidation(everything=True)]


def tag(name: object) -> Invalidation:
    return Invalidation("team", labels=(f"tag:{name}",))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store" / "invalidations"


Open = Callable[..., FileLog]


@pytest.fixture(name="opened")
def _opened(path: Path, clock: Clock) -> Iterator[Open]:
    logs: list[FileLog] = []

    def opened(**options: int) -> FileLog:
        log = FileLog(path, clock, **options)
        log.open()
        logs.append(log)
        return log

    yield opened
    for log in logs:
        log.close()


def test_what_one_appends_the_others_hear_in_one_order(opened: Open) -> None:
    one, other = opened(), opened()
    seen = [log.count for log in (one, other)]
    assert [log.since(count) for log, count in zip((one, other), seen, strict=True)] == [(seen[0], []), (seen[1], [])]
    one.append(tag(1))
    assert [one.count - seen[0], other.count - seen[1]] == [1, 1]
    other.append(tag(2))
    one.append(Invalidation(keys=(b"\0" * 32,), namespaces=("tool", "é\n\u2028"), everything=True))
    for log, count in zip((one, other), seen, strict=True):
        now, heard = log.since(count)
        assert now == log.count == count + 3
        assert heard[:2] == [tag(1), tag(2)]
        assert heard[2].keys == (b"\0" * 32,)
        assert heard[2].namespaces == ("tool", "é\n\u2028")
        assert log.since(count + 1) == (now, heard[1:])
        assert log.since(now) == (now, [])


def test_who_opens_later_knows_that_it_has_missed_what_was_before(opened: Open) -> None:
    one = opened()
    one.append(tag(1))
    late = opened()
    assert late.since(late.count) == (late.count, [])
    assert late.since(late.count - 1)[1] == ALL
    assert late.since(0)[1] == ALL


def test_the_file_is_cut_when_it_has_grown(opened: Open, path: Path) -> None:
    writer, reader, idle = opened(most=4000), opened(most=4000), opened(most=4000)
    start, seen = idle.count, reader.count
    for n in range(300):
        writer.append(tag(n))
        assert path.stat().st_size <= 4000
        seen, heard = reader.since(seen)
        assert heard == [tag(n)]
    now, heard = idle.since(start)
    assert heard == ALL
    assert idle.since(now) == (now, [])
    writer.append(tag("x"))
    assert idle.since(now) == (now + 1, [tag("x")])
    assert not writer.faults + reader.faults + idle.faults


def test_one_that_is_too_long_is_heard_as_everything_of_its_tenant(opened: Open) -> None:
    writer, reader = opened(most=4000), opened(most=4000)
    seen = reader.count
    writer.append(Invalidation("team", tuple(bytes([n]) * 32 for n in range(200))))
    assert reader.since(seen)[1] == [Invalidation("team", everything=True)]


def test_half_a_line_is_never_read_and_written_over(opened: Open, path: Path) -> None:
    one, other = opened(), opened()
    seen = other.count
    one.append(tag(1))
    for rest in (b'{"n":2,"ten', b'{"n":2,"tenant":null,"keys":[],"labels":[],"namespaces":[],"everything":true}\n'):
        with path.open("ab") as file:
            file.write(rest)
        assert other.since(seen) == (seen + 1, [tag(1)])
    other.append(tag(2))
    assert one.since(one.count - 2)[1] == other.since(seen)[1] == [tag(1), tag(2)]
    assert opened().set_aside == 0


def overwrite(place: int, what: bytes) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(place)
            file.write(what)

    return damage


DAMAGE: dict[str, Callable[[Path], None]] = {
    "lines": overwrite(HEADER + 3, b"x" * 20),
    "lines cut off": lambda path: os.truncate(path, HEADER + 10),
    "cut to the header": lambda path: os.truncate(path, HEADER),
    "count": overwrite(16, (10**6).to_bytes(8, sys.byteorder)),
    "base": overwrite(24, (1).to_bytes(8, sys.byteorder)),
    "gone": overwrite(16, b"\xff" * 8),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=list(DAMAGE))
def test_a_damaged_file_is_set_aside_and_all_who_had_it_open_hear_everything(
    damage: Callable[[Path], None], opened: Open, path: Path, clock: Clock
) -> None:
    one, other = opened(), opened()
    for n in range(5):
        one.append(tag(n))
    seen = [one.since(0)[0], other.since(0)[0]]
    damage(path)
    fresh = opened()
    assert fresh.set_aside == 1
    assert len(list(path.parent.iterdir())) == 2
    for log, count in zip((one, other), seen, strict=True):
        assert log.count > count
        now, heard = log.since(count)
        assert heard == ALL
        fresh.append(tag("n"))
        assert log.since(now) == (now + 1, [tag("n")])
    assert not one.set_aside + other.set_aside


@pytest.mark.parametrize("damage", list(DAMAGE.values())[:5], ids=list(DAMAGE)[:5])
def test_damage_is_noticed_by_whoever_appends_or_reads(
    damage: Callable[[Path], None], opened: Open, path: Path
) -> None:
    one, other = opened(), opened()
    for n in range(5):
        one.append(tag(n))
    seen = one.count, other.count
    damage(path)
    other.append(tag("after"))  # has read nothing yet
    assert other.since(seen[1])[1] == ALL
    assert one.since(seen[0])[1] == ALL
    assert other.set_aside == 1
    now = one.count
    other.append(tag("more"))
    assert one.since(now) == (now + 1, [tag("more")])


@pytest.mark.parametrize("content", [b"somebody else's", b"x" * 500, header().replace(b"1", b"2"), header()[:-1]])
def test_a_foreign_file_is_set_aside_as_it_is(content: bytes, opened: Open, path: Path, clock: Clock) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    log = opened()
    (aside,) = [file for file in path.parent.iterdir() if file != path]
    assert aside.name.startswith(f"{path.name}.foreign-{int(clock())}")
    assert aside.read_bytes() == content
    seen = log.count
    log.append(tag(1))
    assert log.since(seen) == (seen + 1, [tag(1)])


def test_a_file_that_was_replaced_or_removed_is_noticed_soon(opened: Open, path: Path, clock: Clock) -> None:
    one, other = opened(), opened()
    one.append(tag(1))
    seen = one.since(0)[0]
    path.unlink()
    clock.tick(0.3)
    assert one.count > seen
    now, heard = one.since(seen)
    assert heard == ALL
    other.append(tag(2))  # who appends looks first
    assert one.since(now) == (now + 1, [tag(2)])
    seen = now + 1
    path.write_bytes(header())
    path.rename(path.with_name("backup"))
    path.with_name("backup").replace(path)
    stranger = FileLog(path, clock)
    stranger.open()
    stranger.close()
    os.replace(_copy(path), path)
    clock.tick(-5)  # a clock that is set back is a reason to look
    assert one.count > seen
    assert one.since(seen)[1] == ALL


def _copy(path: Path) -> Path:
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    return copy


def test_a_place_where_nothing_can_be_written_is_told_when_it_is_opened(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "directory").mkdir()
    for path in (tmp_path / "file" / "log", tmp_path / "directory"):
        with pytest.raises(OSError, match=f"the log of invalidations {path} can't be opened: "):
            FileLog(path, clock).open()


def test_while_no_file_can_be_opened_everything_is_invalidated_with_every_question(
    opened: Open, path: Path, clock: Clock
) -> None:
    log = opened()
    log.append(tag(1))
    seen = log.since(0)[0]
    path.unlink()
    path.mkdir()
    clock.tick(1)
    for _ in range(5):
        assert log.count > seen
        seen, heard = log.since(seen)
        assert heard == ALL
    with pytest.raises(OSError, match="directory"):
        log.append(tag(2))
    assert log.faults == 1
    path.rmdir()
    clock.tick(1)
    seen = log.since(0)[0]
    assert log.since(seen) == (seen, [])
    log.append(tag(3))
    assert log.since(seen) == (seen + 1, [tag(3)])


def test_the_count_never_falls_and_none_comes_twice(opened: Open, path: Path, clock: Clock) -> None:
    """Also where lines that nobody has read yet go with their file."""
    one, other = opened(), opened()
    for n in range(5):
        one.append(tag(n))
    told = other.count
    path.unlink()
    clock.tick(1)
    assert other.count > told
    assert other.since(told)[1] == ALL


def test_outside_of_open_and_close_nothing_is_told(opened: Open, path: Path, clock: Clock) -> None:
    other = opened()
    log, seen = FileLog(path, clock), other.count
    log.append(tag(1))
    assert log.since(log.count) == (log.count, [])
    log.open()
    log.append(tag(2))
    now = log.count
    log.close()
    log.append(tag(3))
    assert log.count > now
    assert log.since(now)[1] == ALL
    assert other.since(seen) == (seen + 1, [tag(2)])
    log.close()


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["append", "read", "reopen", "damage", "remove"]), st.integers(0, 2)), max_size=40
)


@given(operations=OPERATIONS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_nobody_misses_any(
    tmp_path_factory: pytest.TempPathFactory, operations: list[tuple[str, int]]
) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    clock = Clock()
    logs = [FileLog(path, clock, most=1200) for _ in range(3)]
    for log in logs:
        log.open()
    seen = [log.count for log in logs]
    missing: list[list[Invalidation]] = [[], [], []]
    for name, (what, who) in enumerate(operations):
        log = logs[who]
        if what == "append":
            log.append(tag(name))
            for each in missing:
                each.append(tag(name))
        elif what == "reopen":
            log.close()
            log.open()
        elif what == "damage" and path.exists() and path.stat().st_size > HEADER + 20:
            overwrite(HEADER + 12, b"????")(path)
        elif what == "remove":
            path.unlink(missing_ok=True)
            clock.tick(1)
        else:
            assert missing[who] == [] or log.count > seen[who]
            seen[who], heard = log.since(seen[who])
            assert heard in (missing[who], ALL)
            missing[who] = []
    for log in logs:
        log.close()


# -- with other processes and threads --------------------------------------------------------------------------------

APPENDING = """
import sys
from pathlib import Path
from cache.invalidation import Invalidation
from cache.invalidation_log import FileLog
log = FileLog(Path(sys.argv[1]), lambda: 1.0)
log.open()
for n in range(int(sys.argv[3])):
    log.append(Invalidation(labels=(f"{sys.argv[2]}:{n}",)))
    if n == 0:
        print("begun", flush=True)
"""


def appending(path: Path, name: str, count: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", APPENDING, str(path), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_two_processes_append_at_once(opened: Open, path: Path) -> None:
    log = opened()
    seen = log.count
    children = [appending(path, name, 1000) for name in "ab"]
    heard: list[Invalidation] = []
    while any(child.poll() is None for child in children):
        seen, some = log.since(seen)
        heard += some
    heard += log.since(seen)[1]
    assert [child.wait() for child in children] == [0, 0]
    names = [what.labels[0] for what in heard]
    for name in "ab":
        assert [each for each in names if each.startswith(name)] == [f"{name}:{n}" for n in range(1000)]
    assert len(names) == 2000
    assert not log.set_aside
    for child in children:
        assert child.stdout is not None
        child.stdout.close()


@pytest.mark.parametrize("attempt", range(3))
def test_a_process_that_is_killed_while_it_appends_leaves_a_sound_log(attempt: int, opened: Open, path: Path) -> None:
    log = opened()
    first = seen = log.count
    with appending(path, "a", 10**9) as child:
        assert child.stdout is not None
        child.stdout.readline()
        while log.count < first + 200 * (attempt + 1):
            log.append(tag("ours"))
        child.send_signal(signal.SIGKILL)
    now, heard = log.since(seen)
    assert now - first == len(heard) or heard == ALL
    log.append(tag("after"))
    assert log.since(now) == (now + 1, [tag("after")])
    late = opened()
    assert not late.set_aside + log.set_aside
    theirs = [what.labels[0] for what in heard if what != tag("ours")]
    assert theirs == [f"a:{n}" for n in range(len(theirs))] or heard == ALL


WITHOUT_ROOM = """
import resource, signal, sys
from pathlib import Path
from cache.invalidation import Invalidation
from cache.invalidation_log import FileLog
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = FileLog(Path(sys.argv[1]), lambda: 1.0)
log.open()
resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
log.append(Invalidation(labels=("secret",)))
print(log.faults)
"""


def test_where_there_is_no_room_for_a_line_all_others_hear_everything(opened: Open, path: Path) -> None:
    one, other = opened(), opened()
    one.append(tag(1))
    seen = one.since(0)[0]
    told = subprocess.run(
        [sys.executable, "-c", WITHOUT_ROOM, str(path)],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert told.stdout == b"1\n"
    now, heard = one.since(seen)
    assert heard == ALL
    assert one.since(now) == (now, [])
    other.append(tag(2))
    assert one.since(now) == (now + 1, [tag(2)])
    assert other.since(0)[1] == ALL
    assert not one.set_aside + other.set_aside


def test_threads_ask_and_append_at_once(opened: Open) -> None:
    log, other = opened(), opened()
    seen = other.count

    def work(name: str) -> None:
        for n in range(200):
            before = log.count
            log.append(tag(f"{name}{n}"))
            assert log.count > before

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    heard = other.since(seen)[1]
    assert len(heard) == 600
    assert len(set(heard)) == 600
