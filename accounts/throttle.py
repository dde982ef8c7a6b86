"""How often somebody may try, counted in PostgreSQL: per account and address, per address, per account."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import SignInAttempt

KEPT = timedelta(days=1)


class Refused(Exception):
    """Too many tries; `wait_s` says after how many seconds the next one is taken."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"wait {wait_s} s")
        self.wait_s = wait_s


@dataclass(frozen=True)
class Throttle:
    """Limits within `window`. The account's own limit is high: it must not let strangers lock the owner out."""

    kind: str
    window: timedelta
    per_pair: int
    per_address: int
    per_account: int

    def spend(self, email: str, address: str | None) -> int:
        """Count one try; returns how many remain. Raises Refused, and a refused try does not prolong the wait.

        The try is written before it is judged, so that many at once cannot all pass.
        """
        email = email.strip().lower()[:254]
        attempt = SignInAttempt.objects.create(kind=self.kind, email=email, address=address)
        since = SignInAttempt.objects.filter(kind=self.kind, at__gt=timezone.now() - self.window)
        limits = (
            (since.filter(email=email, address=address), self.per_pair),
            (since.filter(address=address), self.per_address),
            (since.filter(email=email), self.per_account),
        )
        for tries, limit in limits:
            if tries.count() > limit:
                wait_s = self.wait(tries.exclude(pk=attempt.pk), limit)
                attempt.delete()
                raise Refused(wait_s)
        return self.per_pair - limits[0][0].count()

    def wait(self, tries: QuerySet[SignInAttempt], limit: int) -> int:
        """Seconds until fewer than `limit` tries are left in the window."""
        times = list(tries.order_by("-at").values_list("at", flat=True)[:limit])
        oldest = times[-1] if times else timezone.now()
        return max(1, int((oldest + self.window - timezone.now()).total_seconds()) + 1)

    def forget(self, email: str, address: str | None) -> None:
        """Right credentials: the tries before them no longer count. Old ones are swept on the way."""
        SignInAttempt.objects.filter(kind=self.kind, email=email.strip().lower(), address=address).delete()
        SignInAttempt.objects.filter(at__lt=timezone.now() - KEPT).delete()


SIGN_IN = Throttle("sign_in", timedelta(minutes=15), per_pair=5, per_address=50, per_account=200)
RESET = Throttle("reset", timedelta(hours=1), per_pair=3, per_address=20, per_account=10)
SIGN_UP = Throttle("sign_up", timedelta(hours=1), per_pair=10, per_address=30, per_account=30)
