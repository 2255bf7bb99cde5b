"""How hard a call of no known task is: learnt from comparisons, calibrated, off unless it helps."""
