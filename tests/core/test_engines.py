"""A client's engine is built from what its user has set up."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatloom.core.errors import SettingsError
from chatloom.core.settings import Habits, Settings
from chatloom.engines import settings

HABITS = Habits(
    name="toy",
    base_url="http://localhost:3284",
    key_variable="TOY_API_KEY",
    url_variable="TOY_BASE_URL",
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without settings, standing in a folder that holds a trap."""
    elsewhere = tmp_path / "elsewhere"
    for folder in (elsewhere, elsewhere / "chatloom", elsewhere / ".config" / "chatloom"):
        written(folder / "chatloom.toml", "http://trap")
    monkeypatch.chdir(elsewhere)
    for name in ("TIMEOUT", "MAX_RETRIES", "API_KEY", "BASE_URL", "LOG", "CONFIG"):
        monkeypatch.delenv(f"CHATLOOM_{name}", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    for name in ("HOME", "USERPROFILE", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    return tmp_path


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("chatloom")
    level = logger.level
    yield logger
    logger.setLevel(level)


def written(path: Path, base_url: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"[client]\nbase_url = '{base_url}'\n", "utf-8")
    return str(path)


def settled() -> Settings:
    return settings(HABITS)


def test_the_current_folder_is_never_looked_into() -> None:
    assert settled().base_url == HABITS.base_url


def test_the_file_in_the_users_folder_is_read(home: Path) -> None:
    written(home / ".config" / "chatloom" / "chatloom.toml", "http://home")
    assert settled().base_url == "http://home"


def test_the_users_folder_may_be_elsewhere(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(home / ".config" / "chatloom" / "chatloom.toml", "http://home")
    written(home / "xdg" / "chatloom" / "chatloom.toml", "http://xdg")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "xdg"))
    assert settled().base_url == "http://xdg"


def test_a_file_may_be_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(home / ".config" / "chatloom" / "chatloom.toml", "http://home")
    monkeypatch.setenv("CHATLOOM_CONFIG", written(home / "named.toml", "http://named"))
    assert settled().base_url == "http://named"


@pytest.mark.parametrize("folder", ["", ".", "chatloom", "/" + "x" * 5000])
def test_a_folder_that_cannot_be_is_not_looked_into(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", folder)
    assert settled().base_url == HABITS.base_url


def test_a_user_without_a_home_has_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    assert settled().base_url == HABITS.base_url


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        (b"[client", "named.toml: Expected"),
        (b"client = 5", r"\[client\] is not a table"),
        (b"\xff", "codec can't decode"),
        (b"[client]\ntimeout = 'soon'", "timeout must be a number"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, message: str
) -> None:
    path = home / "named.toml"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("CHATLOOM_CONFIG", str(path))
    with pytest.raises(SettingsError, match=message):
        settled()


@pytest.mark.parametrize("content", [b"", b"[server]\nport = 1\n"])
def test_a_file_may_be_about_other_things(
    home: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    path = home / "named.toml"
    path.write_bytes(content)
    monkeypatch.setenv("CHATLOOM_CONFIG", str(path))
    assert settled().base_url == HABITS.base_url


@pytest.mark.parametrize("level", ["debug", "DEBUG"])
def test_the_environment_may_ask_for_a_log(
    level: str, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHATLOOM_LOG", level)
    settled()
    assert logger.level == logging.DEBUG


def test_nothing_is_logged_unasked(logger: logging.Logger) -> None:
    settled()
    assert (logger.level, logger.handlers) == (logging.NOTSET, [])


def test_a_log_level_nobody_knows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATLOOM_LOG", "loud")
    with pytest.raises(SettingsError, match="such as DEBUG, not 'loud'"):
        settled()
