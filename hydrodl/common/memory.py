"""Memory that this machine, and this process, can still take."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import psutil

UNLIMITED = 2.0**60  # cgroups of the first version write a huge number where there is no limit


_V2 = ("memory.max", "memory.current", "inactive_file")


_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def free_here(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> float:
    """Bytes this machine can still give: what is available, or less where a control group (a batch job) limits it."""
    return min([float(psutil.virtual_memory().available), *_free_in_groups(proc, cgroups)])


def _free_in_groups(proc: Path, cgroups: Path) -> Iterator[float]:
    """What is left in every control group around this process, of either version."""
    try:
        memberships = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        memberships = []
    for membership in memberships:
        _, controllers, path = membership.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top, names = (cgroups / "memory", _V1) if controllers else (cgroups, _V2)
        inner = Path(path.lstrip("/"))
        for group in (inner, *inner.parents):  # inside a container only the last of them, the top, is there
            yield _free_in(top / group, *names)


def _free_in(group: Path, limit: str, usage: str, reclaimable: str) -> float:
    """Limit less usage, without the file cache that the system gives back; infinite without a limit."""
    try:
        most = float((group / limit).read_text())
        if most >= UNLIMITED:
            return float("inf")
        statistics = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        used = float((group / usage).read_text()) - float(statistics.get(reclaimable, 0))
    except (OSError, ValueError):  # no such group, or the limit is "max"
        return float("inf")
    return max(most - used, 0.0)


def address_space_left() -> float:
    """What ``ulimit -v`` leaves this process."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return float("inf")
    return max(float(limit - psutil.Process().memory_info().vms), 0.0)
