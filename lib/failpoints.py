"""Named places where a fault test may strike; in an installation they do nothing.

`APINITA_FAILPOINTS="after_send=kill,before_send=sleep:5"` arms them for a process, `@/path` names a file of the same
text, read anew whenever it changes. `kill` is SIGKILL to ourselves; `kill@3` strikes at the third passage only;
`kill:/path` only where that file could be made, so once in all processes together; `sleep:5` takes seconds. A public
installation (an https APINITA_URL) refuses them all.
"""

import logging
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Strike:
    """What happens at one failpoint: `at` is the passage, 0 for each one; `once` a file that only one may make."""

    action: str
    at: int = 0
    once: str = ""
    seconds: float = 0


def parse(text: str) -> dict[str, Strike]:
    """Failpoint → strike. Raises ValueError: a test must not pass because of a misspelt fault."""
    strikes = {}
    for part in filter(None, (part.strip() for part in text.replace("\n", ",").split(","))):
        name, _equals, order = part.partition("=")
        head, _colon, argument = order.partition(":")
        action, _sign, passage = head.partition("@")
        if not name or action not in {"kill", "sleep"} or (action == "sleep" and not argument):
            raise ValueError(f"not a failpoint: {part!r}")
        at = int(passage) if passage else 0
        if action == "kill":
            strikes[name] = Strike(action, at, once=argument)
        else:
            strikes[name] = Strike(action, at, seconds=float(argument))
    return strikes


class Armed:
    """The strikes of this process, and how often each failpoint was passed."""

    def __init__(self, source: str) -> None:
        self.file = Path(source[1:]) if source.startswith("@") else None
        self.read_at = 0
        self.strikes = {} if self.file else parse(source)
        self.passages: dict[str, int] = {}
        self.lock = threading.Lock()

    def look(self) -> None:
        """Read the file again where it has changed; the counting begins anew then."""
        if self.file is None:
            return
        try:
            changed_at = self.file.stat().st_mtime_ns
        except FileNotFoundError:
            changed_at, self.strikes = 0, {}
        if changed_at != self.read_at:
            self.read_at, self.passages = changed_at, {}
            self.strikes = parse(self.file.read_text()) if changed_at else {}

    def passed(self, name: str) -> None:
        with self.lock:
            self.look()
            strike = self.strikes.get(name)
            if strike is None:
                return
            passage = self.passages[name] = self.passages.get(name, 0) + 1
        if strike.at and strike.at != passage:
            return
        if strike.action == "sleep":
            time.sleep(strike.seconds)
        elif not strike.once or may_strike_once(strike.once):
            os.kill(os.getpid(), signal.SIGKILL)


def may_strike_once(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return False
    return True


def arm(source: str, url: str) -> Armed | None:
    """What the environment asks for; nothing, with a warning, in a public installation."""
    if source and url.strip().lower().startswith("https:"):
        log.warning("APINITA_FAILPOINTS is ignored: this installation is public")
        return None
    return Armed(source) if source else None


_armed = arm(os.environ.get("APINITA_FAILPOINTS", "").strip(), os.environ.get("APINITA_URL", ""))


def failpoint(name: str) -> None:
    """A place where a fault test may strike."""
    if _armed is not None:
        _armed.passed(name)
