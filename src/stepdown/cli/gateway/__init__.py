"""What `stepdown serve` is made of: tiers, keys, prices, workers, and what a reload changes."""
