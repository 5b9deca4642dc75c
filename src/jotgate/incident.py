"""What to do when a signing key got out: every step that ends its power, in one call that can be repeated."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from .errors import JotgateError, PolicyError

if TYPE_CHECKING:
    from .keys.lifecycle import Compromise, RingState
    from .keys.ring import KeyRing
    from .revocation.revocations import Revocations

__all__ = ["IncidentReport", "Step", "compromise"]

_AGAIN = "do it again: what is done stays done"


class Step(NamedTuple):
    """One step of what was tried."""

    name: Literal["distrust", "drop", "destroy", "epoch", "sessions"]
    """``distrust``: the store says that the key's signatures are worth nothing. ``drop``: it is out of the ring, and
    another key signs. ``destroy``: its private key is destroyed. ``epoch``: the next one has begun. ``sessions``: those
    from before it cannot be refreshed."""
    state: Literal["done", "failed", "left_out"]
    """``left_out``: nothing was given to do it with."""
    message: str
    """What is so now."""
    advice: str = ""
    """What to do about it; empty where there is nothing to do."""


class IncidentReport(NamedTuple):
    """What ``compromise`` did, what it could not do, and what is out of its reach."""

    thumbprint: str
    """Of the key, by RFC 7638."""
    steps: tuple[Step, ...]
    dropped: Compromise | None
    """What the ring did, with the time until which other people's caches may hold the key; None without a ring, or when
    the ring could not drop it."""

    @property
    def complete(self) -> bool:
        """Whether no step failed. If one did, call again."""
        return all(step.state != "failed" for step in self.steps)

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as what JSON has: ``complete``, ``thumbprint``, ``steps``, and the members of `dropped`."""
        told: dict[str, Any] = {"complete": self.complete, "thumbprint": self.thumbprint}
        told["steps"] = [step._asdict() for step in self.steps]
        if self.dropped is not None:
            told |= self.dropped._asdict()
            for derived in ("residual_seconds", "active_was_published_long_enough"):
                told[derived] = getattr(self.dropped, derived)
        return told

    def lines(self) -> list[str]:
        """Return the steps as plain text, one a line, and the advice below each."""
        width = max(len(step.state) for step in self.steps)
        told = []
        for step in self.steps:
            told.append(f"{step.state.replace('_', ' ').ljust(width)}  {step.name.ljust(8)}  {step.message}")
            if step.advice:
                told.append(f"{' ' * (width + 12)}to do: {step.advice}")
        return told

    def __str__(self) -> str:
        return "\n".join(self.lines())


def compromise(
    kid: str | None = None,
    *,
    ring: KeyRing | None,
    revocations: Revocations | None,
    thumbprint: str | None = None,
) -> IncidentReport:
    """End the power of a key that got out, everywhere that can be reached, and say what cannot.

    In this order:

    1. The store of `revocations` says that the key is distrusted, for ever. Every verifier on the store refuses what it
       signed, cached or not, within the time that news take there, whatever epoch, ``iat`` or ``jti`` a forger writes,
       and although a JWKS may still list the key. This is first because it reaches farthest, needs nothing but the
       thumbprint, and errs on the safe side: a process that dies now leaves an issuer whose tokens are refused, and not
       a thief whose tokens are accepted.
    2. The ring drops the key: the waiting key signs, the JWKS no longer has it, its private key is destroyed.
    3. The next epoch begins, which takes back the honest tokens of before, whichever key signed them: that they are
       honest cannot be seen from outside. Where the ring has its epochs counted in the store
       (``KeyRing(epochs=revocations.epochs)``), every verifier on the store knows at once. A ring that counts by itself
       tells by its JWKS (``jotgate_epoch``), and the store's epoch is left as it is.
    4. Sessions that began in an earlier epoch can no longer be refreshed. That follows from the epoch; there is nothing
       to list or to delete.

    Each step is tried although another one failed: a store that cannot be reached keeps no key in the ring. Called
    again, it does what a failure or a crash left undone. Nothing is asked, and nothing can be undone.

    Args:
        kid: Of a key of the ring, whatever its state, also one that it has dropped before.
        ring: The issuer's keys. None: the key is somebody else's; then only step 1 is done.
        revocations: Takes back in the store that verifiers follow. None: they hear of it by the JWKS alone.
        thumbprint: Of a key that is in no ring, by RFC 7638: ``VerificationKey.thumbprint()``.

    Returns:
        IncidentReport: each step, done or failed and what to do then; and until when other people's JWKS caches may
        hold the key.

    Raises:
        PolicyError: ``invalid_policy``: there is no such key in the ring; not one of `kid` with `ring` and `thumbprint`
            with `revocations`.
        InvalidKeyError: ``invalid_key``: the ring is damaged or open to others, so that the key's thumbprint cannot be
            read: give that, without the ring, then repair it.
        StoreUnavailableError: ``store_unavailable``: the ring's directory cannot be read.

    Spec: RFC 7638 for the thumbprint.
    """
    if ring is None:
        if thumbprint is None or kid is not None or revocations is None:
            raise PolicyError("give a ring and the kid of one of its keys, or revocations and a thumbprint")
        return IncidentReport(thumbprint, (_distrust(thumbprint, revocations),), None)
    if kid is None or thumbprint is not None:
        raise PolicyError("a key of a ring is named by its kid alone: the ring knows its thumbprint")
    lost = _thumbprint_of(kid, ring)
    first = _distrust(lost, revocations)
    return IncidentReport(lost, *_with_the_ring(kid, ring, revocations, first))


