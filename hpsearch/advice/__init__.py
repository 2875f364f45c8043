"""After a study: what its trials say of ranges, epochs, trials and seeds, and what to do next."""

from __future__ import annotations

from hpsearch.advice.evidence import Evidence, evidence_of
from hpsearch.advice.next_study import next_study, study_toml
from hpsearch.advice.recommendations import Change, Recommendation, advise, urgent
from hpsearch.advice.study import Advice, advise_study

__all__ = [
    "Advice",
    "Change",
    "Evidence",
    "Recommendation",
    "advise",
    "advise_study",
    "evidence_of",
    "next_study",
    "study_toml",
    "urgent",
]
