"""What one target's breaker and pause may do, told from outside: by answers, by what is handed out, by what is stored.

The breaker is computed anew from every answer and compared with the row. Where the clock went on between a turn that
failed and the one that made it good, it is not known when answers counted; then only what they can justify is checked.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from adapters.breaker import CLOSED, SLICES, BreakerPolicy, Switch
from adapters.gates import BREAKER, PAUSED, UNSENT
from adapters.turn import Ack
from adapters.work import Verdict, Work


class GateModel:
    def __init__(self, target: str, policy: BreakerPolicy) -> None:
        self.policy = policy
        self.rows = [BREAKER + target, PAUSED + target]
        self.paused = False
        self.switch = CLOSED
        """As stored after the last turn."""
        self.sure = True
        self._answers: list[tuple[int, bool]] = []
        """(time, whether it failed) of what counts since the switch changed."""
        self._leased: list[int] = []
        """Of each of these, when it was leased."""
        self._probes: dict[tuple[str, int], int] = {}
        """(id, time of the lease) → its end, of what was handed out while half open and not answered."""

    def open(self, now: int) -> bool:
        return self.switch.open and now < self.switch.until

    def half_open(self, now: int) -> bool:
        return self.switch.open and now >= self.switch.until

    def restart(self, rows: Mapping[str, bytes]) -> None:
        """What was only in memory is gone. A turn that failed may have been stored all the same."""
        self._adopt(*self._read(rows))

    # -- one turn: first the answers, then what is stored, then what is handed out

    def answered(self, ack: Ack, changed: bool, now: int) -> None:
        """What is refused may have counted in a turn that failed, before its time was over."""
        work, outcome = ack.work, ack.outcome
        if not changed and self.sure:
            return
        if outcome.verdict is Verdict.HELD:
            if changed and (work.id, work.leased_at) in self._probes:
                assert ack.told is not None
                self._probes[work.id, work.leased_at] = ack.told.deadline
            return
        if changed:
            self._probes.pop((work.id, work.leased_at), None)
        if outcome.verdict in UNSENT or (outcome.verdict is Verdict.RETRY and outcome.retry_after is not None):
            return
        if work.leased_at >= (self.switch.until if self.switch.open else self.switch.at):
            self._answers.append((now, outcome.verdict is Verdict.RETRY))
            self._leased.append(work.leased_at)

    def stored(self, rows: Mapping[str, bytes], now: int) -> None:
        switch, self.paused = self._read(rows)
        expected = self._expected(now)
        if self.sure:
            assert switch.open == expected.open, (switch, expected)
            assert (switch.until, switch.pauses) == (expected.until, expected.pauses), (switch, expected)
        elif switch != self.switch:
            self._justified(switch)
        if switch != self.switch:
            assert switch.at > self.switch.at
            probes = self.policy.probes  # what was answered with those that closed it counts already
            answers = zip(self._answers[probes:], self._leased[probes:], strict=True)
            more = [(answer, leased) for answer, leased in answers if leased >= switch.at and not switch.open]
            self._adopt(switch, self.paused, self.sure or switch.open)
            self._answers = [answer for answer, _ in more]
            self._leased = [leased for _, leased in more]

    def handed_out(self, work: Work, now: int) -> None:
        if self.half_open(now) and work.leased_at >= self.switch.until:
            self._probes[work.id, work.leased_at] = work.deadline
            under_way = sum(end > now for end in self._probes.values())
            assert under_way <= self.policy.probes - len(self._answers), "more probes than allowed"

    def next_at(self, now: int) -> int | None:
        """When the breaker lets more through, if it is what holds things back."""
        if self.open(now):
            return self.switch.until
        ends = [end for end in self._probes.values() if end > now]
        return min(ends) if self.half_open(now) and ends else None

    # -- the breaker

    def _read(self, rows: Mapping[str, bytes]) -> tuple[Switch, bool]:
        breaker, paused = self.rows
        return msgspec.json.decode(rows[breaker], type=Switch) if breaker in rows else CLOSED, paused in rows

    def _adopt(self, switch: Switch, paused: bool, sure: bool = True) -> None:
        self.switch, self.paused, self.sure = switch, paused, sure
        self._answers.clear()
        self._leased.clear()
        self._probes.clear()

    def _expected(self, now: int) -> Switch:
        failed = sum(failed for _, failed in self._answers)
        if self.half_open(now):
            if failed:
                return self._opened(now, self.switch.pauses + 1)
            return Switch(False, now) if len(self._answers) >= self.policy.probes else self.switch
        if not self.switch.open:
            for last, (_, one_failed) in enumerate(self._answers, 1):
                if one_failed and self._too_many(self._answers[:last]):
                    return self._opened(now, 1)
        return self.switch

    def _opened(self, now: int, pauses: int) -> Switch:
        pause = min(self.policy.pause * 2 ** (pauses - 1), self.policy.longest)
        return Switch(True, now, now + int(pause * 1e6), pauses)

    def _too_many(self, answers: list[tuple[int, bool]]) -> bool:
        """Whether the share that failed, in the window that ends with the last, opens the breaker."""
        length = int(self.policy.window * 1e6) // SLICES
        first = answers[-1][0] // length - SLICES + 1
        counted = [failed for at, failed in answers if at // length >= first]
        return len(counted) >= self.policy.minimum and sum(counted) >= self.policy.failures * len(counted)

    def _justified(self, switch: Switch) -> None:
        failed = sum(failed for _, failed in self._answers)
        if not switch.open:
            assert self.switch.open
            assert len(self._answers) >= self.policy.probes
        elif self.switch.open:
            assert switch.pauses == self.switch.pauses + 1
            assert failed
        else:
            assert failed >= self.policy.failures * self.policy.minimum
