"""How clients are set up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatloom import SettingsError
from puter import PuterAI, PuterConfig, config
from support.puter import Reply, Using, said, service

DOCUMENTED = {
    "api_base": "https://api.puter.com",
    "login_url": "https://puter.com/login",
    "timeout": 30,
    "max_retries": 3,
    "retry_delay": 1.0,
    "backoff_factor": 2.0,
    "rate_limit_requests": 10,
    "rate_limit_period": 60,
    "headers": {},
}


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Leave the global configuration as it was."""
    before = {**vars(config), "headers": dict(config.headers)}
    yield
    vars(config).clear()
    vars(config).update(before)


def told(one: PuterConfig) -> dict[str, object]:
    return {name: getattr(one, name) for name in DOCUMENTED}


def test_the_defaults_are_the_documents() -> None:
    assert told(config) == told(PuterConfig()) == DOCUMENTED


def test_the_environment_is_read_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made = PuterConfig()
    for name, value in {
        "API_BASE": "https://x.test/api",
        "LOGIN_URL": "https://y.test/in",
        "TIMEOUT": "none",
        "MAX_RETRIES": "0",
        "RETRY_DELAY": "0.5",
        "BACKOFF_FACTOR": "3",
        "RATE_LIMIT_REQUESTS": "7",
        "RATE_LIMIT_PERIOD": "1.5",
    }.items():
        monkeypatch.setenv(f"PUTER_{name}", value)
    assert told(made) == {
        "api_base": "https://x.test/api",
        "login_url": "https://y.test/in",
        "timeout": None,
        "max_retries": 0,
        "retry_delay": 0.5,
        "backoff_factor": 3.0,
        "rate_limit_requests": 7,
        "rate_limit_period": 1.5,
        "headers": {},
    }


def test_what_the_family_shares_comes_after_puters_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "chatloom.toml"
    file.write_text('[client]\nbase_url = "http://localhost:1"\ntimeout = 1\nmax_retries = 1\n')
    monkeypatch.setenv("CHATLOOM_CONFIG", str(file))
    assert (config.api_base, config.timeout, config.max_retries) == ("http://localhost:1", 1, 1)
    monkeypatch.setenv("CHATLOOM_BASE_URL", "http://localhost:2")
    monkeypatch.setenv("CHATLOOM_TIMEOUT", "2")
    assert (config.api_base, config.timeout, config.max_retries) == ("http://localhost:2", 2, 1)
    monkeypatch.setenv("PUTER_API_BASE", "http://localhost:3")
    monkeypatch.setenv("PUTER_TIMEOUT", "3")
    assert (config.api_base, config.timeout, config.max_retries) == ("http://localhost:3", 3, 1)
    config.update(api_base="http://localhost:4", timeout=4)
    assert (config.api_base, config.timeout, config.max_retries) == ("http://localhost:4", 4, 1)


