"""The verb `audit`: from a stream of calls to tasks with their anatomy, money and verdicts."""

from stepdown.audit.measure import audit
from stepdown.audit.verdicts import AuditTerms

__all__ = ["AuditTerms", "audit"]
