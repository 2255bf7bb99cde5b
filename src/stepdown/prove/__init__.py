"""The verb `prove`: the certificate of a student, or why there is none and what would change it."""

from stepdown.prove.archive import load_proof, save_proof
from stepdown.prove.contract import ProofTerms
from stepdown.prove.proof import prove
from stepdown.prove.weigh import Weighed, weigh

__all__ = ["ProofTerms", "Weighed", "load_proof", "prove", "save_proof", "weigh"]
