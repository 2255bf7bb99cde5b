"""The gateway's numbers: what it costs, what it holds, and what must never be lost."""
