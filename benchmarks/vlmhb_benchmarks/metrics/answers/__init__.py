"""Metrics of short answers: labels, substrings, numbers, annotators' votes, token bags, yes or no."""

from vlmhb_benchmarks.metrics.answers.labels import ACCURACY
from vlmhb_benchmarks.metrics.answers.relaxed import (
    RELAXED_ACCURACY,
    RELAXED_ACCURACY_EVALSCOPE,
    RELAXED_ACCURACY_STRICT,
)
from vlmhb_benchmarks.metrics.answers.substring import OCRBENCH, SUBSTRING_MATCH
from vlmhb_benchmarks.metrics.answers.tokens import BAG_F1, TOKEN_F1
from vlmhb_benchmarks.metrics.answers.vqa import VQA_ACCURACY, VQA_ACCURACY_SIMPLE, VQA_ACCURACY_V1
from vlmhb_benchmarks.metrics.answers.yes_no import (
    YES_NO_ACCURACY,
    YES_NO_F1,
    YES_NO_PRECISION,
    YES_NO_RECALL,
)

ANSWER_METRICS = (
    ACCURACY,
    SUBSTRING_MATCH,
    OCRBENCH,
    RELAXED_ACCURACY,
    RELAXED_ACCURACY_EVALSCOPE,
    RELAXED_ACCURACY_STRICT,
    VQA_ACCURACY,
    VQA_ACCURACY_V1,
    VQA_ACCURACY_SIMPLE,
    TOKEN_F1,
    BAG_F1,
    YES_NO_ACCURACY,
    YES_NO_F1,
    YES_NO_PRECISION,
    YES_NO_RECALL,
)
