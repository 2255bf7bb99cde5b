"""Self-contained HTML reports of audits and proofs: no script, no request, readable on paper."""

from stepdown.web.audit_page import audit_page
from stepdown.web.proof_page import proof_page
from stepdown.web.review_page import review_page

__all__ = ["audit_page", "proof_page", "review_page"]
