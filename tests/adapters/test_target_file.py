"""Every mistake in a targets file is one error that says where, what, and what to do."""

from __future__ import annotations

import base64
import sys

import pytest

from adapters import kinds
from adapters.errors import TargetError
from adapters.kind import Surroundings
from adapters.registry import load_targets
from adapters.retry import RetryPolicy
from adapters.target import Target

SECRET = "whsec_" + base64.b64encode(b"s" * 24).decode()
SECRETS = {"env:GOOD": SECRET, "env:SHORT": "whsec_" + base64.b64encode(b"s" * 8).decode(), "env:EMPTY": ""}


def load(text: str) -> dict[str, Target]:
    return load_targets(text, "targets.yaml", Surroundings(lambda: 0, SECRETS.get))


def refused(text: str) -> str:
    with pytest.raises(TargetError) as caught:
        load(text)
    return str(caught.value)


@pytest.mark.parametrize("text", ["", "\n# nothing\n", "targets:\n", "targets: {}"])
def test_without_a_target_of_ones_own_there_are_two_that_print(text: str) -> None:
    assert {name: target.kind for name, target in load(text).items()} == {"log": "log", "alerts": "log"}


def test_a_whole_file_is_read() -> None:
    targets = load("""
targets:
  police:
    kind: webhook
    url: https://police.example/penalties?x=1
    secret: env:GOOD
    allow: [127.0.0.1/32, 10.0.0.0/8, "::1/128"]
    timeout: 1m30s
    concurrency: 20
    retry: {initial: 500ms, factor: 3, max: 2h, attempts: 5, elapsed: 2d}
  alerts: {kind: webhook, url: "http://10.0.0.1:8080"}
""")
    police = targets["police"]
    assert (police.name, police.kind, police.timeout, police.concurrency) == ("police", "webhook", 90.0, 20)
    assert police.retry == RetryPolicy(0.5, 3.0, 7_200.0, 5, 172_800.0)
    assert (targets["alerts"].kind, targets["alerts"].retry) == ("webhook", RetryPolicy())
    assert targets["log"].kind == "log"


def test_json_is_a_targets_file_too() -> None:
    assert load('{"targets": {"police": {"kind": "webhook", "url": "http://a.example/"}}}')["police"].kind == "webhook"


def test_no_secret_is_shown() -> None:
    assert SECRET not in repr(load(f"targets: {{p: {{kind: webhook, url: 'http://a/', secret: {SECRET}}}}}"))
    wrong = SECRET[:-4]
    assert wrong not in refused(f"targets: {{p: {{kind: webhook, url: 'http://a/', secret: {wrong}}}}}")
    assert SECRET not in refused(f"targets: {{p: {{kind: webhook, url: 'http://a/', secret: [{SECRET}, [{SECRET}]]}}}}")