def test_a_file_is_loaded_below_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "puter.toml"
    file.write_text(
        '[puter]\napi_base = "https://file.test"\ntimeout = 5\nmax_retries = 6\n'
        'rate_limit_requests = "none"\n[puter.headers]\nX-Team = "file"\nX-Other = "file"\n'
    )
    monkeypatch.setenv("PUTER_TIMEOUT", "7")
    made = PuterConfig(max_retries=8, headers={"X-Team": "own"}).load(file)
    assert (made.api_base, made.timeout, made.max_retries) == ("https://file.test", 7, 8)
    assert (made.rate_limit_requests, made.login_url) == (None, "https://file.test/login")
    assert made.headers == {"X-Team": "own", "X-Other": "file"}
    file.write_text("retry_delay = 9")
    assert PuterConfig().load(str(file)).retry_delay == 9


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("puter = 5", "puter is not a table"),
        ("timeout = ", "puter.toml"),
        ("time_out = 5", "no attribute 'time_out'; did you mean 'timeout'"),
        ("timeout = -1", "timeout cannot be -1"),
    ],
)
def test_a_file_that_makes_no_sense_says_where(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "puter.toml"
    file.write_text(content)
    with pytest.raises(SettingsError, match=message) as caught:
        config.load(file)
    assert "puter.toml" in str(caught.value)
    with pytest.raises(SettingsError, match=r"nowhere\.toml"):
        config.load(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("api_base", "ftp://x", "must begin with https:// or embedded:"),
        ("api_base", "https://", "must begin with https:// or embedded:"),
        ("api_base", "http://puter.com", "must be https://"),
        ("api_base", "http://127.0.0.1.x.test", "must be https://"),
        ("login_url", "http://[2001:db8::1]/login", "must be https://"),
        ("api_base", "http://[", "must begin with"),
        ("timeout", 0, "timeout cannot be 0"),
        ("timeout", "soon", "timeout cannot be 'soon'"),
        ("max_retries", -1, "max_retries cannot be -1"),
        ("max_retries", 1.5, "max_retries cannot be 1.5"),
        ("max_retries", None, "max_retries cannot be None"),
        ("retry_delay", -1, "retry_delay cannot be -1"),
        ("backoff_factor", 0.5, "backoff_factor cannot be 0.5"),
        ("rate_limit_requests", 0, "rate_limit_requests cannot be 0"),
        ("rate_limit_period", 0, "rate_limit_period cannot be 0"),
        ("max_history_messages", -1, "max_history_messages cannot be -1"),
        ("headers", {"X": 5}, "headers cannot be"),
        ("headers", {"X Y": "z"}, "'X Y' is not the name of a header"),
        ("headers", {"X": "a\r\nY: b"}, "the value of 'X' holds a line break"),
        ("headers", {"X": "ü"}, "another character that cannot be sent"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_at_once(
    name: str, value: Any, message: str
) -> None:
    ways = [
        lambda: setattr(config, name, value),
        lambda: config.update(**{name: value}),
        lambda: PuterConfig(**{name: value}),
        lambda: PuterAI(**{name: value}),
    ]
    for way in ways:
        with pytest.raises(SettingsError, match=message):
            way()
    assert told(config) == DOCUMENTED


@pytest.mark.parametrize(
    ("variable", "text"),
    [("PUTER_TIMEOUT", "soon"), ("PUTER_MAX_RETRIES", "-1"), ("PUTER_API_BASE", "http://x.test")],
)
def test_a_variable_that_makes_no_sense_is_named(
    variable: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(SettingsError, match=f"^{variable}: "):
        PuterAI()


def test_an_address_of_the_family_must_be_safe_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATLOOM_BASE_URL", "http://x.test")
    with pytest.raises(SettingsError, match="api_base must be https://"):
        PuterAI()


def test_a_name_that_nobody_knows_is_a_mistake() -> None:
    with pytest.raises(AttributeError, match="'time_out'; did you mean 'timeout'"):
        setattr(config, "time_out", 5)  # noqa: B010 - checkers would refuse it otherwise
    with pytest.raises(AttributeError, match="has no attribute 'time_out'"):
        getattr(config, "time_out")  # noqa: B009
    options: dict[str, Any] = {"time_out": 5}
    with pytest.raises(TypeError, match="'time_out'; did you mean 'timeout'"):
        PuterAI(**options)


@pytest.mark.parametrize(
    ("api_base", "login_url"),
    [
        ("http://localhost:3284", "http://localhost:3284/login"),
        ("https://x.test/some/path", "https://x.test/login"),
        ("http://[::1]:1", "http://[::1]:1/login"),
        ("https://api.puter.com", "https://puter.com/login"),
        ("embedded:", "/login"),
    ],
)
def test_the_login_is_at_the_apis_host_unless_told(api_base: str, login_url: str) -> None:
    assert PuterConfig(api_base=api_base).login_url == login_url
    told = PuterConfig(api_base=api_base, login_url="https://y.test/in")
    assert told.login_url == "https://y.test/in"


def test_the_login_may_be_elsewhere(using: Using) -> None:
    with service(said("hi")) as puter, service(said("hi")) as other:
        using(puter.client(login_url=f"{other.url}/login/here")).chat("hi")
        assert other.targets == ["POST /login/here"]
        using(puter.client(api_base=f"{puter.url}/below", login_url="/login/there")).chat("hi")
        assert puter.targets[1:] == ["POST /login/there", "POST /below/drivers/call"]


def test_the_global_config_holds_for_clients_made_later(using: Using) -> None:
    with service(said("hi")) as puter:
        config.headers["X-Team"] = "before"
        before = puter.client(token="t")
        config.headers["X-Team"] = "after"
        after = puter.client(token="t", headers={"X-More": "m"})
        using(before).chat("hi")
        using(after).chat("hi")
        assert [one.all("x-team") for one in puter.asked] == [["before"], ["after"]]
        assert [one.all("x-more") for one in puter.asked] == [[], ["m"]]
    assert config.headers == {"X-Team": "after"}


def test_clients_with_different_overrides_do_not_affect_each_other(using: Using) -> None:
    busy = Reply(b"{}", b"503 Service Unavailable")
    with service(busy) as one, service(busy) as two:
        many = one.client(token="t", max_retries=2, headers={"X-Team": "one"})
        few = two.client(token="t", max_retries=0)
        for client in (many, few):
            with pytest.raises(Exception, match="503"):
                using(client).chat("hi")
        assert (len(one.asked), len(two.asked)) == (3, 1)
        assert two.asked[0].all("x-team") == []
    assert told(config) == DOCUMENTED


def test_a_config_of_ones_own_stands_for_the_global_one(using: Using) -> None:
    with service(said("hi")) as puter:
        own = PuterConfig(api_base=puter.url, headers={"X-Team": "own"})
        using(PuterAI(token="t", config=own)).chat("hi")
        assert puter.asked[0].all("x-team") == ["own"]


def test_what_stands_for_the_global_config_is_one() -> None:
    wrong: Any = {"timeout": 3}
    with pytest.raises(SettingsError, match="config is a PuterConfig, not dict"):
        PuterAI(config=wrong)


def test_a_copy_is_another_one() -> None:
    one = PuterConfig(timeout=1, headers={"a": "1"})
    two = one.copy(timeout=2, headers={"b": "2"})
    two.headers["c"] = "3"
    assert (one.timeout, one.headers) == (1, {"a": "1"})
    assert (two.timeout, two.headers) == (2, {"a": "1", "b": "2", "c": "3"})


def test_it_shows_itself_but_no_header() -> None:
    shown = repr(PuterConfig(timeout=5, headers={"X-Key": "hidden"}))
    assert "timeout=5" in shown
    assert "headers=['X-Key']" in shown
    assert "hidden" not in shown
