"""What happens on the hosts by itself: deploys, crashes, checks that fail and recover, jobs, people at work."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from demo.memory.images import add_image, remove_image
from demo.memory.lifecycle import Lifecycle
from demo.memory.state import ApiError, Container
from demo.plan.furnish import Furnished
from demo.plan.programs import program_of, repository_of
from demo.plan.stacks import REVIEW, STACKS

IMAGES_KEPT = 3  # of one repository on one host; older ones that nothing uses are removed
AT_ONCE_MOST = 50  # things in one turn

_TAGS = {service.image: service.tags for stack in (*STACKS, REVIEW) for service in stack.services}


class Life:
    """So many things a second over all hosts, in an order that the seed decides."""

    def __init__(self, hosts: list[Furnished], seed: int, per_s: float) -> None:
        self._hosts = hosts
        self._chance = random.Random(f"{seed} life")
        self._per_s = per_s
        self._things: tuple[tuple[int, Callable[[Furnished, Container], None]], ...] = (
            (20, self._deploy),
            (16, self._crash),
            (10, self._fail_the_check),
            (18, self._run_a_job),
            (18, self._restart),
            (4, self._pause),
            (8, self._stop_for_a_while),
        )

    async def run(self) -> None:
        """Until it is cancelled."""
        if self._per_s <= 0:
            return
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += self._chance.expovariate(self._per_s)
            await asyncio.sleep(max(0, due - loop.time()))
            self.happen()

    def happen(self) -> None:
        """One thing, to one container."""
        host = self._chance.choice(self._hosts)
        thing = self._chance.choices([thing for _, thing in self._things], [weight for weight, _ in self._things])[0]
        usual = [c for engine_id, c in host.life.state.containers.items() if engine_id not in host.steady]
        if usual:
            try:
                thing(host, self._chance.choice(usual))
            except ApiError:
                pass  # what a person would have been told: a port in use, say

    # --- things ---

    def _deploy(self, host: Furnished, c: Container) -> None:
        """The container of a service is replaced by one of the next tag, as compose does it."""
        image = str(c.body.get("Image"))
        if c.status != "running" or "com.docker.compose.service" not in c.labels:
            return
        life, repository = host.life, repository_of(image)
        reference = f"{repository}:{next_tag(repository, image.rpartition(':')[2])}"
        add_image(life, reference, created=life.clock() - 1800)
        life.emit("image", "pull", reference, {"name": repository})
        body = {**c.body, "Image": reference}

        def replace() -> None:
            if c.id not in life.state.containers:
                return
            add_image(life, reference, created=life.clock() - 1800)  # it may have been tidied away meanwhile
            life.stop(c)
            life.remove(c, force=True, volumes=False)
            try:
                made = life.create(c.name, body)
                life.later(0.4, lambda: _start(life, made))
            except ApiError:
                return
            life.later(20, lambda: _tidy(life, repository))

        life.later(self._chance.uniform(1.5, 4), replace)

    def _crash(self, host: Furnished, c: Container) -> None:
        if c.status == "running" and c.restart_policy in ("always", "unless-stopped") and not c.tty:
            host.life.end(c, self._chance.choice((1, 1, 1, 2, 134, 139)))

    def _fail_the_check(self, host: Furnished, c: Container) -> None:
        if c.status != "running" or c.health != "healthy" or not program_of(str(c.body.get("Image"))).check_fails:
            return
        c.failing = True
        host.life.check(c)

        def recover() -> None:
            c.failing = False
            host.life.check(c)

        host.life.later(self._chance.uniform(15, 60), recover)

    def _run_a_job(self, host: Furnished, c: Container) -> None:
        state = host.life.state
        jobs = [
            job
            for engine_id, job in state.containers.items()
            if job.status == "exited" and job.program.runs_for_s and engine_id not in host.steady
        ]
        if jobs:
            host.life.start(self._chance.choice(jobs))

    def _restart(self, host: Furnished, c: Container) -> None:
        if c.status == "running":
            host.life.restart(c)

    def _pause(self, host: Furnished, c: Container) -> None:
        if c.status != "running":
            return
        host.life.pause(c)
        host.life.later(self._chance.uniform(10, 40), lambda: host.life.unpause(c) if c.status == "paused" else None)

    def _stop_for_a_while(self, host: Furnished, c: Container) -> None:
        if c.status != "running":
            return
        host.life.stop(c)
        host.life.later(self._chance.uniform(10, 45), lambda: _start(host.life, c))


def _start(life: Lifecycle, c: Container) -> None:
    if c.id in life.state.containers and c.status in ("created", "exited"):
        try:
            life.start(c)
        except ApiError:
            pass  # it stays as it is, with the engine's error


def _tidy(life: Lifecycle, repository: str) -> None:
    """Older images of that repository go, as a nightly prune would have it."""
    found = [
        image for image in life.state.images.values() if any(repository_of(tag) == repository for tag in image.tags)
    ]
    unused = sorted((i for i in found if not life.state.users_of_image(i)), key=lambda image: image.created)
    for image in unused[: max(0, len(found) - IMAGES_KEPT)]:
        try:
            remove_image(life, image.id, force=True)
        except ApiError:
            pass


def next_tag(repository: str, tag: str) -> str:
    """The tag that is deployed after `tag`: the next known one, then patch after patch."""
    known = _TAGS.get(repository, ())
    if tag in known[:-1]:
        return known[known.index(tag) + 1]
    head, dot, last = tag.rpartition(".")
    digits = "".join(letter for letter in last if letter.isdigit())
    if dot and last.startswith(digits) and digits:
        return f"{head}.{int(digits) + 1}{last[len(digits) :]}"
    return tag
