"""Everything that leaves the installation leaves through here, under one policy: see docs/security.md."""

from lib.egress.abort import Abort
from lib.egress.adapter import Adapter, session
from lib.egress.messages import Request, Response
from lib.egress.policy import Policy, check_url, configure
from lib.egress.sending import send

__all__ = ["Abort", "Adapter", "Policy", "Request", "Response", "check_url", "configure", "send", "session"]
