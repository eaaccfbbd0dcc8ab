"""A process that can open no file says so, as seldom as once a minute."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest

from config.descriptors import LOOK_EVERY_S, SAY_EVERY_S, DescriptorWatch
from config.serving import server_config


class Clock:
    """Seconds that pass when somebody says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def exhausted(monkeypatch):
    """Say why no file can be opened."""

    def of(number):
        def refuses(*_):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "open", refuses)

    return of


def look(watch):
    asyncio.run(watch())


def test_while_files_can_be_opened_there_is_nothing_to_say(caplog):
    before = len([*Path("/dev/fd").iterdir()])
    look(DescriptorWatch())
    assert not caplog.records
    assert len([*Path("/dev/fd").iterdir()]) == before


@pytest.mark.parametrize(
    ("number", "remedy"), [(errno.EMFILE, "LimitNOFILE"), (errno.ENFILE, "fs.file-max")]
)
def test_it_says_what_to_raise_once_a_minute(caplog, monkeypatch, exhausted, number, remedy):
    clock = Clock()
    watch = DescriptorWatch(clock)
    loop = asyncio.new_event_loop()
    exhausted(number)
    for second in range(125):
        clock.now = 1000.0 + second
        loop.run_until_complete(watch())
    loop.close()
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 3
    assert remedy in caplog.text


def test_both_tiers_look_each_second():
    config = server_config("x:y", "", 0)
    assert isinstance(config.callback_notify, DescriptorWatch)
    assert (config.timeout_notify, LOOK_EVERY_S, SAY_EVERY_S) == (1, 1, 60)
