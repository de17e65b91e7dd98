"""A fleet on a Ray cluster: its workers are actors, wherever there is room for their slots, and so is its ledger.

All that has to outlive the program is *detached* and found by its name. Nothing is restarted by Ray itself but the
ledger: the head does that, as it does for processes, because each new owner needs a name that none has had before.
"""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final, Protocol, TypedDict, cast

from telnyx_core.fleet.ledger import LEASE
from telnyx_core.fleet.requests import Reply, Request, Restarted
from telnyx_drivers import _logs as logs
from telnyx_drivers._guard import reason_of
from telnyx_drivers.fleet.store import LocalStore
from telnyx_drivers.fleet.worker import Assignment, work

SLOTS: Final = "telnyx_slots"
"""The custom resource: how many calls a node carries. ``ray start --resources='{"telnyx_slots": 100}'`` says it."""
NAMESPACE: Final = "telnyx-rtc"
_HEAD_NODE: Final = {"node:__internal_head__": 0.001}
"""What only Ray's head node has."""
_WAIT: Final = 2.0
"""Seconds for a reply of the ledger, which takes milliseconds."""


class _Ref(Protocol):
    """What a call to an actor will return."""


class _Method(Protocol):
    def remote(self, *arguments: object) -> _Ref: ...


class _Worker(Protocol):
    run: _Method


class _Keeper(Protocol):
    apply: _Method
    concerns: _Method


class _Maker(Protocol):
    def remote(self, *arguments: object) -> object: ...


class _Remote(Protocol):
    def options(self, **options: object) -> _Maker: ...


class _Group(Protocol):
    """A placement group: slots that are reserved, each worker's on one node."""


class _Ray(Protocol):
    """The module `ray`, which comes with the extra."""

    def is_initialized(self) -> bool: ...
    def init(self, address: str) -> object: ...
    def remote(self, kind: type, /) -> _Remote: ...
    def get(self, ref: _Ref, /, *, timeout: float | None = None) -> object: ...
    def wait(self, refs: list[_Ref], /, *, num_returns: int, timeout: float) -> tuple[list[_Ref], list[_Ref]]: ...
    def kill(self, actor: object, /) -> None: ...
    def PlacementGroupID(self, id: bytes, /) -> object: ...  # noqa: N802  # its name


class _GroupRow(TypedDict):
    name: str
    state: str


class _Groups(Protocol):
    """The module `ray.util.placement_group`."""

    def placement_group(
        self, bundles: Sequence[Mapping[str, float]], /, *, strategy: str, name: str, lifetime: str
    ) -> _Group: ...
    def placement_group_table(self) -> Mapping[str, _GroupRow]: ...
    def remove_placement_group(self, group: _Group, /) -> None: ...
    def PlacementGroup(self, id: object, /) -> _Group: ...  # noqa: N802  # its name


class _Strategies(Protocol):
    """The module `ray.util.scheduling_strategies`."""

    def PlacementGroupSchedulingStrategy(  # noqa: N802  # its name
        self, placement_group: _Group, placement_group_bundle_index: int
    ) -> object: ...


def _ray() -> _Ray:
    """Connected to the cluster of this machine, or of ``RAY_ADDRESS``."""
    ray = cast("_Ray", import_module("ray"))
    if not ray.is_initialized():
        ray.init(address="auto")
    return ray


def _placement() -> _Groups:
    return cast("_Groups", import_module("ray.util.placement_group"))


def _lost() -> type[Exception]:
    return cast("type[Exception]", import_module("ray.exceptions").RayError)


