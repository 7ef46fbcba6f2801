"""The rules for logs that come with the project, on lines that programs have written."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.models.rules_file import read_rules_file
from rtfs.values import Keyword

RULES = read_rules_file(Path(__file__).parents[3] / "examples/models/log-severity.rules")

MARKED = [
    ("info", "[2026-11-27 07:33:31,116 I 123 123] (raylet) main.cc:200: Setting cluster ID to: 0af2"),
    ("info", "[2026-11-27 07:33:39,379 I 3799 3799] event.cc:332: Set ray event level to warning"),
    ("info", "[2026-11-27 07:34:00,939 I 39 39] core_worker.cc:1: Worker exits because the actor has failed"),
    ("warning", "[2026-11-27 07:40:45,495 W 8335 8492] recorder.cc:67: Failed to export metrics to the agent"),
    ("error", "[2026-11-27 07:33:31,116 E 9 9] gcs_server.cc:77: slow reply, retrying"),
    ("error", "[2026-11-27 07:33:31,116 C 9 9] raylet.cc:77:  Check failed: node_id"),
    ("debug", "[2026-11-27 07:33:31,116 D 9 9] task_manager.cc:41: task failed, error type WORKER_DIED"),
    ("warning", "2026-11-27 07:33:31,116\tWARNING file.py:85 -- text"),
    ("info", "2026-11-27 07:33:31,116\tINFO worker.py:1918 -- Started a local Ray instance."),
    ("error", "2026-11-27 07:40:36,123\tERROR head.py:368 -- An exception occurred while starting."),
    ("info", "INFO 2026-11-27 07:33:31,116 controller 123 -- Adding 1 replica to Deployment"),
    ("info", "(ServeReplica:default:Api pid=9) INFO 2026-11-27 07:33:31,116 default -- GET / 200 1.2ms"),
    ("error", "E0704 12:00:00.000000 1 server.go:12] oops"),
    ("warning", "W0704 12:00:00.000000 1 server.go:12] no preferred node"),
    ("error", "<3>usb 1-1: device descriptor read/64"),
    ("debug", "<7>wlan0: beacon"),
    ("error", 'time="2026-11-27T07:00:00Z" level=error msg="pull access"'),
    ("warning", '{"ts": 17, "level": "warn", "msg": "queue has 900 of 1000"}'),
    ("debug", '{"severity":"DEBUG","message":"tick"}'),
    ("error", "[Fri Nov 27 07:00:00 2026] [core:error] [pid 9] AH00037: Symbolic link not allowed"),
    ("info", "2026/11/27 07:00:00 [notice] 1#1: start worker processes"),
    ("warning", "2026-11-27T08:08:00Z WARN pool: id 550e8400-e29b-41d4-a716-446655440000 at 0xdeadbeef"),
    ("error", '2026-11-27 07:00:00.000 UTC [77] FATAL:  role "app" does not exist'),
    ("info", "2026-11-27 07:00:00.000 UTC [77] LOG:  database system is ready to accept connections"),
    ("error", "E: Unable to locate package"),
    ("warning", "W: Some index files failed to download. They have been ignored, or old ones used instead."),
    ("info", "2026-05-09 07:29:12 install libgpg-error-dev:amd64 <none> 1.46-1"),
    ("info", "2026-11-27 07:30:12 status half-configured libarchive13:amd64 3.6.2-1+deb12u5"),
]
BY_WORDS = [
    ("error", "Nov 27 07:00:00 host kernel: [ 12.3] python[77]: segfault at 0 ip 00007f error 4 in libc.so"),
    ("error", "Nov 27 07:00:00 host kernel: Out of memory: Killed process 77 (python)"),
    ("error", "Nov 27 07:00:00 host systemd[1]: app.service: Failed with result 'exit-code'."),
    ("error", "Nov 27 07:00:00 host sshd[7]: Failed password for invalid user admin from 10.0.0.1 port 22"),
    ("error", "dd: error writing '/x': No space left on device"),
    ("error", "Traceback (most recent call last):"),
    ("error", "ValueError: invalid literal for int()"),
    ("error", "ray.exceptions.ActorDiedError: The actor died unexpectedly before finishing this task."),
    ("error", '10.0.0.1 - - [27/Nov/2026:07:00:00 +0000] "GET /x HTTP/1.1" 502 157'),
    ("warning", '10.0.0.1 - - [27/Nov/2026:07:00:00 +0000] "GET /x HTTP/1.1" 404 157'),
    ("warning", "app.py:3: DeprecationWarning: the old way will be removed"),
    ("warning", "Nov 27 07:00:00 host chronyd[9]: source 10.0.0.2 timed out, retrying"),
    ("info", '10.0.0.1 - - [27/Nov/2026:07:00:00 +0000] "GET /error.html HTTP/1.1" 200 157'),
    ("info", "Nov 27 07:00:00 host systemd[1]: Started app.service - My app."),
    ("info", "Nov 27 07:00:01 host CRON[77]: (root) CMD (run-parts /etc/cron.hourly)"),
    ("info", "Nov 27 07:00:01 host sshd[7]: Accepted publickey for ann from 10.0.0.1 port 22"),
    ("info", "job finished without errors, 0 failed"),
    ("info", "\tnum of failed requests to aggregator: 0"),
    ("info", "Node status"),
    ("info", ""),
    ("debug", "entering debug mode: verbose trace on"),
]


@pytest.mark.parametrize(("label", "line"), MARKED)
def test_lines_with_a_mark_are_judged_with_confidence(label: str, line: str) -> None:
    found, confidence = RULES.judge(line)
    assert found.value is Keyword.of(label)
    assert confidence >= 0.4


@pytest.mark.parametrize(("label", "line"), BY_WORDS)
def test_lines_without_a_mark_are_judged_by_their_words(label: str, line: str) -> None:
    assert RULES.judge(line).label.name == label


def test_what_nothing_is_known_of_is_a_guess() -> None:
    found, confidence = RULES.judge("Pending demands: 4 CPU")
    assert (found.name, confidence) == ("info", 0.2)
