"""What containers use, as `GET /containers/{id}/stats` tells it: by the hour, with noise, never backwards."""

from __future__ import annotations

import math
import random

from demo.memory.documents import NEVER, time_text
from demo.memory.state import Container, Document, Meter, State

DAY_S = 86400
WARM_UP_S = 90  # until a fresh process has taken its memory
LONGEST_STEP_S = 30  # counters are brought up to date in steps of this length


def daily(at: float, *, is_busy_by_day: bool = True) -> float:
    """How busy an hour is: 0.35 in the small hours, about 1.3 in the early afternoon."""
    if not is_busy_by_day:
        return 1.0
    return 0.85 - 0.45 * math.cos((at % DAY_S - 2.5 * 3600) / DAY_S * 2 * math.pi)


def noise(key: int, at: float) -> float:
    """Between about 0.5 and 1.6, smooth within a minute, and never the same."""
    a, b = key % 97 / 97 * 6.28, key % 89 / 89 * 6.28
    slow = math.sin(at / 613 + a) * 0.22 + math.sin(at / 97 + b) * 0.16
    return 1.05 + slow + math.sin(at / 23 + a + b) * 0.1


def key_of(c: Container) -> int:
    return int(c.id[:8], 16)


def cpu_percent(c: Container, at: float) -> float:
    """Of one core, which is 100."""
    if c.status != "running":
        return 0.0
    program, key = c.program, key_of(c)
    size = 0.6 + key % 83 / 100
    wanted = program.cpu_percent * size * daily(at, is_busy_by_day=program.is_busy_by_day) * noise(key, at)
    limit = float(c.host.get("NanoCpus") or 0) / 1e7
    return min(wanted, limit) if limit else wanted


def memory_bytes(c: Container, at: float) -> int:
    run = c.run
    if not c.is_running or run is None:
        return 0
    program, key = c.program, key_of(c)
    limit = c.memory_limit
    age = at - run.began
    if c.fate is not None and c.fate.oom_killed and limit:
        return int(limit * min(0.995, 0.2 + 0.8 * age / c.fate.after_s))  # it fills up until it is killed
    full = program.memory_bytes * (0.8 + key % 71 / 150) * (0.97 + 0.06 * (noise(key, at / 7) - 1))
    grown = 1 + min(age / (40 * DAY_S), 0.25)
    wanted = full * (0.45 + 0.55 * min(age / WARM_UP_S, 1)) * grown
    return int(min(wanted, limit * 0.96) if limit else wanted)


def bring_up_to_date(c: Container, at: float) -> Meter:
    """The counters of the present run at that time."""
    run = c.run
    assert run is not None
    meter = c.meter
    if meter is None:
        meter = c.meter = Meter(run.began)
        if at - run.began > 600:  # what it did before anybody asked
            _advance(c, meter, (run.began + at) / 2, at - run.began - 60)
            meter.at = at - 60
    while meter.at < at:
        step = min(LONGEST_STEP_S, at - meter.at)
        _advance(c, meter, meter.at + step / 2, step)
        meter.at += step
    return meter


def _advance(c: Container, meter: Meter, at: float, step: float) -> None:
    if c.status != "running":
        return
    program, key = c.program, key_of(c)
    busy = daily(at, is_busy_by_day=program.is_busy_by_day) * noise(key * 7, at)
    spread = random.uniform(0.85, 1.15)
    meter.cpu_ns += cpu_percent(c, at) * spread * step * 1e7
    meter.rx_bytes += program.rx_bytes_per_s * busy * spread * step
    meter.tx_bytes += program.tx_bytes_per_s * busy * spread * step
    meter.read_bytes += program.read_bytes_per_s * busy * spread * step
    meter.write_bytes += program.write_bytes_per_s * noise(key * 3, at) * spread * step


def stats(state: State, c: Container, now: float, *, before: Document | None = None) -> Document:
    """One reading. Of a container that does not run: zeros, as the engine has it."""
    document: Document = {
        "read": time_text(now) if c.is_running else NEVER,
        "preread": (before or {}).get("read") or NEVER,
        "pids_stats": {},
        "blkio_stats": {"io_service_bytes_recursive": None},
        "num_procs": 0,
        "storage_stats": {},
        "cpu_stats": {"cpu_usage": {"total_usage": 0}, "throttling_data": {}},
        "precpu_stats": (before or {}).get("cpu_stats") or {"cpu_usage": {"total_usage": 0}, "throttling_data": {}},
        "memory_stats": {},
        "name": f"/{c.name}",
        "id": c.id,
    }
    if not c.is_running:
        return document
    meter = bring_up_to_date(c, now)
    used = memory_bytes(c, now)
    cache = c.program.size_bytes // 8
    cpu = int(meter.cpu_ns)
    document["pids_stats"] = {"current": 1 + len(c.program.processes), "limit": 38000}
    document["blkio_stats"] = {
        "io_service_bytes_recursive": [
            {"major": 259, "minor": 0, "op": "read", "value": int(meter.read_bytes)},
            {"major": 259, "minor": 0, "op": "write", "value": int(meter.write_bytes)},
        ]
    }
    document["cpu_stats"] = {
        "cpu_usage": {
            "total_usage": cpu,
            "usage_in_kernelmode": cpu // 4,
            "usage_in_usermode": cpu - cpu // 4,
        },
        "system_cpu_usage": int(now * 1e9) % 10**17 * state.facts.cpus,
        "online_cpus": state.facts.cpus,
        "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
    }
    document["memory_stats"] = {
        "usage": used + cache,
        "stats": {"anon": used, "file": cache, "inactive_file": cache, "active_file": 0},
        "limit": c.memory_limit or state.facts.memory_bytes,
    }
    if c.endpoints:
        document["networks"] = {
            "eth0": {
                "rx_bytes": int(meter.rx_bytes),
                "rx_packets": int(meter.rx_bytes / 700),
                "rx_errors": 0,
                "rx_dropped": 0,
                "tx_bytes": int(meter.tx_bytes),
                "tx_packets": int(meter.tx_bytes / 900),
                "tx_errors": 0,
                "tx_dropped": 0,
            }
        }
    return document