class RayStore:
    """A `LocalStore` on Ray's head node, which the workers of all nodes reach.

    An actor has it: if it is lost, the next one who asks starts it again, and it goes on with what is in the folder.
    """

    def __init__(self, folder: str | os.PathLike[str], *, lease: float = LEASE) -> None:
        self.folder = Path(folder)
        self.lease = lease
        self._begin()

    def __str__(self) -> str:
        return str(self.folder)

    def __getstate__(self) -> tuple[Path, float]:
        return (self.folder, self.lease)

    def __setstate__(self, state: tuple[Path, float]) -> None:
        self.folder, self.lease = state
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._keeper: _Keeper | None = None

    def apply(self, request: Request) -> Reply:
        """Apply one request. Raises ``OSError``."""
        return cast("Reply", self._ask("apply", request))

    def concerns(self, shard: int | None) -> object:
        """What there is to be done. Raises ``OSError``."""
        return self._ask("concerns", shard)

    def close(self) -> None:
        """End the actor. The folder stays."""
        with self._lock:
            if self._keeper is not None:
                _ray().kill(self._keeper)
                self._keeper = None

    def _ask(self, what: str, argument: object) -> object:
        ray = _ray()
        try:
            keeper = self._find(ray)
            return ray.get(cast("_Method", getattr(keeper, what)).remote(argument), timeout=_WAIT)
        except _lost() as error:
            with self._lock:
                self._keeper = None
            raise OSError(f"the fleet's ledger cannot be reached: {error}") from None

    def _find(self, ray: _Ray) -> _Keeper:
        with self._lock:
            if self._keeper is None:
                options = ray.remote(LedgerActor).options(
                    name=f"ledger {self.folder}",
                    namespace=NAMESPACE,
                    lifetime="detached",
                    get_if_exists=True,
                    num_cpus=0,
                    resources=_HEAD_NODE,
                )
                self._keeper = cast("_Keeper", options.remote(self.folder, self.lease))
            return self._keeper


class LedgerActor:
    """What runs on the head node."""

    def __init__(self, folder: Path, lease: float) -> None:
        self._store = LocalStore(folder, lease=lease)
        self._store.apply(Restarted())

    def apply(self, request: Request) -> Reply:
        return self._store.apply(request)

    def concerns(self, shard: int | None) -> object:
        return self._store.concerns(shard)


class WorkerActor:
    """What runs on the other nodes."""

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment

    def run(self) -> None:
        work(self._assignment)


class RayWorkers:
    """Workers as actors, as `telnyx_drivers.fleet.process.Processes` has them as processes.

    ``slots`` are those of each shard. They are reserved all together, for as long as there is a fleet of this ``name``,
    so that a worker and the one that takes over from it need them once, and a lost one's are still there.
    """

    def __init__(self, name: str, slots: Sequence[int]) -> None:
        self._name = f"{name} {'+'.join(map(str, slots))}"
        self._slots = slots
        self._running: dict[str, tuple[Assignment, object, _Ref]] = {}

    def start(self, assignment: Assignment) -> None:
        ray = _ray()
        strategies = cast("_Strategies", import_module("ray.util.scheduling_strategies"))
        # A shard that an earlier fleet had more of is with any of the others.
        bundle = assignment.shard if assignment.shard < len(self._slots) else -1
        options = ray.remote(WorkerActor).options(
            name=assignment.owner,
            namespace=NAMESPACE,
            lifetime="detached",
            num_cpus=0,
            scheduling_strategy=strategies.PlacementGroupSchedulingStrategy(self._group(), bundle),
        )
        actor = options.remote(assignment)
        self._running[assignment.owner] = (assignment, actor, cast("_Worker", actor).run.remote())

    def ended(self) -> Sequence[Assignment]:
        """Those that have ended since the last time."""
        refs = {ref: owner for owner, (_, _, ref) in self._running.items()}
        if not refs:
            return ()
        gone, _ = _ray().wait(list(refs), num_returns=len(refs), timeout=0)
        return [self._ended(refs[ref]) for ref in gone]

    def _ended(self, owner: str) -> Assignment:
        assignment, actor, ref = self._running.pop(owner)
        try:
            _ray().get(ref)
        except _lost() as error:
            logs.client.warning("worker %s: %s", owner, reason_of(error).partition("\n")[0])
        _ray().kill(actor)  # one that has returned is there, still
        return assignment

    def kill(self, owner: str) -> None:
        """End it at once; `ended` tells when it has."""
        if owner in self._running:
            _ray().kill(self._running[owner][1])

    def close(self, *, for_good: bool) -> None:
        """Kill those that are left, and where the fleet is over keep no slots for it."""
        for owner in self._running:
            self.kill(owner)
        self._running.clear()
        if for_good:
            for group in self._groups():
                _placement().remove_placement_group(group)

    def _group(self) -> _Group:
        for group in self._groups():
            return group
        bundles = [{SLOTS: float(each)} for each in self._slots]
        return _placement().placement_group(bundles, strategy="SPREAD", name=self._name, lifetime="detached")

    def _groups(self) -> Iterator[_Group]:
        """Those of the name, whichever program made them. Ray itself finds those of the caller's namespace alone."""
        for number, row in _placement().placement_group_table().items():
            if row["name"] == self._name and row["state"] != "REMOVED":
                yield _placement().PlacementGroup(_ray().PlacementGroupID(bytes.fromhex(number)))
