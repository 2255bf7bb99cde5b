"""Provider JSON ⇄ core values: the only places that know a provider's dialect."""
