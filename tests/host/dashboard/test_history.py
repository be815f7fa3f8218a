"""What is kept of the last days: bounds, thinning, full disks, kills."""

import json
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.dashboard import history
from tools.dashboard.history import History

ROOT = Path(__file__).parents[3]
NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000


def opened(folder: Path, **options: object) -> History:
    return History(folder, clock_ms=lambda: NOW_MS, **options)  # type: ignore[arg-type]


def times(one: History, name: str, points: int = 5000) -> list[int]:
    found: list[int] = one.series(name, ["x"], 0, NOW_MS + 1, points)["times"]
    return found


def test_all_comes_back_after_a_restart_and_numbers_go_on(tmp_path: Path) -> None:
    with opened(tmp_path) as one:
        one.point("lamp", NOW_MS - 2, {"x": 1, "täg": 2.5})
        one.point("lamp", NOW_MS - 1, {"x": 2})
        one.point("other", NOW_MS, {"y": True})
        first = one.log("lamp", NOW_MS, "W", "wifi", "lost")
        one.mode("lamp", NOW_MS, "NORMAL")
    with opened(tmp_path) as one:
        assert one.fields("lamp") == ["täg", "x"] and one.fields("nobody") == []
        assert one.series("lamp", ["x", "täg"], 0, NOW_MS, 100) == {
            "fields": ["x", "täg"], "times": [NOW_MS - 2, NOW_MS - 1], "values": [[1, 2], [2.5, None]],
        }  # fmt: skip
        second = one.log("lamp", NOW_MS, "I", "wifi", "there")
        assert second > first
        assert [line["text"] for line in one.lines("lamp", None, 10)] == ["lost", "there"]
        assert [line["id"] for line in one.lines("lamp", second, 10)] == [first]
        assert one.modes("lamp") == [[NOW_MS, "NORMAL"]]
        assert one.lines("nobody", None, 10) == [] and one.modes("nobody") == []
    assert (tmp_path / "history.sqlite3").stat().st_mode & 0o077 == 0


def test_what_is_too_old_goes(tmp_path: Path) -> None:
    with opened(tmp_path, days=1) as one:
        for hours in (30, 25, 23, 1):
            one.point("lamp", NOW_MS - hours * HOUR_MS, {"x": hours})
            one.log("lamp", NOW_MS - hours * HOUR_MS, "I", "", str(hours))
            one.mode("lamp", NOW_MS - hours * HOUR_MS, str(hours))
        one.flush()
        one.prune()
        assert [times(one, "lamp"), len(one.lines("lamp", None, 9)), len(one.modes("lamp"))] == [
            [NOW_MS - 23 * HOUR_MS, NOW_MS - HOUR_MS], 2, 2,
        ]  # fmt: skip


def test_the_file_never_outgrows_its_bytes_and_the_latest_remain(tmp_path: Path) -> None:
    limit = 400_000
    with opened(tmp_path, size_bytes=limit) as one:
        sizes = []
        for turn in range(12):
            for number in range(1000):
                at = NOW_MS - 12_000_000 + (turn * 1000 + number) * 1000
                one.point("ab"[number % 2], at, {"temperature": number / 7, "heap": 30_000 + number})
                one.log("a", at, "I", "app", f"telemetry {number} acknowledged")
            one.flush()
            one.prune()
            sizes.append(sum(file.stat().st_size for file in tmp_path.glob("history.sqlite3")))
            newest = one.rows("b", at, at + 1, 9) or one.rows("a", at, at + 1, 9)
            assert len(newest) == 1
        assert one.rows("a", 0, NOW_MS - 11_000_000, 9) == []
    assert max(sizes) < limit + 300_000, sizes  # one batch of these more


@settings(deadline=None, max_examples=25)
@given(
    st.lists(
        st.tuples(st.integers(0, 50_000), st.floats(-1e6, 1e6) | st.integers(-9, 9)), min_size=1, max_size=200
    ),
    st.integers(2, 60),
)
def test_thinned_there_are_no_more_than_asked_for_and_every_peak(
    points: list[tuple[int, float]], most: int
) -> None:

    with tempfile.TemporaryDirectory() as folder, opened(Path(folder)) as one:
        last: dict[int, float] = {}
        for at, value in points:
            one.point("lamp", at, {"x": value})
            last[at] = value
        found = one.series("lamp", ["x"], 0, NOW_MS, most)
        one.close()
    (values,) = found["values"]
    assert len(found["times"]) == len(values) <= max(most, 2)
    assert found["times"] == sorted(set(found["times"])) and set(found["times"]) <= last.keys()
    assert set(values) <= set(last.values())
    assert min(values) == min(last.values()) and max(values) == max(last.values())
    if len(last) <= most:
        assert dict(zip(found["times"], values, strict=True)) == last


