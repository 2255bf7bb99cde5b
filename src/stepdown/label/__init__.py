"""The verb `label`: from logged calls to a dataset whose splits share nothing."""

from stepdown.label.archive import load_dataset, noting, save_dataset, without
from stepdown.label.build import build_dataset
from stepdown.label.check import check_split

__all__ = ["build_dataset", "check_split", "load_dataset", "noting", "save_dataset", "without"]
