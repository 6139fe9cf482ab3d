"""Metrics of longer texts: captions, translations, pages of prose."""

from vlmhb_benchmarks.metrics.generation.chrf import CHRF
from vlmhb_benchmarks.metrics.generation.cider import CIDER
from vlmhb_benchmarks.metrics.generation.meteor import METEOR
from vlmhb_benchmarks.metrics.generation.rouge_l import ROUGE_L

GENERATION_METRICS = (CHRF, METEOR, ROUGE_L, CIDER)
