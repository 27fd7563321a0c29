"""From what the console asks to an outcome, once: journal, queue, function, mirror, outcome.

Operations on one object run one after the other, in the order they came; on different objects side by side.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import agents.operations
from agents.catalogue import OPERATIONS, OperationKind, parse_operation
from agents.engine import Engine, EngineError, EngineGone
from agents.journal import Journal, JournalFull, Row
from agents.operations.errors import failed
from agents.operations.job import DEEDS, Failed, GivenUp, Interrupted, Job, Perform, Result
from agents.protocol import Accepted, Cancel, Confirm, Message, Outcome, OutcomeState, Progress
from agents.protocol import Perform as PerformMessage
from agents.shapes import Misfit
from agents.texts import sentence
from agents.watch import Watch

log = logging.getLogger("agent.operations")

T = TypeVar("T")

RUNNING_MOST = 16
PULLS_MOST = 4
WAITING_MOST = 2000
PROGRESS_S = 0.25
RESEND_S = 30.0
RESEND_BATCH = 500
REFUSED_KEPT = 1000
ENGINE_RETURN_S = 600.0  # how long an operation whose engine went away in the middle waits for it
THIN_OUT_S = 3600.0

assert agents.operations  # imported for its registry


@dataclass
class Operation:
    """One that waits or runs."""

    uuid: str
    entry: OperationKind
    params: Any
    deadline: float  # Unix time
    steps: list[dict[str, Any]] = field(default_factory=list)
    is_recovery: bool = False
    job: Job | None = None  # from the moment it runs
    expiry: asyncio.TimerHandle | None = None

    @property
    def key(self) -> str:
        """Operations with one key run one after the other."""
        return key_of(self.entry, self.params)


def key_of(entry: OperationKind, params: Any) -> str:
    if entry.target:
        return f"{entry.target} {getattr(params, entry.target)}"
    name = getattr(params, "name", None) or getattr(params, "reference", None)
    return f"{entry.makes} {name}" if name else f"{entry.name} {id(params)}"


class Runner:
    """All operations of this agent. `send` hands a message to the link, which drops it while there is none."""

    def __init__(
        self, journal: Journal, engine: Engine, watch: Watch, clock: Callable[[], float] = time.time
    ) -> None:
        self.send: Callable[[Message], None] = lambda message: None
        self._journal = journal
        self._engine = engine
        self._watch = watch
        self._clock = clock
        self._waiting: list[Operation] = []
        self._running: dict[str, Operation] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._unwritten: dict[str, Outcome] = {}  # outcomes that did not go into the journal: the disk is full
        self._confirmed: set[str] = set()  # those of them that the console has all the same
        self._refused: dict[str, Outcome] = {}  # asked for while the disk was full, and not done
        self._pen = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="journal")

    # --- what the console says ---

    async def perform(self, message: PerformMessage) -> None:
        """Take an operation on, or say what became of it when it is known already."""
        uuid = message.operation
        if uuid in self._refused:
            self.send(self._refused[uuid])
            return
        deadline = self._clock() + min(max(message.deadline_s, 0), 1e9)
        try:
            params = parse_operation(message.kind, message.params)
        except Misfit as misfit:
            await self._refuse(message, deadline, f"This agent can't do that: {misfit}."[:3000])
            return
        if len(self._waiting) >= WAITING_MOST and await self._write(self._journal.get, uuid) is None:
            await self._refuse(
                message, deadline, f"{WAITING_MOST} operations wait on this host already: ask again later."
            )
            return
        try:
            known = await self._write(self._journal.accept, uuid, message.kind, message.params, deadline)
        except JournalFull as full:
            self._remember_refused(Outcome(uuid, "failed", error=str(full)))
            return
        self.send(Accepted(uuid))
        if known is not None:
            self._tell(known)
            return
        self._enqueue(Operation(uuid, OPERATIONS[message.kind], params, deadline))

    async def cancel(self, message: Cancel) -> None:
        """Don't begin it; give it up if it runs and can be."""
        uuid = message.operation
        if uuid in self._running:
            job = self._running[uuid].job
            if job is not None:
                job.cancelled.set()
            return
        waiting = next((operation for operation in self._waiting if operation.uuid == uuid), None)
        if waiting is not None:
            self._leave(waiting, "cancelled", "It was cancelled before it began.")
            return
        try:
            known = await self._write(self._journal.accept, uuid, "", {}, self._clock())
            if known is not None:
                self._tell(known)
                return
        except JournalFull:
            return
        # Never seen: should it still arrive, it will not be done.
        await self._conclude(Outcome(uuid, "cancelled", error="It was cancelled before it reached the host."))

    async def confirm(self, message: Confirm) -> None:
        if message.operation in self._unwritten:
            self._confirmed.add(message.operation)
            return
        try:
            await self._write(self._journal.confirm, message.operation)
        except JournalFull as full:
            log.warning("%s", full)

    async def resend(self) -> None:
        """Send all outcomes that the console has not confirmed."""
        for outcome in await self._write(self._journal.unconfirmed, RESEND_BATCH):
            self.send(outcome)
        for uuid, outcome in self._unwritten.items():
            if uuid not in self._confirmed:
                self.send(outcome)

    async def keep_house(self) -> None:
        """Resend what was not confirmed, now and then; forget what is old."""
        next_thinning = 0.0
        while True:
            await asyncio.sleep(RESEND_S)
            try:
                await self.resend()
                await self._write_unwritten()
                if self._clock() >= next_thinning:
                    next_thinning = self._clock() + THIN_OUT_S
                    if gone := await self._write(self._journal.thin_out):
                        log.info("forgot %d old operations", gone)
            except JournalFull as full:
                log.warning("%s", full)

    async def recover(self) -> None:
        """Take up what the agent had not finished when it stopped."""
        for row in await self._write(self._journal.unfinished):
            try:
                entry, params = OPERATIONS[row.kind], parse_operation(row.kind, row.params)
            except (KeyError, Misfit):
                text = (
                    "The agent was replaced by a version that does not know this operation: look what became of it."
                )
                await self._conclude(Outcome(row.uuid, "interrupted", error=text))
                continue
            log.info("taking up %s %s, which was %s", row.kind, row.uuid, row.state)
            self._enqueue(
                Operation(row.uuid, entry, params, row.deadline, steps=row.steps, is_recovery=row.state == "running")
            )

    async def stop(self) -> None:
        """Finish writing. What runs stays 'running' in the journal, and is taken up at the next start."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._pen.shutdown(wait=True)
        self._journal.close()

    # --- the queue ---

    def _enqueue(self, operation: Operation) -> None:
        self._waiting.append(operation)
        if not operation.is_recovery:
            left_s = operation.deadline - self._clock()
            if left_s <= 0:
                self._expire(operation)
                return
            operation.expiry = asyncio.get_running_loop().call_later(left_s, self._expire, operation)
        self._dispatch()

    def _expire(self, operation: Operation) -> None:
        if operation in self._waiting:
            self._leave(operation, "expired", "Its deadline passed while it waited on the host: ask again.")

    def _leave(self, operation: Operation, state: OutcomeState, error: str) -> None:
        """Out of the queue without having begun."""
        self._waiting.remove(operation)
        if operation.expiry is not None:
            operation.expiry.cancel()
        self._go(self._conclude(Outcome(operation.uuid, state, error=error)))
        self._dispatch()

    def _dispatch(self) -> None:
        """Begin all that can begin."""
        busy = {operation.key for operation in self._running.values()}
        pulls = sum(operation.entry.name == "image.pull" for operation in self._running.values())
        for operation in list(self._waiting):
            if len(self._running) >= RUNNING_MOST:
                return
            is_pull = operation.entry.name == "image.pull"
            if operation.key in busy or (is_pull and pulls >= PULLS_MOST):
                busy.add(operation.key)
                continue
            busy.add(operation.key)
            pulls += is_pull
            self._waiting.remove(operation)
            if operation.expiry is not None:
                operation.expiry.cancel()
            self._running[operation.uuid] = operation
            self._go(self._run(operation))

    # --- one operation ---

    async def _run(self, operation: Operation) -> None:
        try:
            outcome = await self._outcome(operation)
            await self._conclude(outcome)
        finally:
            self._running.pop(operation.uuid, None)
            self._dispatch()

    async def _outcome(self, operation: Operation) -> Outcome:
        reporter = Reporter(operation.uuid, self.send)
        job = Job(
            uuid=operation.uuid,
            engine=self._engine,
            steps=operation.steps,
            write_steps=functools.partial(self._write, self._journal.step, operation.uuid),
            send_progress=reporter.report,
        )
        operation.job = job
        try:
            result = await self._carry_out(operation, job)
            outcome = Outcome(operation.uuid, "succeeded", result)
        except Failed as error:
            outcome = Outcome(operation.uuid, "failed", error.result, sentence(str(error), 4000))
        except Interrupted as error:
            outcome = Outcome(operation.uuid, "interrupted", error=sentence(str(error), 4000))
        except GivenUp:
            outcome = Outcome(operation.uuid, "cancelled", error="It was cancelled while it ran.")
        except JournalFull as full:
            rest = "What was begun was not finished: look at it." if job.steps else "Nothing was done."
            outcome = Outcome(operation.uuid, "failed", error=f"{full} {rest}")
        except asyncio.TimeoutError:
            limit_s = operation.entry.time_limit_s
            text = f"The engine had not finished it after {limit_s} s, and may still do so: look what became of it."
            outcome = Outcome(operation.uuid, "interrupted", error=text)
        except Exception as error:
            log.exception("%s %s crashed", operation.entry.name, operation.uuid)
            text = f"The agent made a mistake ({type(error).__name__}); its log has more. Look what became of it."
            outcome = Outcome(operation.uuid, "interrupted", error=text)
        reporter.close()
        await self._show(job)
        return outcome

    async def _carry_out(self, operation: Operation, job: Job) -> Result:
        """Do it; where the engine goes away in the middle, wait for it and take it up like after a restart."""
        deed = DEEDS[operation.entry.name]
        function: Perform = deed.recover if operation.is_recovery else deed.perform
        await self._watch.first_try()
        if operation.is_recovery:
            await self._await_engine(self._engine.error)
        while True:
            try:
                return await asyncio.wait_for(function(job, operation.params), operation.entry.time_limit_s)
            except EngineError as error:
                raise failed(error) from error
            except EngineGone as gone:
                if not job.steps:
                    raise Failed(f"{gone} Nothing was done.") from gone
                job.report("The engine went away; waiting for it to come back")
                await asyncio.sleep(1)
                await self._await_engine(str(gone))
                function = deed.recover

    async def _await_engine(self, error: str) -> None:
        """Raises Interrupted when it stays away."""
        if not await self._watch.wait_for_engine(ENGINE_RETURN_S):
            raise Interrupted(
                f"{error} Whether it was done can't be known: look when the engine is back, and ask again "
                "if it was not."
            )

    async def _show(self, job: Job) -> None:
        """Have the mirror show what the operation did before its outcome is sent."""
        for kind, engine_id in job.touched:
            try:
                await asyncio.wait_for(self._watch.refresh(kind, engine_id or None), 30)
            except asyncio.TimeoutError:
                log.warning("the engine takes too long to show %s %s", kind, engine_id)

    async def _conclude(self, outcome: Outcome) -> None:
        try:
            await self._write(self._journal.conclude, outcome)
        except JournalFull as full:
            log.error("%s", full)
            self._unwritten[outcome.operation] = outcome
        level = logging.INFO if outcome.state == "succeeded" else logging.WARNING
        log.log(
            level, "operation %s %s%s", outcome.operation, outcome.state, f": {outcome.error}" * bool(outcome.error)
        )
        self.send(outcome)

    # --- journal and memory ---

    async def _refuse(self, message: PerformMessage, deadline: float, error: str) -> None:
        """An outcome without anything done, journaled like any other."""
        try:
            known = await self._write(self._journal.accept, message.operation, message.kind, message.params, deadline)
        except JournalFull:
            self._remember_refused(Outcome(message.operation, "failed", error=error))
            return
        self.send(Accepted(message.operation))
        if known is not None:
            self._tell(known)
            return
        await self._conclude(Outcome(message.operation, "failed", error=error))

    def _remember_refused(self, outcome: Outcome) -> None:
        while len(self._refused) >= REFUSED_KEPT:
            del self._refused[next(iter(self._refused))]
        self._refused[outcome.operation] = outcome
        log.error("operation %s refused: %s", outcome.operation, outcome.error)
        self.send(outcome)

    def _tell(self, known: Row) -> None:
        """What the journal has of an operation that is asked for again."""
        outcome = known.outcome or self._unwritten.get(known.uuid)
        if outcome is not None:
            self.send(outcome)
        elif known.uuid in self._running:
            self.send(Progress(known.uuid))

    async def _write_unwritten(self) -> None:
        for uuid, outcome in list(self._unwritten.items()):
            await self._write(self._journal.conclude, outcome)
            if uuid in self._confirmed:
                await self._write(self._journal.confirm, uuid)
                self._confirmed.discard(uuid)
            del self._unwritten[uuid]

    async def _write(self, function: Callable[..., T], *arguments: Any) -> T:
        """A call of the journal, in its own thread; it is finished even if who waits for it is cancelled."""
        loop = asyncio.get_running_loop()
        return await asyncio.shield(loop.run_in_executor(self._pen, functools.partial(function, *arguments)))

    def _go(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("an operation's task crashed", exc_info=error)


class Reporter:
    """Sends progress at most every PROGRESS_S, the first and the last at once or a little later."""

    def __init__(self, uuid: str, send: Callable[[Message], None]) -> None:
        self._uuid = uuid
        self._send = send
        self._latest: dict[str, Any] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def report(self, progress: dict[str, Any]) -> None:
        if self._timer is not None:
            self._latest = progress
            return
        self._send(Progress(self._uuid, progress))
        self._timer = asyncio.get_running_loop().call_later(PROGRESS_S, self._again)

    def _again(self) -> None:
        self._timer = None
        if self._latest is not None:
            progress, self._latest = self._latest, None
            self.report(progress)

    def close(self) -> None:
        """Send what still waits."""
        if self._timer is not None:
            self._timer.cancel()
        if self._latest is not None:
            self._send(Progress(self._uuid, self._latest))
