"""Letters on their way to the mail server: a bounded queue and few threads, whatever many visitors ask for at once."""

import atexit
import logging
import queue
import threading
import time
from dataclasses import dataclass, field
from itertools import count

from django.core.mail import EmailMessage

log = logging.getLogger(__name__)

MOST_WAITING = 200
MOST_INVITATIONS_WAITING = 100  # the rest is for letters that somebody waits for
CARRIERS = 2
ENDS_WITHIN_S = 10.0  # how long a process that ends waits for its letters


@dataclass(order=True)
class Waiting:
    """Urgent ones first, then in the order in which they came."""

    rank: int
    number: int
    letter: EmailMessage = field(compare=False)


_waiting: queue.PriorityQueue[Waiting] = queue.PriorityQueue()
_numbers = count()
_lock = threading.Lock()
_carriers: list[threading.Thread] = []


def post(letter: EmailMessage, *, urgent: bool = True) -> bool:
    """Send it soon, in a thread of the post office; whether it was taken: a full queue takes no more."""
    with _lock:
        if _waiting.qsize() >= (MOST_WAITING if urgent else MOST_INVITATIONS_WAITING):
            log.error("too many letters are waiting: “%s” is not sent", letter.subject)
            return False
        _waiting.put(Waiting(0 if urgent else 1, next(_numbers), letter))
        hire()
    return True


def hire() -> None:
    """Threads are made when the first letter comes, in whatever process that is."""
    _carriers[:] = [carrier for carrier in _carriers if carrier.is_alive()]
    while len(_carriers) < CARRIERS:
        carrier = threading.Thread(target=carry, name="letters", daemon=True)
        carrier.start()
        _carriers.append(carrier)


def carry() -> None:
    while True:
        waiting = _waiting.get()
        try:
            deliver(waiting.letter)
        finally:
            _waiting.task_done()


def deliver(letter: EmailMessage) -> None:
    try:
        letter.send()
    except Exception:  # a letter that cannot be sent, for whatever reason, must not stop those behind it
        log.exception("the letter “%s” could not be sent", letter.subject)


@atexit.register
def finish() -> None:
    """A process that ends sends what waits, as long as that does not take long."""
    deadline = time.monotonic() + ENDS_WITHIN_S
    while _waiting.unfinished_tasks and time.monotonic() < deadline:
        time.sleep(0.05)
