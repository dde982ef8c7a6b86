"""How often somebody may try, counted in PostgreSQL: per account and network, per network, per account."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from accounts.addresses import network_of
from accounts.models import SignInAttempt

KEPT = timedelta(days=1)


class Refused(Exception):
    """Too many tries; `wait_s` says after how many seconds the next one is taken."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"wait {wait_s} s")
        self.wait_s = wait_s


@dataclass(frozen=True)
class Throttle:
    """Limits within `window`, for networks as addresses.network_of counts them.

    The account's own limit stops many networks together. It does not hold for somebody known (accounts.devices):
    strangers must not lock the owner out.
    """

    kind: str
    window: timedelta
    per_pair: int
    per_address: int
    per_account: int

    def spend(self, email: str, address: str | None, *, is_known: bool = False) -> int:
        """Count one try; returns how many remain. Raises Refused, and a refused try does not prolong the wait.

        The try is written before it is judged, so that many at once cannot all pass.
        """
        email, address = email.strip().lower()[:254], network_of(address)
        attempt = SignInAttempt.objects.create(kind=self.kind, email=email, address=address)
        since = SignInAttempt.objects.filter(kind=self.kind, at__gt=timezone.now() - self.window)
        limits = [
            (since.filter(email=email, address=address), self.per_pair),
            (since.filter(address=address), self.per_address),
        ]
        if not is_known:
            limits.append((since.filter(email=email), self.per_account))
        for tries, limit in limits:
            if tries.count() > limit:
                wait_s = wait(tries.exclude(pk=attempt.pk), limit, self.window)
                attempt.delete()
                raise Refused(wait_s)
        return self.per_pair - limits[0][0].count()

    def forget(self, email: str, address: str | None) -> None:
        """Right credentials: the tries before them no longer count. Old ones are swept on the way."""
        tries = SignInAttempt.objects.filter(kind=self.kind, email=email.strip().lower(), address=network_of(address))
        tries.delete()
        SignInAttempt.objects.filter(at__lt=timezone.now() - KEPT).delete()


@dataclass(frozen=True)
class Quota:
    """So many within `window` for each key: a workspace, a person, an address."""

    kind: str
    window: timedelta
    most: int

    def spend(self, key: str) -> SignInAttempt:
        """Count one; raises Refused. Written before it is judged, like a try; a refused one is not kept."""
        spent = SignInAttempt.objects.create(kind=self.kind, email=key[:254])
        since = SignInAttempt.objects.filter(kind=self.kind, email=key[:254], at__gt=timezone.now() - self.window)
        if since.count() > self.most:
            wait_s = wait(since.exclude(pk=spent.pk), self.most, self.window)
            spent.delete()
            raise Refused(wait_s)
        return spent


def wait(tries: QuerySet[SignInAttempt], limit: int, window: timedelta) -> int:
    """Seconds until fewer than `limit` tries are left in the window."""
    times = list(tries.order_by("-at").values_list("at", flat=True)[:limit])
    oldest = times[-1] if times else timezone.now()
    return max(1, int((oldest + window - timezone.now()).total_seconds()) + 1)


SIGN_IN = Throttle("sign_in", timedelta(minutes=15), per_pair=5, per_address=50, per_account=200)
RESET = Throttle("reset", timedelta(hours=1), per_pair=3, per_address=20, per_account=10)
SIGN_UP = Throttle("sign_up", timedelta(hours=1), per_pair=10, per_address=30, per_account=30)
INVITES_OF_WORKSPACE = Quota("inv_from", timedelta(days=1), most=50)
INVITES_BY_PERSON = Quota("inv_by", timedelta(days=1), most=50)
INVITES_TO_ADDRESS = Quota("inv_to", timedelta(days=1), most=3)
