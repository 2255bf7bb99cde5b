"""The verb `audit`: from a stream of calls to tasks with their anatomy, money and verdicts."""

from stepdown.audit.counting import Counting
from stepdown.audit.measure import audit, report_on
from stepdown.audit.parts import Known, Part, count
from stepdown.audit.verdicts import AuditTerms

__all__ = ["AuditTerms", "Counting", "Known", "Part", "audit", "count", "report_on"]