KILLED = """
import sys, time
from pathlib import Path
from tools.dashboard import history
history.BATCH_S = 0.05
with history.History(Path(sys.argv[1]), days=100_000) as one:
    for count in range(100_000):
        one.point("lamp", 1_000_000 + count, {"x": count})
        one.log("lamp", 1_000_000 + count, "I", "", str(count))
        if count % 50 == 0:
            time.sleep(0.01)
            print(count, flush=True)
"""


def test_a_kill_loses_the_last_batch_at_most(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            count = int(line)
            if count >= 2000 and (tmp_path / "history.sqlite3-wal").stat().st_size > 100_000:
                break
        process.send_signal(signal.SIGKILL)
    with opened(tmp_path) as one:
        rows = one.rows("lamp", 0, NOW_MS, 1_000_000)
        lines = one.lines("lamp", None, 1_000_000)
    assert [values["x"] for _, values in rows] == list(range(len(rows)))  # no hole, no half of a batch
    assert len(rows) == len(lines) > 0


def test_a_full_disk_is_told_once_and_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "WAITING_MAX", 1000)
    said: list[str] = []
    one = opened(tmp_path, say=said.append)
    one.point("lamp", NOW_MS - 1, {"x": 0})
    one.flush()
    pages = one._records._database.execute("PRAGMA page_count").fetchone()[0]
    one._records._database.execute(f"PRAGMA max_page_count = {pages}")
    for number in range(3000):
        one.log("lamp", NOW_MS, "I", "", f"{number} {'x' * 200}")
        if number % 500 == 0:
            with one._telling():
                one._write()
    assert len(said) == 1 and "full" in said[0]
    assert len(one._waiting) <= 1000
    assert len(one.lines("lamp", None, 5)) <= 1  # asked for meanwhile: what there is
    one._records._database.execute("PRAGMA max_page_count = 100000")
    with one._telling():
        one._write()
    assert "goes on" in said[1] and "rows were lost" in said[1]
    assert one.lines("lamp", None, 1)[0]["text"].startswith("2999 ")
    one.close()


def test_a_damaged_file_is_put_aside(tmp_path: Path) -> None:
    for content in (b"no database", b"SQLite format 3\0" + bytes(5000)):
        (tmp_path / "history.sqlite3").write_bytes(content)
        said: list[str] = []
        with opened(tmp_path, say=said.append) as one:
            one.point("lamp", NOW_MS, {"x": 1})
            assert times(one, "lamp") == [NOW_MS]
        assert len(said) == 1 and "history.damaged" in said[0]
        assert (tmp_path / "history.damaged").read_bytes() == content


def test_two_pages_of_one_cloud_do_not_write_into_one_file(tmp_path: Path) -> None:
    said: list[str] = []
    with opened(tmp_path, say=said.append) as one, opened(tmp_path, say=said.append) as other:
        assert one.path.parent == tmp_path != other.path.parent and len(said) == 1
        for page in (one, other):
            page.log("lamp", NOW_MS, "I", "", str(page.path))
            assert [line["text"] for line in page.lines("lamp", None, 9)] == [str(page.path)]
    assert not other.path.exists()
    with opened(tmp_path, say=said.append) as again:
        assert again.path == one.path and len(said) == 1


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        History(tmp_path / "file")


def test_what_waits_is_in_the_file_before_anybody_reads(tmp_path: Path) -> None:
    with opened(tmp_path) as one:
        for number in range(10):
            one.point("lamp", NOW_MS + number, {"x": number})
            assert len(one.rows("lamp", NOW_MS, NOW_MS + 99, 99)) == number + 1
        rows = sqlite3.connect(one.path).execute("SELECT data FROM points").fetchall()
    assert [json.loads(data)["x"] for (data,) in rows] == list(range(10))