ONE = "targets:\n  police:\n    kind: webhook\n    url: http://a.example/\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("targets: {a: [}", "1:15: "),
        ("targets:\n\t- x", "2:1: "),
        ("[]", "1:1: a targets file is a mapping: begin with `targets:`"),
        ("police", "1:1: a targets file is a mapping: begin with `targets:`"),
        ("target: {}", "1:1: unknown key `target`; a targets file has one, `targets`"),
        ("targets: []", "1:1: `targets` maps names to targets: {police: {kind: webhook, …}}"),
        ("targets:\n  a: 1\n", "2:3: target `a` is a mapping: {kind: webhook, url: …}"),
        (
            "targets:\n  a: {url: x}\n",
            "2:3: target `a` has no `kind`: add one of `langchain`, `log`, `temporal`, `webhook`",
        ),
        (
            "targets:\n  a:\n    kind: webhok",
            "3:5: target `a`: unknown kind `webhok`: did you mean `webhook`?",
        ),
        (
            "targets:\n  a:\n    kind: [webhook]",
            "3:5: target `a`: unknown kind `['webhook']`: did you mean `webhook`?",
        ),
        (
            "targets: {a: {kind: kafka}}",
            "1:15: target `a`: unknown kind `kafka`: there are `langchain`, `log`, `temporal`, `webhook`",
        ),
        ("targets: {log: {kind: webhook, url: x}}", "1:11: target `log` always prints: choose another name"),
        ("targets:\n  a: {kind: log}\n  a: {kind: log}\n", "3:3: `a` is there twice in `targets`: remove one"),
        (ONE + "    url: http://b/\n", "5:5: `url` is there twice in `targets.police`: remove one"),
        ("targets: {a: {kind: webhook}}", "1:11: target `a`, `url`: is missing: add it"),
        (ONE + "    timeuot: 5s\n", "5:5: target `police`, `timeuot`: is no key of it: did you mean `timeout`?"),
        (
            ONE + "    zzz: 5s\n",
            "5:5: target `police`, `zzz`: is no key of it: there are `alarm`, `allow`, `auth`, `batch`, ",
        ),
        (
            ONE + "    breaker:\n      pauze: 5s\n",
            "6:7: target `police`, `breaker.pauze`: is no key of it: did you mean `pause`?",
        ),
        (ONE + "    breaker: on\n", "5:5: target `police`, `breaker`: Input should be 'off', or a mapping"),
        (
            ONE + "    retry:\n      atempts: 5\n",
            "6:7: target `police`, `retry.atempts`: is no key of it: did you mean `attempts`?",
        ),
        (ONE + "    retry:\n      attempts: many\n", "6:7: target `police`, `retry.attempts`: "),
        (ONE + "    retry: {attempts: 0}\n", "5:13: target `police`, `retry.attempts`: "),
        (ONE + "    retry: {attempts: true}\n", "5:13: target `police`, `retry.attempts`: "),
        (ONE + "    retry: {factor: 0.5}\n", "5:13: target `police`, `retry.factor`: "),
        (ONE + "    retry: {initial: 0s}\n", "5:13: target `police`, `retry.initial`: "),
        (ONE + "    retry: {initial: 2h}\n", "5:5: target `police`, `retry`: `max` is shorter than `initial`"),
        (ONE + "    retry: 5\n", "5:5: target `police`, `retry`: "),
        (ONE + "    timeout: 10\n", "5:5: target `police`, `timeout`: write a duration with its unit, such as 500ms"),
        (ONE + "    timeout: 10x\n", "5:5: target `police`, `timeout`: `10x` is not a duration such as 500ms"),
        (ONE + "    timeout: 1h\n", "5:5: target `police`, `timeout`: "),
        (ONE + "    timeout: 0s\n", "5:5: target `police`, `timeout`: "),
        (ONE + "    concurrency: 0\n", "5:5: target `police`, `concurrency`: "),
        (ONE + "    concurrency: 2.5\n", "5:5: target `police`, `concurrency`: "),
        (ONE + "    allow: 10.0.0.0/8\n", "5:5: target `police`, `allow`: "),
        (
            ONE + "    allow:\n      - 10.0.0.0/8\n      - 10.0.0.0/33\n",
            "7:9: target `police`, `allow.1`: '10.0.0.0/33'",
        ),
        (ONE + "    allow: [10.0.0.1/8]\n", "5:13: target `police`, `allow.0`: 10.0.0.1/8 has host bits set; write a "),
        (ONE + "    allow: [10]\n", "5:13: target `police`, `allow.0`: write a network such as 10.0.0.0/8"),
        (
            ONE + "    secret: hush\n",
            "5:5: target `police`, `secret`: write env:NAME, the variable that holds the secret",
        ),
        (ONE + "    secret: env:MISSING\n", "5:5: target `police`, `secret`: MISSING is not set: set it to the secret"),
        (ONE + "    secret: env:EMPTY\n", "5:5: target `police`, `secret`: EMPTY is not set: set it to the secret"),
        (ONE + "    secret: 'env:'\n", "5:5: target `police`, `secret`: the variable is not set: set it to the secret"),
        (
            ONE + "    secret: env:SHORT\n",
            "5:5: target `police`, `secret`: the secret has 8 bytes: 24 to",
        ),
        (ONE + "    secret: whsec_***\n", "5:5: target `police`, `secret`: what follows `whsec_` in the secret is not"),
        (ONE + "    secret: 7\n", "5:5: target `police`, `secret`: "),
        ("targets: {a: &x {kind: log}}", "1:14: anchors and aliases are not allowed: write the value out"),
        ("targets: {a: !x {kind: log}}", "1:14: tags are not allowed: leave it away"),
        ("targets: {[a]: {kind: log}}", "1:11: a key must be text"),
        ("targets: " + "[" * 5_000, "1:29: nested too deep"),
        ("targets:\n  a: \x00", "2:6: the character U+0000 is not allowed: remove it"),
        ('targets: {a: "\\UFFFFFFFF"}', "1:1: an escape in quotes names no character"),
        ("a: 1\n---\nb: 2", "2:1: "),
    ],
)
def test_mistakes_are_named(text: str, message: str) -> None:
    found = refused(text)
    assert found.startswith(f"targets.yaml:{message}")
    assert "\n" not in found


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://a/", "must begin with http:// or https://"),
        ("a.example/x", "must begin with http:// or https://"),
        ("http:///x", "names no host that can be called: write https://host/path"),
        ("http://a:0/", "names no host that can be called"),
        ("http://a:99999/", "is no URL: "),
        ("http://[::1/", "is no URL: "),
        ("http://me:hush@a/", "must not hold a user or a password"),
        ("http://a/#x", "must not have a fragment"),
        ("http://a/ b", "must not hold spaces or control characters"),
        ("http://a..b/", "names the host `a..b`, which is neither a name nor an address"),
        (f"http://{'a' * 64}.example/", f"names the host `{'a' * 64}.example`, which is neither"),
        ("http://2130706433/", "names the host `2130706433`, which is neither"),
        ("http://0177.0.0.1/", "names the host `0177.0.0.1`, which is neither"),
        ("http://127.1/", "names the host `127.1`, which is neither"),
    ],
)
def test_addresses_that_could_never_be_called_are_refused(url: str, message: str) -> None:
    assert refused(f'targets: {{p: {{kind: webhook, url: "{url}"}}}}').startswith(
        f"targets.yaml:1:30: target `p`, `url`: {message}"
    ), refused(f'targets: {{p: {{kind: webhook, url: "{url}"}}}}')