def _thumbprint_of(kid: str, ring: KeyRing) -> str:
    state = _state_of(ring)
    dropped = _dropped(kid, state)
    key = dropped if dropped is not None else state.find(kid)
    if key is None:
        raise PolicyError("the key ring has no such key, and never dropped one of this kid")
    return key.thumbprint


def _state_of(ring: KeyRing) -> RingState:
    """Read the manifest itself: ``ring.keys`` wants the epoch as well, and whoever counts it may be out of reach."""
    return ring._store.read()[0]


def _dropped(kid: str, state: RingState) -> Compromise | None:
    return next((each for each in state.distrusted if each.kid == kid), None)


def _distrust(thumbprint: str, revocations: Revocations | None) -> Step:
    if revocations is None:
        return Step(
            "distrust",
            "left_out",
            "no store was given: verifiers elsewhere believe the key until they fetch the JWKS again",
            "have them follow a store, and name it here",
        )
    failure = _failure_of(lambda: revocations.revoke_key(thumbprint))
    if failure is None:
        return Step("distrust", "done", "every verifier on the store refuses what the key signed, whatever a JWKS says")
    return Step("distrust", "failed", failure, f"{_AGAIN}; until then verifiers believe the key as long as a JWKS does")


def _with_the_ring(
    kid: str, ring: KeyRing, revocations: Revocations | None, first: Step
) -> tuple[tuple[Step, ...], Compromise | None]:
    failure = _failure_of(lambda: ring.compromise(kid))
    # Looked up, because a ring that failed may have done half of it.
    try:
        state = _state_of(ring)
    except JotgateError as error:
        state, failure = None, failure or str(error)
    dropped = None if state is None else _dropped(kid, state)
    if state is None or dropped is None:
        told = failure or "the ring did not keep what it was told"
        untouched = "not tried, because the key is still in the ring"
        return (
            first,
            Step("drop", "failed", told, f"{_AGAIN}, once the ring's directory can be written"),
            Step("destroy", "failed", untouched, _AGAIN),
            Step("epoch", "failed", untouched, _AGAIN),
            Step("sessions", "failed", "they can still be refreshed", _AGAIN),
        ), None
    waits = "no key waits" if dropped.next_kid is None else f"{dropped.next_kid!r} waits"
    return (
        first,
        Step(
            "drop",
            "done",
            f"the {dropped.alg} key {kid!r} ({dropped.was}) is out of the ring for ever; {dropped.active_kid!r} signs, "
            f"{waits}",
            "" if dropped.next_kid is not None or state.waiting is not None else "have the ring maintained: maintain()",
        ),
        _destroyed(kid, state),
        _epoch(dropped, state, revocations, failure),
        _sessions(dropped),
    ), dropped


def _destroyed(kid: str, state: RingState) -> Step:
    if kid in state.condemned:
        return Step(
            "destroy",
            "failed",
            "the private key could not be destroyed: whoever reads it there can go on forging",
            f"{_AGAIN}, or have the issuer call maintain(), which reaches the private keys",
        )
    return Step("destroy", "done", "its private key is destroyed")


def _epoch(dropped: Compromise, state: RingState, revocations: Revocations | None, failure: str | None) -> Step:
    if dropped.epoch is None:
        return Step(
            "epoch",
            "failed",
            "it is counted outside the ring and has NOT advanced: honest tokens from before still count"
            + ("" if failure is None else f" ({failure})"),
            f"{_AGAIN} with the counter of the ring, or have the issuer call maintain() now",
        )
    if not state.counts_epochs:
        return Step(
            "epoch",
            "done",
            f"epoch {dropped.epoch} has begun where the ring has it counted: every token of an earlier one is refused",
        )
    return Step(
        "epoch",
        "done",
        f"epoch {dropped.epoch} has begun in the ring: honest tokens from before end where the ring or its JWKS is "
        "read (jotgate_epoch), elsewhere by their expiry",
        ""
        if revocations is None
        else "to end them everywhere at once, have a ring count its epochs in the store: epochs=revocations.epochs",
    )


def _sessions(dropped: Compromise) -> Step:
    if dropped.epoch is None:
        return Step("sessions", "failed", "they can be refreshed until the next epoch has begun", _AGAIN)
    return Step("sessions", "done", "none from before this epoch can be refreshed: users sign in again")


def _failure_of(do: Callable[[], object]) -> str | None:
    """Do it, and return why it failed, None if it did not. No failure keeps the steps after it from being tried."""
    try:
        do()
    except JotgateError as error:
        return str(error)
    except Exception as error:
        # Of the caller's KMS, counter or store: what its message holds is not known.
        return f"it failed ({type(error).__name__})"
    return None
