"""Become another program, one that ends with its parent and is not root where that program refuses to be.

Run by path and without site-packages, so that it costs a few milliseconds:
`launch.py PARENT SIGNAL IDENTITY PROGRAM ARGS…`.
"""

import ctypes
import os
import signal
import sys

CLONE_NEWUSER = 0x10000000  # unshare(2)
PR_SET_PDEATHSIG = 1  # prctl(2)
NOBODY = 65534  # an account that every system has: initdb looks its user up by number

AS_IS = "as-is"
IN_NAMESPACE = "namespace"  # ourselves, but seen by the program as nobody: user_namespaces(7)
AS_NOBODY = "nobody"


def main(parent: int, death_signal: int, identity: str, command: list[str]) -> None:
    if identity == IN_NAMESPACE:
        enter_namespace()
    elif identity == AS_NOBODY:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    # After the change of identity, which clears it. The parent may have died before: then nobody would tell us.
    die_with_parent(death_signal)
    if os.getppid() != parent:
        sys.exit(1)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.execvp(command[0], command)  # noqa: S606 — becoming another program is the purpose


def enter_namespace() -> None:
    uid, gid = os.getuid(), os.getgid()
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    for name, content in [("setgroups", "deny"), ("uid_map", f"{NOBODY} {uid} 1"), ("gid_map", f"{NOBODY} {gid} 1")]:
        with open(f"/proc/self/{name}", "w") as file:
            file.write(content)


def die_with_parent(death_signal: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