@pytest.mark.parametrize("url", ["http://[::1]:8080/x", "http://10.0.0.1/", "https://ä.example/", "http://a_b:1?x=ü"])
def test_addresses_of_every_kind_are_taken(url: str) -> None:
    assert load(f'targets: {{p: {{kind: webhook, url: "{url}"}}}}')["p"].kind == "webhook"


def test_what_is_left_to_workers_needs_neither_its_library_nor_its_secrets_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = 'kind: langchain, model: "openai:x", prompt: "?", api_key: "env:NONE"'
    left = f"targets: {{m: {{{keys}, deliver: workers, retry: {{attempts: 3}}}}}}"
    target = load(left)["m"]
    assert (target.kind, target.open, target.retry.attempts) == ("langchain", None, 3)
    monkeypatch.setitem(sys.modules, kinds.OURS["langchain"], None)
    target = load(left)["m"]
    assert (target.kind, target.open, target.retry.attempts) == ("langchain", None, 3)
    assert "`retry.attempts`" in refused(left.replace("3", "0"))
    needed = "kind `langchain` needs the module adapters.targets.langchain.kind: pip install"
    assert needed in refused(f"targets: {{m: {{{keys}}}}}")
    with pytest.raises(TargetError, match="target `m`, `kind`: kind `langchain` needs the module"):
        load_targets(left, "t.yaml", Surroundings(lambda: 0, SECRETS.get), delivers=lambda name, model: True)
