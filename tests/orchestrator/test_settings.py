"""Settings: defaults, flags over variables, and refusals that say what to do."""

from pathlib import Path

import pytest

from orchestrator.settings import Settings, SettingsError, environment, load
from orchestrator.tuning import ON_SERVERS, REFUSED, WITHOUT_EFFECT, notices, refusals
from streams.backends.redis.url import RedisOptions, parse


def test_every_setting_has_a_variable_and_a_line_of_documentation() -> None:
    for name, field in Settings.model_fields.items():
        assert isinstance(field.validation_alias, str), name
        assert field.description, name


def test_defaults_are_those_that_the_guide_names(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.validation_alias), raising=False)
    settings = load()
    assert (settings.log, settings.port, settings.metrics_port) == ("sqlite:///.orchestrator/log.db", 8000, 9090)
    assert settings.url == "http://127.0.0.1:8000"
    assert (settings.batch, settings.workers, settings.log_level) == (100, 1, "info")
    assert (settings.pool_min, settings.pool_max, settings.timeout) == (10, 100, 30.0)
    assert (settings.retry_attempts, settings.retry_delay) == (3, 1.0)
    assert (settings.redis_pool, settings.health_check) == (200, 30.0)
    assert (settings.rule_cache, settings.framework_cache, settings.result_cache) == (300.0, 60.0, 30.0)
    assert settings.cache_size == 10_000
    assert (settings.batch_timeout, settings.rule_batch, settings.command_batch) == (1.0, 50, 25)
    assert notices(settings, settings.embedded) == []
    assert refusals(settings) == []


def test_a_flag_beats_its_variable_and_an_absent_flag_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_PORT", "8123")
    assert load(port=None).port == 8123
    assert load(port=1).port == 1


def test_rules_are_paths_as_in_path_and_leases_durations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_RULES", "a.yaml:rules")
    monkeypatch.setenv("ORCHESTRATOR_LEASE", "1500ms")
    settings = load()
    assert settings.rules == (Path("a.yaml"), Path("rules"))
    assert settings.lease == 1.5


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("METRICS_PORT", "many", "whole number"),
        ("METRICS_PORT", "70000", "at most 65535"),
        ("ORCHESTRATOR_PARTITIONS", "0", "at least 1"),
        ("ORCHESTRATOR_LEASE", "soon", "is not a duration"),
        ("LOG_LEVEL", "loud", "choose debug"),
        ("ORCHESTRATOR_HOST", "0.0.0.0", "loopback only"),
        ("ORCHESTRATOR_SIBLINGS_HOST", "0.0.0.0", "others cannot reach that: choose the address of this machine"),
        ("ORCHESTRATOR_URL", "localhost:8000", "http://"),
        ("WORKERS", "2", "leave it at 1"),
        ("WORKERS", "0", "at least 1"),
        ("ORCHESTRATOR_ROLES", "agent", "leave it out"),
        ("ORCHESTRATOR_POOL_MIN", "101", "more than ORCHESTRATOR_POOL_MAX=100"),
        ("ORCHESTRATOR_RETRY_ATTEMPTS", "0", "at least 1"),
        ("HEALTH_CHECK_INTERVAL", "often", "is not a duration"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "http://"),
    ],
)
def test_a_wrong_value_is_refused_with_name_value_and_remedy(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as refused:
        load()
    assert f"{variable}={value}" in str(refused.value)
    assert said in str(refused.value)


def test_a_wrong_flag_is_named_as_a_flag() -> None:
    with pytest.raises(SettingsError, match="--metrics-port=-1"):
        load(metrics_port=-1)


def test_a_redis_is_the_log_unless_another_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://here:6379")
    assert load().log == "redis://here:6379"
    assert load(redis_url="redis://there:6379").log == "redis://there:6379"
    assert load(log="memory://").log == "memory://"
    monkeypatch.setenv("ORCHESTRATOR_LOG", "sqlite:///log.db")
    assert load().log == "sqlite:///log.db"
    monkeypatch.setenv("REDIS_URL", "")
    monkeypatch.delenv("ORCHESTRATOR_LOG")
    assert load().log == "sqlite:///.orchestrator/log.db"


def test_roles_are_words_and_a_wrong_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://here:6379")
    assert load(roles="api, delivery").roles == ("api", "delivery")
    with pytest.raises(SettingsError, match="--roles=agnt: choose api, agent or delivery"):
        load(roles="agnt")


def test_settings_written_as_variables_are_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(
        redis_url="redis://user:secret@here:6379",
        rules=[Path("a.yaml"), Path("rules")],
        targets=Path("t.yaml"),
        port=0,
        partitions=4,
        lease="1500ms",
        workers=3,
        roles="agent,delivery",
        log_level="WARNING",
        langchain_api_key="key",
    )
    for name, text in environment(settings).items():
        monkeypatch.setenv(name, text)
    assert load() == settings


@pytest.mark.parametrize("name", WITHOUT_EFFECT)
def test_what_changes_nothing_is_told_with_the_reason_where_it_is_set(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    variable = str(Settings.model_fields[name].validation_alias)
    monkeypatch.setenv(variable, "5")
    (said,) = notices(load(), embedded=False)
    assert said == f"{variable} has no effect: {WITHOUT_EFFECT[name]}"


@pytest.mark.parametrize("name", ON_SERVERS)
def test_what_concerns_connections_is_told_to_change_nothing_on_the_embedded_log_only(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    variable = str(Settings.model_fields[name].validation_alias)
    monkeypatch.setenv(variable, "5")
    (said,) = notices(load(), embedded=True)
    assert said.startswith(f"{variable} has no effect: the embedded log")
    assert notices(load(), embedded=False) == []


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_server_can_be_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    variable = str(Settings.model_fields[name].validation_alias)
    monkeypatch.setenv(variable, "langchain")
    assert refusals(load()) == [f"{variable}=langchain: {REFUSED[name]}"]


def test_a_key_is_shown_nowhere_but_in_the_variables_of_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGCHAIN_API_KEY", "sk-secret")
    settings = load()
    assert "sk-secret" not in f"{settings!r} {settings} {notices(settings, True)}"
    assert environment(settings)["LANGCHAIN_API_KEY"] == "sk-secret"


def test_redis_is_asked_as_the_settings_say_unless_its_url_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in {
        "ORCHESTRATOR_TIMEOUT": "12s",
        "ORCHESTRATOR_RETRY_ATTEMPTS": "4",
        "ORCHESTRATOR_RETRY_DELAY": "500ms",
        "ORCHESTRATOR_REDIS_POOL": "7",
        "HEALTH_CHECK_INTERVAL": "9",
    }.items():
        monkeypatch.setenv(variable, value)
    said = load().redis
    assert said == RedisOptions(timeout=12.0, attempts=4, longest_pause=0.5, pool=7, health_check=9.0)
    assert said.read_timeout == 3.0
    found = parse("redis://there:6380/2?pool=9&timeout=5", said)
    assert (found.pool, found.timeout, found.attempts, found.database) == (9, 5.0, 4, 2)
    assert found.addresses[0].port == 6380
